"""The spawner's end of a control line, and of an output pipe, as plain as a test needs them."""

from __future__ import annotations

import array
import os
import select
import socket
import time

from spawner.shared import wire

TIMEOUT = 30.0  # seconds


class ControlEnd:
    """One end of a SEQPACKET pair; `other` is the descriptor to pass on."""

    def __init__(self) -> None:
        self._socket, self.other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(TIMEOUT)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.sender_pid = 0

    def send(self, kind: str, *fields: tuple[str, str], descriptors: tuple[int, ...] = ()) -> None:
        packet = wire.encode_text([("type", kind), *fields])
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
        self._socket.sendmsg([packet], rights)

    def receive(self, timeout: float = TIMEOUT) -> list[tuple[str, str]]:
        """Return the fields of the next message, `type` first; empty at the end of the line.

        Raises ConnectionResetError once when the process ended without having read what it was told.
        """
        self._socket.settimeout(timeout)
        packet, ancillary, _, _ = self._socket.recvmsg(1 << 19, 256)
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
                self.sender_pid = int.from_bytes(data[:4], "little")
        return wire.decode_text(packet) if packet else []

    def expect(self, kind: str) -> dict[str, str]:
        """Return the next message's fields; it has to be of `kind`. A preloader's `forked` is passed over."""
        fields = self.receive()
        while fields[:1] == [("type", "forked")] and kind != "forked":
            fields = self.receive()
        assert fields[:1] == [("type", kind)], f"expected {kind!r}, got {fields}"
        return dict(fields)

    def close_other(self) -> None:
        self.other.close()

    def close(self) -> None:
        self._socket.close()
        self.other.close()


class Output:
    """The read end of a process's output pipe."""

    def __init__(self) -> None:
        self._read_end, self.write_end = os.pipe()
        os.set_blocking(self._read_end, False)
        self._text = ""

    def close_write_end(self) -> None:
        if self.write_end >= 0:
            os.close(self.write_end)
            self.write_end = -1

    def close(self) -> None:
        self.close_write_end()
        if self._read_end >= 0:
            os.close(self._read_end)
            self._read_end = -1

    def text(self) -> str:
        """Return all that has been written so far."""
        while True:
            try:
                data = os.read(self._read_end, 1 << 16)
            except BlockingIOError:
                return self._text
            if not data:
                return self._text
            self._text += data.decode("utf-8", "replace")

    def wait_for(self, text: str) -> str:
        """Wait until `text` has been written; return all."""
        deadline = time.monotonic() + TIMEOUT
        while text not in self.text():
            left = deadline - time.monotonic()
            assert left > 0, f"{text!r} was not written, but {self._text!r}"
            select.select([self._read_end], [], [], min(left, 0.2))
        return self._text

    def wait_for_end(self) -> str:
        """Wait until no process can write any more; return all that was written."""
        deadline = time.monotonic() + TIMEOUT
        while True:
            assert select.select([self._read_end], [], [], max(0, deadline - time.monotonic()))[0], "still open"
            data = os.read(self._read_end, 1 << 16)
            if not data:
                return self._text
            self._text += data.decode("utf-8", "replace")
