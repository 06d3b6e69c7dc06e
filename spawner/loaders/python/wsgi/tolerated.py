"""What PEP 3333 does not allow and Passenger accepts, from apps that have always run there: it is taken as it is meant.

Each kind is told once: the worker passes the text to the spawner, which logs it once for a release (docs/protocol.md,
section 5, `warning`). Nothing of this costs a response that keeps to the rules.
"""

from typing import Any, Callable, List, Set

from ..core.loader_errors import InvalidResponse

_MOST_TOLD = 50  # of a process

_told: Set[str] = set()
_untold: List[str] = []
_wake: List[Callable[[], None]] = []


def set_waker(wake: Callable[[], None]) -> None:
    """`wake`: makes the worker look at `take_warnings`; any thread may call it."""
    _wake[:] = [wake]


def take_warnings() -> List[str]:
    """Return what has not been told yet; it counts as told from now on."""
    texts = _untold[:]
    del _untold[: len(texts)]
    return texts


def warn(text: str) -> None:
    """Have `text` told once for a release. Any thread may call it."""
    if text not in _told and len(_told) < _MOST_TOLD:
        _told.add(text)
        _untold.append(text)
        for wake in _wake:
            wake()


def header_value(name: str, value: Any) -> str:
    """Return the text of a header's value that is no str. Raises InvalidResponse for what has no obvious text."""
    kind = type(value).__name__
    if isinstance(value, (bytes, bytearray)):
        text = bytes(value).decode("latin-1")
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        text = str(value)
    else:
        raise InvalidResponse("the value of the header {} is of type {}, not str".format(name[:100], kind))
    warn("the value of the header {} is of type {}, not str as PEP 3333 asks".format(name[:100], kind))
    return text


def body_block(data: Any) -> bytes:
    """Return the bytes of a block of the body that is no bytes. Raises InvalidResponse."""
    kind = type(data).__name__
    if isinstance(data, str):
        try:
            block = data.encode("latin-1")
        except UnicodeEncodeError as error:
            what = "a block of the body is of type str, not bytes, and holds a character beyond latin-1: {!r}"
            raise InvalidResponse(what.format(data[error.start : error.start + 1])) from error
    elif isinstance(data, (bytearray, memoryview)):
        block = bytes(data)
    else:
        raise InvalidResponse("a block of the body is of type {}, not bytes".format(kind))
    warn("a block of the body is of type {}, not bytes as PEP 3333 asks".format(kind))
    return block
