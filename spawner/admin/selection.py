"""Which apps and processes a command means: those that it names, as far as the caller may use them."""

from __future__ import annotations

import posixpath
from typing import Optional

from spawner.admin.command import Arguments, BadCommand, Caller, NotFound, list_argument, text_argument
from spawner.pool.pool import Pool
from spawner.pool.process import Process
from spawner.pool.states import GroupState
from spawner.processes.app_process import AppRegistry
from spawner.processes.launcher import StartError, identity_for


class AppSelection:
    """Finds apps and processes for a caller. Another user's are as absent as those that do not exist."""

    def __init__(self, pool: Pool, registry: AppRegistry) -> None:
        self._pool = pool
        self._registry = registry

    def select(self, arguments: Arguments, caller: Caller) -> list[str]:
        """The keys of the groups that a command names by `app` or `name`; with neither, all that the caller may use.

        :raises NotFound: one that is named does not exist, or is another user's.
        :raises BadCommand: both are given, or one is not what it has to be.
        """
        path, names = text_argument(arguments, "app"), list_argument(arguments, "name")
        if path is not None and names is not None:
            raise BadCommand("name an app by 'app' or by 'name', not by both")
        usable = self.usable_groups(caller)
        if names is not None:
            return [_named(name, usable) for name in dict.fromkeys(names)]
        if path is None:
            return usable
        found = [key for key in usable if is_below(self._registry.groups.entries[key].registration.app_root, path)]
        if not found:
            raise NotFound("no app at or below %s is known" % path)
        return found

    def usable_groups(self, caller: Caller) -> list[str]:
        """The keys of the groups that a caller may see and control, without those that are closing."""
        groups = self._registry.groups.entries.values()
        return [g.key for g in groups if g.state is not GroupState.CLOSING and self.is_usable(g.key, caller)]

    def is_usable(self, key: str, caller: Caller) -> bool:
        """Whether the caller may see and control an app."""
        if caller.privileged:
            return True
        owner = self._owner_of(key)
        return owner is not None and caller.may_use(owner)

    def find_process(self, pid: int, caller: Caller) -> Process:
        """The app process with this pid.

        :raises NotFound: there is none, or it is another user's.
        """
        for process_id in self._registry.processes.with_pid(pid):
            process = self._registry.processes.entry(process_id)
            # One that has not said hello is not known by its pid yet.
            if process is not None and process.pid == pid and self.is_usable(process.key, caller):
                return process
        raise NotFound("no app has a process %d" % pid)

    def _owner_of(self, key: str) -> Optional[int]:
        """The uid that an app runs as, or would run as; None if no user can be found for it."""
        resources, group = self._registry.groups.handle(key), self._registry.groups.entry(key)
        if resources is not None and resources.uid is not None:
            return resources.uid
        if group is None:
            return None
        try:
            return identity_for(group.registration, self._pool.server).uid
        except StartError:
            return None


def is_below(app_root: str, path: str) -> bool:
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
