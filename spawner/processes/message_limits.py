"""How much a process may say (docs/protocol.md, section 5): an app's code can write on its control line what it likes.

Everything that the spawner keeps, logs or shows of a message was cut here first. Our own loaders stay far below.
"""

from __future__ import annotations

from collections import Counter
from typing import Iterable

Fields = list[tuple[str, str]]

#: Characters of a field's value. Names that are not here are those of no message.
LONGEST: dict[str, int] = {
    "type": 40,
    # hello, loaded, ready
    "runtime": 100,
    "executable": 4096,
    "seconds": 20,
    "warning": 2000,
    "capabilities": 1000,
    "route": 100,
    # failed
    "step": 40,
    "summary": 4096,
    "traceback": 32_768,
    "cwd": 4096,
    "search_path": 4096,
    "exceptions": 131_072,
    # forked, fork_failed, exited
    "slot": 20,
    "pid": 20,
    "status": 20,
    # of workers
    "requests": 20,
    "text": 2000,
}
#: How many fields of one name count. Of the others it is one.
MOST: dict[str, int] = {"warning": 51, "search_path": 200}

_VARIABLE = "env:"
_LONGEST_VARIABLE = 500
_LONGEST_VARIABLE_NAME = 200
_MOST_VARIABLES = 400


def cut(fields: Iterable[tuple[str, str]]) -> Fields:
    """The fields of a message with what is too long cut off, and without what is too much or unknown.

    :param fields: as they came.
    """
    kept: Fields = []
    counts: Counter[str] = Counter()
    for name, value in fields:
        kind = _VARIABLE if name.startswith(_VARIABLE) else name
        counts[kind] += 1
        if counts[kind] <= _most(kind):
            kept.extend(_cut_field(kind, name, value))
    return kept


def _most(kind: str) -> int:
    return _MOST_VARIABLES if kind == _VARIABLE else MOST.get(kind, 1)


def _cut_field(kind: str, name: str, value: str) -> Fields:
    if kind == _VARIABLE:
        return [(name[:_LONGEST_VARIABLE_NAME], value[:_LONGEST_VARIABLE])]
    if kind not in LONGEST:
        return []
    longest = LONGEST[kind]
    return [(name, value[-longest:] if kind == "traceback" else value[:longest])]  # the end of a traceback says most
