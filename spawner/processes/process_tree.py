"""Everything that an interpreter of an app has started, whatever it did to get out of sight: it ends with the app.

Where the machine has cgroups of the second version and lets us use them, each interpreter starts in one of its own,
below that of its app, and the kernel ends all that is in it. Elsewhere the process groups of its session are ended; a
process that has made a session of its own is out of reach until httpd ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path
from typing import Iterator, Optional

import psutil

from spawner.processes.app_cgroups import AppCgroup, AppCgroups
from spawner.system import linux
from spawner.system.cgroups import Cgroup

#: Seconds for what workers have started to end by itself, such as a program that sends a mail.
GRACE = 10.0
_RETRY = 0.05  # seconds between two attempts
_MOST_ATTEMPTS = 100  # then it is left to the end of httpd


class ProcessTree:
    """What one interpreter has started, workers included. It ends when none of its processes is known any more.

    Invariant: `_holders` is how many AppProcesses and stray workers belong to it.

    :ivar app: the cgroup of its app; None: it is not known.
    :ivar session: of the interpreter, which was started in one of its own; 0: not known yet.
    :ivar uid: of its user.
    :ivar has_served: whether a process of it has come up: what it has started gets some time to end.
    """

    def __init__(self, trees: ProcessTrees, cgroup: Optional[Cgroup], app: Optional[AppCgroup] = None) -> None:
        self.cgroup = cgroup
        self.app = app
        self.session = 0
        self.uid = -1
        self.has_served = False
        self._trees = trees
        self._holders = 0

    def acquire(self) -> ProcessTree:
        """One process more belongs to it."""
        self._holders += 1
        return self

    def release(self) -> None:
        """One process less: it has ended, or does not count any more."""
        self._holders -= 1
        if self._holders == 0:
            self._trees.end(self)

    def kill(self) -> bool:
        """SIGKILL what is left.

        :returns: whether nothing was.
        """
        if self.cgroup is not None:
            if self.cgroup.remove():
                self._trees.remove_app_cgroup(self.cgroup)
                return True
            self.cgroup.kill()
            return False
        groups = self._process_groups()
        for group in groups:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGKILL)
        return not groups

    def count_oom_kills(self) -> int:
        """How many processes of the app the kernel has killed for PassengerAppMemoryLimit since this was asked last."""
        return self._trees.apps.look(self.app) if self.app is not None else 0

    def is_empty(self) -> bool:
        """Whether nothing is left."""
        return not (self.cgroup.pids() if self.cgroup is not None else self._process_groups())

    def _process_groups(self) -> set[int]:
        """The process groups of its session. A group is signalled as one, so that no fork escapes."""
        found: set[int] = set()
        for pid in psutil.pids() if self.session else ():
            with contextlib.suppress(OSError):
                if os.getsid(pid) == self.session and not linux.is_zombie(pid) and linux.runs_as(pid, self.uid):
                    found.add(os.getpgid(pid))
        return found - {os.getpgid(0)}


class ProcessTrees:
    """All of them.

    :param apps: the cgroups of the apps.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, apps: AppCgroups) -> None:
        self.apps = apps
        self._loop = loop
        self._folder = apps.folder
        self._ending: dict[ProcessTree, asyncio.TimerHandle] = {}

    @contextlib.contextmanager
    def new(self, app: AppCgroup) -> Iterator[ProcessTree]:
        """A tree; the interpreter that is started within the block is its root. It ends if the block raises.

        Where the app has limits, the interpreter has to enter the cgroup itself (`StartLimits.cgroup`): within the
        block this process would count against them.
        """
        with contextlib.ExitStack() as on_failure:
            with contextlib.ExitStack() as membership:
                tree = ProcessTree(self, self._join_new(app, membership), app)
                on_failure.callback(self._end, tree, _MOST_ATTEMPTS)
                yield tree
            on_failure.pop_all()

    def _join_new(self, app: AppCgroup, stack: contextlib.ExitStack) -> Optional[Cgroup]:
        """Make a cgroup and join it; None if the machine has as many as it may have: the session has to do."""
        folder = app.make()
        if folder is None:
            return None
        try:
            cgroup = Cgroup.make(folder)
        except OSError:
            return None
        try:
            if not app.limited:
                stack.enter_context(cgroup.joined())
        except OSError:
            cgroup.remove()
            return None
        return cgroup

    def find(self, pid: int, uid: int, known: dict[Path | int, ProcessTree], app: AppCgroup) -> ProcessTree:
        """The tree of a process that an earlier spawner has started.

        :param pid: 0: it is not known.
        :param uid: the process's.
        :param known: those that were found before, by cgroup or session; this one is added.
        """
        cgroup = Cgroup.of_process(pid, self._folder) if self._folder is not None and pid else None
        session = 0
        with contextlib.suppress(OSError):
            session = os.getsid(pid) if pid else 0
        tree = ProcessTree(self, cgroup, app)
        if cgroup is not None or session:
            tree = known.setdefault(session if cgroup is None else cgroup.folder, tree)
        tree.session, tree.uid, tree.has_served = session, uid, True
        return tree

    def end_others(self, known: dict[Path | int, ProcessTree]) -> None:
        """End what an earlier spawner has left in cgroups of which no process is known any more.

        :param known: the trees that have processes.
        """
        for cgroup in self._cgroups():
            if cgroup.folder not in known:
                tree = ProcessTree(self, cgroup)
                tree.has_served = True
                self.end(tree)

    def _cgroups(self) -> list[Cgroup]:
        if self._folder is None:
            return []
        return [Cgroup(folder) for folder in self._folder.glob("app-*/*/")]

    def remove_app_cgroup(self, cgroup: Cgroup) -> None:
        """An interpreter's cgroup is gone: that of its app goes with the last one."""
        if cgroup.folder.parent != self._folder:
            Cgroup(cgroup.folder.parent).remove()

    def end(self, tree: ProcessTree) -> None:
        """End what is left of a tree: at once if the app has not come up, else after a while."""
        if tree.has_served and tree not in self._ending and not tree.is_empty():
            self._ending[tree] = self._loop.call_later(GRACE, self._end, tree, _MOST_ATTEMPTS)
        else:
            self._end(tree, _MOST_ATTEMPTS)

    def _end(self, tree: ProcessTree, attempts: int) -> None:
        self._ending.pop(tree, None)
        if not tree.kill() and attempts > 1:
            self._ending[tree] = self._loop.call_later(_RETRY, self._end, tree, attempts - 1)

    def close(self) -> None:
        """httpd has ended: kill everything at once, that of earlier spawners included, and remove the cgroups."""
        self.apps.close()
        for timer in self._ending.values():
            timer.cancel()
        self._ending.clear()
        for cgroup in self._cgroups():
            cgroup.kill()

    def remove_cgroups(self) -> bool:
        """Remove what `close` has emptied.

        :returns: whether all are gone.
        """
        gone = [cgroup.remove() for cgroup in self._cgroups()]
        if self._folder is None or not all(gone):
            return all(gone)
        apps = [Cgroup(folder).remove() for folder in self._folder.glob("app-*/")]
        return all(apps) and Cgroup(self._folder).remove()
