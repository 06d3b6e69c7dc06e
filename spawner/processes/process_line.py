"""The spawner's end of the control line of one app process (docs/protocol.md, section 5)."""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
from typing import Callable, Iterable, Optional, Sequence

from spawner.errors import PeerError
from spawner.system import packets
from spawner.system.loop_share import LimitedReader, LoopShare
from spawner.system.packets import Packet
from spawner.system.untrusted_socket import UntrustedSocket

_MOST_PER_CALL = 32  # messages; then the loop serves others
_SECONDS_PER_CALL = 0.01
_NANOSECONDS = 1_000_000_000


class ProcessLine:
    """Reads and writes one control line without ever waiting.

    A message leaves the line only after it was handled: when a spawner is killed meanwhile, the next one handles it
    again. So a message may be handled twice; none is lost.

    :param line: owned from now on; SO_PASSCRED is set on it, so that each packet has its sender's pid and uid.
    :param uid: of the only user who may send on it.
    :param received: called with each message. No message of a process has descriptors.
    :param ended: called once, when the line ends (None), or with the reason when a message is not allowed.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        line: socket.socket,
        uid: int,
        received: Callable[[Packet], None],
        ended: Callable[[Optional[str]], None],
    ) -> None:
        self._loop = loop
        self._line = UntrustedSocket(line)
        self._uid = uid
        self._received = received
        self._ended = ended
        self._reader = LimitedReader(loop, self._line.fileno(), self._read_some, LoopShare(loop.time()))

    @property
    def descriptor(self) -> int:
        """The line's descriptor, for the descriptor store; -1 once closed."""
        return self._line.fileno()

    def send(self, fields: Iterable[tuple[str, str]], descriptors: Sequence[int] = ()) -> bool:
        """Send a message; the descriptors stay the caller's.

        :returns: False if the line has ended, or is full because the process does not read.
        """
        try:
            packets.send(self._line, fields, descriptors)
        except OSError:
            return False
        return True

    def send_or_fail(self, fields: Iterable[tuple[str, str]], descriptors: Sequence[int]) -> None:
        """As `send`.

        :raises OSError: the line has ended, or is full.
        """
        if not self.send(fields, descriptors):
            raise OSError("the process does not read its control line")

    def retire(self, deadline: float = 0.0) -> None:
        """Tell the process to finish its requests and end; on a full line the end of the line says the same.

        :param deadline: seconds of CLOCK_MONOTONIC: when it is killed; 0: there is no such time.
        """
        fields = [("deadline", str(int(deadline * _NANOSECONDS)))] if deadline else []
        if not self.send([("type", "retire"), *fields]):
            with contextlib.suppress(OSError):
                self._line.shutdown(socket.SHUT_WR)

    @property
    def has_unread(self) -> bool:
        """Whether there is a message that was not handled yet."""
        poll = select.poll()
        if self._line.fileno() >= 0:
            poll.register(self._line, select.POLLIN)
        return bool(poll.poll(0))

    def read_rest(self) -> None:
        """Handle what the process sent before it ended."""
        if self._line.fileno() >= 0:
            self._read_some()

    def close(self) -> None:
        """Close the line. A process that still runs retires."""
        self._reader.stop()
        self._line.close()

    def _read_some(self) -> None:
        began = self._loop.time()
        for _ in range(_MOST_PER_CALL):
            if not self._handle_first() or self._loop.time() - began > _SECONDS_PER_CALL:
                break

    def _handle_first(self) -> bool:
        """Handle the first message; False if there is none."""
        if self._line.fileno() < 0:
            return False
        try:
            packet = packets.peek_untrusted(self._line)
        except (BlockingIOError, InterruptedError):
            return False
        except ConnectionResetError:  # it ended with messages of ours unread; reported once, before its own messages
            return True
        except PeerError as error:
            self._end(str(error))
            return False
        except OSError:
            packet = None
        if packet is None:
            self._end(None)
            return False
        self._handle(packet)
        self._remove_first()
        return True

    def _handle(self, packet: Packet) -> None:
        try:
            if not packet.pid:  # without a sender the uid is that of nobody (overflowuid, user_namespaces(7))
                self._end("a message without a sender")
            elif packet.uid != self._uid:
                self._end("uid %d sends on the line of a process of uid %d" % (packet.uid, self._uid))
            else:
                self._received(packet)
        except PeerError as error:
            self._end(str(error))

    def _remove_first(self) -> None:
        if self._line.fileno() >= 0:
            with contextlib.suppress(OSError):
                self._line.recv(1)

    def _end(self, reason: Optional[str]) -> None:
        self.close()
        self._ended(reason)
