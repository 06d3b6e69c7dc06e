"""One end of a control line: whole messages with descriptors, over SOCK_SEQPACKET (docs/protocol.md, section 5)."""

import array
from typing import Iterable, List, Optional, Sequence, Tuple

from ....shared import constants, wire
from .loader_errors import LineClosed
from .unpatched import MSG_CMSG_CLOEXEC, os, socket

_MOST_DESCRIPTORS = 8
_PACKET_SIZE = constants.CONTROL_MESSAGE_LIMIT + 16
_ANCILLARY_SIZE = socket.CMSG_SPACE(_MOST_DESCRIPTORS * 4)


class ControlMessage:
    """One packet: its type, its other fields in order, and its descriptors, which the receiver owns."""

    def __init__(self, kind: str, fields: List[wire.TextPair], descriptors: List[int]) -> None:
        self.kind = kind
        self.fields = fields
        self.descriptors = descriptors

    def get(self, name: str, default: str = "") -> str:
        """Return the first value of `name`."""
        for field, value in self.fields:
            if field == name:
                return value
        return default

    def close(self) -> None:
        """Close the descriptors: the message is of no use."""
        for descriptor in self.descriptors:
            os.close(descriptor)


class ControlLine:
    """The process's end. Blocking: send and receive wait for the other side."""

    def __init__(self, descriptor: int) -> None:
        """`descriptor`: a connected SOCK_SEQPACKET socket; owned from now on."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, descriptor)
        self._socket.setblocking(True)

    def fileno(self) -> int:
        """Return the descriptor, to be polled."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close this end; the other side sees the end of the line unless another process holds this end too."""
        self._socket.close()

    def send(self, kind: str, fields: Iterable[wire.TextPair] = ()) -> None:
        """Send one message. Raises LineClosed when nobody can receive it."""
        packet = wire.encode_text([("type", kind), *fields])
        try:
            self._socket.send(packet)
        except (BrokenPipeError, ConnectionError) as error:
            raise LineClosed(str(error)) from error

    def receive(self) -> Optional[ControlMessage]:
        """Wait for the next message; None at the end of the line. Raises wire.WireError."""
        try:
            packet, ancillary, _, _ = self._socket.recvmsg(_PACKET_SIZE, _ANCILLARY_SIZE, MSG_CMSG_CLOEXEC)
        except ConnectionError:
            return None
        if not packet:
            return None
        fields = wire.decode_text(packet)
        if not fields or fields[0][0] != "type":
            raise wire.MalformedMessage("a control message begins with {!r}".format(packet[:40]))
        return ControlMessage(fields[0][1], fields[1:], passed_descriptors(ancillary))


def passed_descriptors(ancillary: Sequence[Tuple[int, int, bytes]]) -> List[int]:
    """Return the descriptors that came with recvmsg's `ancillary` data; the caller owns them."""
    descriptors = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
    return list(descriptors)
