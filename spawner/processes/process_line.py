"""The spawner's end of the control line of one app process (docs/protocol.md, section 5)."""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
from typing import Callable, Iterable, Optional, Sequence

from spawner.errors import PeerError
from spawner.system import packets
from spawner.system.packets import Packet

_PACKETS_AT_ONCE = 32
_SECONDS_AT_ONCE = 0.01
_SHARE = 0.1  # of the loop's time that one line may take for long
_CREDIT = 0.25  # seconds that it may take at once beyond that


class ProcessLine:
    """Reads and writes one control line without ever waiting.

    A message may be dealt with twice, by the spawner that was killed over it and by the next; none is lost.

    :param line: owned from now on; SO_PASSCRED is set on it, so that each packet names its sender.
    :param uid: whose process it has to be.
    :param received: called with each packet; what it does not take of its descriptors is closed.
    :param broken: called once when the line ends (None) or says what it may not (the reason).
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        line: socket.socket,
        uid: int,
        received: Callable[[Packet], None],
        broken: Callable[[Optional[str]], None],
    ) -> None:
        self._loop = loop
        self._line = line
        self._uid = uid
        self._received = received
        self._broken = broken
        self._rest: Optional[asyncio.TimerHandle] = None
        self._used = 0.0  # seconds that its messages have taken, less its share of the time
        self._looked = loop.time()
        loop.add_reader(line, self._readable)

    @property
    def descriptor(self) -> int:
        """The line's descriptor, for the store; -1 once closed."""
        return self._line.fileno()

    def send(self, fields: Iterable[tuple[str, str]], descriptors: Sequence[int] = ()) -> bool:
        """Send a message; the descriptors stay the caller's.

        :returns: False when the line has ended or is full (a process that does not read).
        """
        try:
            packets.send(self._line, fields, descriptors)
        except OSError:
            return False
        return True

    def retire(self) -> None:
        """Tell the process to finish and go; on a full line its end says the same."""
        if not self.send([("type", "retire")]):
            with contextlib.suppress(OSError):
                self._line.shutdown(socket.SHUT_WR)

    @property
    def has_news(self) -> bool:
        """Whether something was said that was not dealt with yet."""
        look = select.poll()
        if self._line.fileno() >= 0:
            look.register(self._line, select.POLLIN)
        return bool(look.poll(0))

    def read_rest(self) -> None:
        """Hand out what the process said before it ended."""
        if self._line.fileno() >= 0:
            self._readable()

    def close(self) -> None:
        """Read it no longer. A process that still lives retires."""
        if self._rest is not None:
            self._rest.cancel()
        if self._line.fileno() >= 0:
            self._loop.remove_reader(self._line)
            self._line.close()

    def _readable(self) -> None:
        """Deal with what is there. A process that talks and talks has a tenth of the loop's time at most."""
        begun = self._loop.time()
        for _ in range(_PACKETS_AT_ONCE):
            if not self._take_one() or self._loop.time() - begun > _SECONDS_AT_ONCE:
                break
        ended = self._loop.time()
        self._used = max(0.0, self._used - (begun - self._looked) * _SHARE) + ended - begun
        self._looked = ended
        if self._used > _CREDIT:
            self._pause((self._used - _CREDIT) / _SHARE)

    def _take_one(self) -> bool:
        """Deal with the first message; False if there is none."""
        if self._line.fileno() < 0:
            return False
        try:
            packet = packets.receive(self._line, peek=True)
        except (BlockingIOError, InterruptedError):
            return False
        except ConnectionResetError:  # it ended with messages of ours unread: said once, before what it said itself
            return True
        except PeerError as error:
            self._end(str(error))
            return False
        except OSError:
            packet = None
        if packet is None:
            self._end(None)
            return False
        self._check(packet)
        self._drop_first()
        return True

    def _pause(self, seconds: float) -> None:
        if self._line.fileno() >= 0 and self._rest is None:
            self._loop.remove_reader(self._line)
            self._rest = self._loop.call_later(seconds, self._listen)

    def _listen(self) -> None:
        self._rest = None
        if self._line.fileno() >= 0:
            self._loop.add_reader(self._line, self._readable)

    def _drop_first(self) -> None:
        """Only what was dealt with leaves the line: a spawner that is killed meanwhile leaves it to the next one."""
        if self._line.fileno() >= 0:
            with contextlib.suppress(OSError):
                self._line.recv(1)

    def _check(self, packet: Packet) -> None:
        try:
            if not packet.pid:  # without a sender the uid is that of nobody (overflowuid, user_namespaces(7))
                self._end("a message whose sender the kernel does not tell")
            elif packet.uid != self._uid:
                self._end("uid %d speaks on the line of a process of uid %d" % (packet.uid, self._uid))
            else:
                self._received(packet)
        except PeerError as error:
            self._end(str(error))
        finally:
            packet.close()

    def _end(self, reason: Optional[str]) -> None:
        self.close()
        self._broken(reason)
