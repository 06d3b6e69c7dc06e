"""Which apps a command concerns: those that it names and that the caller may use."""

from __future__ import annotations

import posixpath
from typing import Any, Optional

from spawner.admin.commands import fields
from spawner.admin.commands.command import Caller
from spawner.admin.commands.refusals import BadCommand, NotFound
from spawner.daemon.world import World
from spawner.pool.process import Process
from spawner.pool.states import GroupState
from spawner.processes.launcher import StartError, identity_for


def select(world: World, question: dict[str, Any], caller: Caller) -> list[str]:
    """The keys of the groups that a question names by `app` or `name`; all that the caller may use with neither.

    :raises NotFound: one that was named is not there, or is somebody else's, which is said in the same words.
    :raises BadCommand: both are given, or neither is what it has to be.
    """
    path, names = fields.text(question, "app"), fields.texts(question, "name")
    if path is not None and names is not None:
        raise BadCommand("name an app by 'app' or by 'name', not by both")
    usable = usable_groups(world, caller)
    if names is not None:
        return [_named(name, usable) for name in dict.fromkeys(names)]
    if path is None:
        return usable
    found = [key for key in usable if lies_below(world.pool.groups[key].registration.app_root, path)]
    if not found:
        raise NotFound("no app at or below %s is known" % path)
    return found


def usable_groups(world: World, caller: Caller) -> list[str]:
    """The keys of the groups that a caller may see and control, but for those that end."""
    groups = world.pool.groups.values()
    return [g.key for g in groups if g.state is not GroupState.CLOSING and is_usable(world, g.key, caller)]


def is_usable(world: World, key: str, caller: Caller) -> bool:
    """Whether an app is the caller's to see and to control."""
    if caller.privileged:
        return True
    owner = owner_of(world, key)
    return owner is not None and caller.may_use(owner)


def owner_of(world: World, key: str) -> Optional[int]:
    """The uid that an app runs as, or would run as; None where it has none that could be told."""
    group, entry = world.groups.get(key), world.pool.groups.get(key)
    if group is not None and group.uid is not None:
        return group.uid
    if entry is None:
        return None
    try:
        return identity_for(entry.registration, world.pool.server).uid
    except StartError:
        return None


def find_process(world: World, pid: int, caller: Caller) -> Process:
    """The app process with this pid.

    :raises NotFound: there is none, or it is somebody else's.
    """
    for process in world.pool.processes.values():
        if process.pid == pid and is_usable(world, process.key, caller):
            return process
    raise NotFound("no app has a process %d" % pid)


def lies_below(app_root: str, path: str) -> bool:
    """Whether an app root is a path or lies below it: `/srv/a` is below `/srv`, `/srv/ab` is not below `/srv/a`.

    :raises BadCommand: the path is not absolute.
    """
    if not path.startswith("/"):
        raise BadCommand("'app' is to be an absolute path")
    folder = posixpath.normpath(path).rstrip("/")
    return app_root.rstrip("/") == folder or app_root.startswith(folder + "/")


def _named(name: str, usable: list[str]) -> str:
    if name not in usable:
        raise NotFound("no app group is called %s" % name)
    return name
