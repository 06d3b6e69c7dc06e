"""Takes a command's fields apart: types are checked here, so that commands can rely on them."""

from __future__ import annotations

from typing import Any, Optional, Sequence

from spawner.admin.commands.refusals import BadCommand


def text(question: dict[str, Any], name: str) -> Optional[str]:
    """A field that is text or absent (or null).

    :raises BadCommand: it is something else.
    """
    value = question.get(name)
    if value is not None and not isinstance(value, str):
        raise BadCommand("%r is to be text" % name)
    return value


def texts(question: dict[str, Any], name: str) -> Optional[list[str]]:
    """A field that is text or a list of texts, or absent.

    :raises BadCommand: it is something else.
    """
    value = question.get(name)
    if value is None:
        return None
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(one, str) for one in values):
        raise BadCommand("%r is to be text, or a list of texts" % name)
    return values


def choice(question: dict[str, Any], name: str, allowed: Sequence[str]) -> Optional[str]:
    """A field that is one of some words, or absent.

    :raises BadCommand: it is something else.
    """
    value = text(question, name)
    if value is not None and value not in allowed:
        raise BadCommand("%r is to be one of: %s" % (name, ", ".join(allowed)))
    return value


def flag(question: dict[str, Any], name: str) -> bool:
    """A field that is true, false or absent, which means false.

    :raises BadCommand: it is something else.
    """
    value = question.get(name, False)
    if not isinstance(value, bool):
        raise BadCommand("%r is to be true or false" % name)
    return value


def process_number(question: dict[str, Any], name: str) -> Optional[int]:
    """A field that is a process's pid, or absent.

    :raises BadCommand: it is something else.
    """
    value = question.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise BadCommand("%r is to be a pid" % name)
    return value
