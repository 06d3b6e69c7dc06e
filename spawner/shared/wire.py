"""The codec of every line: a netstring of NUL-terminated names and values (docs/protocol.md, section 1).

Plain data, no I/O. A message is `<decimal length>:<name>NUL<value>NUL...,`: djb's netstring around the head that
SCGI defines. The bytes are the truth; the `_text` variants read them as UTF-8 with `surrogateescape`, as all
control lines do.
"""

from typing import Iterable, List, Optional, Tuple

from .constants import CONTROL_MESSAGE_LIMIT, LENGTH_DIGITS_LIMIT

Pair = Tuple[bytes, bytes]
TextPair = Tuple[str, str]


class WireError(ValueError):
    """Base of what this codec raises."""


class UnencodableField(WireError):
    """Our fault: a name or value holds a NUL."""


class MalformedMessage(WireError):
    """The peer's fault: what came is no netstring of names and values."""


class MessageTooLong(WireError):
    """The peer's fault: the message announces more bytes than the reader's limit."""


class IncompleteMessage(WireError):
    """The peer's fault: the bytes end before the message does."""


def encode(pairs: Iterable[Pair]) -> bytes:
    """Return the message that carries `pairs`, in order; names may repeat.

    Raises UnencodableField when a name or value holds a NUL.
    """
    fields: List[bytes] = []
    for name, value in pairs:
        if b"\0" in name or b"\0" in value:
            raise UnencodableField("NUL in field {!r}".format(name[:40]))
        fields.append(name)
        fields.append(value)
    if not fields:
        return b"0:,"
    fields.append(b"")
    payload = b"\0".join(fields)
    return b"%d:%s," % (len(payload), payload)


def decode(message: bytes, limit: int = CONTROL_MESSAGE_LIMIT) -> List[Pair]:
    """Return the pairs of `message`, which is exactly one netstring of at most `limit` payload bytes.

    Raises MalformedMessage, MessageTooLong or IncompleteMessage.
    """
    end = message_end(message, limit)
    if end is None or len(message) < end:
        raise IncompleteMessage("the message ends after {} bytes".format(len(message)))
    if len(message) > end:
        raise MalformedMessage("{} bytes follow the message".format(len(message) - end))
    return split_payload(payload_of(message, end))


def encode_text(pairs: Iterable[TextPair]) -> bytes:
    """As `encode`, for text: UTF-8 with `surrogateescape`, so that any path or variable of the system survives."""
    return encode((_to_bytes(name), _to_bytes(value)) for name, value in pairs)


def decode_text(message: bytes, limit: int = CONTROL_MESSAGE_LIMIT) -> List[TextPair]:
    """As `decode`, for text: UTF-8 with `surrogateescape`."""
    return [(_to_text(name), _to_text(value)) for name, value in decode(message, limit)]


def message_end(buffer: bytes, limit: int) -> Optional[int]:
    """Return how many bytes the message at the start of `buffer` takes with its length and comma; None: not yet known.

    Raises MalformedMessage or MessageTooLong as soon as the bytes show it.
    """
    colon = buffer.find(b":", 0, LENGTH_DIGITS_LIMIT + 1)
    digits = buffer[:colon] if colon >= 0 else buffer[: LENGTH_DIGITS_LIMIT + 1]
    if not (digits.isdigit() if digits else colon) or (len(digits) > 1 and digits[:1] == b"0"):
        raise MalformedMessage("a message begins with {!r}, not with its length".format(buffer[:16]))
    if colon < 0:
        if len(digits) > LENGTH_DIGITS_LIMIT:
            raise MalformedMessage("the length {!r}... has more than {} digits".format(digits, LENGTH_DIGITS_LIMIT))
        return None
    length = int(digits)
    if length > limit:
        raise MessageTooLong("a message of {} bytes, the limit is {}".format(length, limit))
    return colon + 1 + length + 1


def payload_of(buffer: bytes, end: int) -> bytes:
    """Return the payload of the message that takes `buffer[:end]`. Raises MalformedMessage without its comma."""
    if buffer[end - 1 : end] != b",":
        raise MalformedMessage("a message of {} bytes does not end with a comma".format(end))
    return buffer[buffer.index(b":") + 1 : end - 1]


def split_payload(payload: bytes) -> List[Pair]:
    """Return the pairs of a message's payload. Raises MalformedMessage when they are not NUL-terminated pairs."""
    if not payload:
        return []
    fields = payload.split(b"\0")
    if fields.pop() or len(fields) % 2:
        raise MalformedMessage("the fields of a message are not NUL-terminated pairs")
    remaining = iter(fields)
    return list(zip(remaining, remaining))


def split_native(payload: bytes) -> List[str]:
    """Return the fields of a request head, name and value in turn, as PEP 3333's native strings (latin-1).

    Raises MalformedMessage when they are not NUL-terminated pairs.
    """
    fields = payload.decode("latin-1").split("\0")
    if fields.pop() or len(fields) % 2:
        raise MalformedMessage("the fields of a request head are not NUL-terminated pairs")
    return fields


class Decoder:
    """Reads one message that arrives in pieces.

    `feed` each piece until it returns the pairs; `rest` then holds the bytes that came after the message.
    Invariant: no more than the limit, the length and one piece are held.
    """

    def __init__(self, limit: int) -> None:
        """`limit`: the most payload bytes that the message may announce."""
        self.rest = b""
        self._limit = limit
        self._buffer = bytearray()
        self._done = False

    def feed(self, data: bytes) -> Optional[List[Pair]]:
        """Take `data`; return the pairs once the message is complete, else None.

        Raises MalformedMessage, MessageTooLong, and WireError when the message was complete before.
        """
        if self._done:
            raise WireError("the message was complete before these {} bytes".format(len(data)))
        self._buffer += data
        head = bytes(self._buffer[: LENGTH_DIGITS_LIMIT + 1])
        end = message_end(head, self._limit)
        if end is None or len(self._buffer) < end:
            return None
        whole = bytes(self._buffer)
        self._done, self._buffer = True, bytearray()
        self.rest = whole[end:]
        return split_payload(payload_of(whole, end))

    def close(self) -> None:
        """Tell that no more bytes come. Raises IncompleteMessage when the message is not complete."""
        if not self._done:
            raise IncompleteMessage("the line ended after {} bytes of a message".format(len(self._buffer)))


def _to_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _to_text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
