"""Which of the apps that run is meant by a path, by a name, or by the folder that the user is in."""

from __future__ import annotations

import os
import posixpath
from typing import Any, Callable, Iterable, Optional, Sequence

import click

from spawner.cli.errors import NoSuchApp
from spawner.cli.units import printable

Group = dict[str, Any]  # of the status answer: at least `name` and `app_root`


def named(groups: Sequence[Group], name: str) -> list[Group]:
    """The group of exactly this name.

    :raises NoSuchApp: there is none.
    """
    found = [group for group in groups if group["name"] == name]
    return found or _nothing("No app group is called %s" % name, groups)


def at_path(groups: Sequence[Group], path: str) -> list[Group]:
    """Those whose app root is a path or lies below it; else those in whose app root it lies.

    :param path: relative to the working directory. Symbolic links count both as they are written and as they lead.
    :raises NoSuchApp: there are none.
    """
    for spelled in _spellings(path):
        found = [group for group in groups if _contains(spelled, group["app_root"])]
        if found:
            return found
    return around(groups, path) or _nothing("No app runs from %s or below" % os.path.abspath(path), groups)


def around(groups: Sequence[Group], path: str) -> list[Group]:
    """Those in whose app root a path lies; of app roots inside one another the innermost."""
    for spelled in _spellings(path):
        roots = [group["app_root"] for group in groups if _contains(group["app_root"], spelled)]
        if roots:
            innermost = max(roots, key=len)
            return [group for group in groups if group["app_root"] == innermost]
    return []


def with_prefix(groups: Sequence[Group], prefix: str) -> list[Group]:
    """Those whose app root begins with a text, as Passenger takes it: `/srv/a` also means `/srv/ab`.

    :raises NoSuchApp: there are none.
    """
    text = os.environ.get("PWD", os.getcwd()) if prefix == "." else prefix
    found = [group for group in groups if group["app_root"].startswith(text)]
    return found or _nothing("No app runs whose root begins with %s" % text, groups)


def from_menu(groups: Sequence[Group], ask_for: Callable[[str, int], int]) -> list[Group]:
    """The one that the user picks.

    :param ask_for: shows a question and gives a number between 0 and the other argument.
    :raises NoSuchApp: there is none to pick.
    :raises click.Abort: the user takes none.
    """
    if not groups:
        _nothing("No app runs", groups)
    lines = ["%3d  %s" % (number, printable(group["name"])) for number, group in enumerate(groups, 1)]
    number = ask_for("\n".join(["Which app is to be restarted?", *lines, "  0  none"]), len(groups))
    if number == 0:
        raise click.Abort()
    return [groups[number - 1]]


def _spellings(path: str) -> Iterable[str]:
    """An absolute path as the user's shell knows it, and with every link resolved."""
    shell = os.environ.get("PWD", "")
    here = shell if shell and os.path.realpath(shell) == os.getcwd() else os.getcwd()
    return dict.fromkeys([posixpath.normpath(posixpath.join(here, path)), os.path.realpath(path)])


def _contains(folder: str, path: str) -> bool:
    return path.rstrip("/") == folder.rstrip("/") or path.startswith(folder.rstrip("/") + "/")


def _nothing(reason: str, groups: Sequence[Group], ) -> list[Group]:
    raise NoSuchApp("%s. %s" % (reason, listing(groups)))


def listing(groups: Sequence[Group], limit: Optional[int] = 30) -> str:
    """The apps that run, for an error's message."""
    if not groups:
        return "No app of yours is known: an app is known from its first request after Apache's start on."
    names = [printable(group["name"]) for group in groups[:limit]]
    more = ["... and %d more" % (len(groups) - len(names))] * (len(groups) > len(names))
    return "Apps that are known:\n  " + "\n  ".join(names + more)
