"""The cgroup of each app: what its directives allow all of its processes together, whatever their release.

`<instance>/app-<digest>/<interpreter>`. The limits are those of the middle one, so they hold for a preloader, its
workers and what these start, and for the old and the new release of a restart together.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Optional

from spawner.logs.log import Log
from spawner.options import AppOptions
from spawner.processes.app_limits import CGROUP_LIMITS, MEMORY, CgroupLimit
from spawner.system.cgroups import NoController, enable_controller

_INTERVAL = 5.0  # seconds between two looks at what the kernel has refused to apps
_REPORT_INTERVAL = 60.0  # seconds in which an app that cannot start processes is told of once
_REMEDY = "Delegate=cpu memory pids for Apache's unit, see docs/shared-hosting.md"


@dataclass
class AppCgroup:
    """One app's.

    :ivar folder: None where there are no cgroups.
    :ivar options: the directives that it was set up for.
    :ivar without_effect: why a directive has no effect, by its name.
    """

    key: str
    folder: Optional[Path]
    options: AppOptions = AppOptions()
    without_effect: dict[str, str] = field(default_factory=dict)
    _seen: dict[str, int] = field(default_factory=dict)
    _refused: int = 0
    _next_report: float = 0.0

    @property
    def limited(self) -> bool:
        """Whether the kernel enforces one of its limits."""
        wanted = [limit.directive for limit in CGROUP_LIMITS if limit.value(self.options)]
        return any(directive not in self.without_effect for directive in wanted)

    def make(self) -> Optional[Path]:
        """Make its folder, or find it. None where there are no cgroups, or no more."""
        if self.folder is not None:
            with contextlib.suppress(OSError):
                self.folder.mkdir(exist_ok=True)
                return self.folder
        return None

    def set(self, limit: CgroupLimit, enable: Callable[[str], None]) -> None:
        """Tell the kernel a limit, or that there is none any more.

        :param enable: makes a controller usable.
        :raises NoController: it cannot be.
        """
        if self.folder is None:
            raise NoController("Apache may not use cgroups of version 2 here")
        path = self.folder / limit.file
        if not limit.value(self.options) and not path.exists():
            return
        enable(limit.controller)
        try:
            path.write_text(limit.text(self.options))
            swap = self.folder / "memory.swap.max"
            if limit is MEMORY and swap.exists():
                swap.write_text("0" if limit.value(self.options) else "max")
        except OSError as error:
            raise NoController("%s: %s" % (error.filename or path, error.strerror or error)) from error

    def count_new(self, file: str, name: str) -> int:
        """How often something has happened since this was asked last; the first time it is what was before: 0."""
        try:
            lines = (self.folder or Path("/")).joinpath(file).read_text(encoding="ascii").split("\n")
            now = next(int(line.split()[1]) for line in lines if line.startswith(name + " "))
        except (OSError, StopIteration, ValueError, IndexError):
            return 0
        before, self._seen[name] = self._seen.get(name, now), now
        return max(0, now - before)

    def count_kills(self) -> int:
        """How many processes the kernel has killed for the app's limit: not for want of the machine's memory."""
        at_limit, kills = self.count_new("memory.events", "oom"), self.count_new("memory.events", "oom_kill")
        return kills if at_limit else 0

    def report_refused(self, now: float) -> int:
        """How many starts of processes the kernel has refused; 0: none, or it was told a short time ago."""
        self._refused += self.count_new("pids.events", "max")
        if not self._refused or now < self._next_report:
            return 0
        refused, self._refused, self._next_report = self._refused, 0, now + _REPORT_INTERVAL
        return refused


class AppCgroups:
    """All of them. Has no timer while no app has a limit.

    :param folder: the cgroup of the instance; None where there is none.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, log: Log, folder: Optional[Path]) -> None:
        self.folder = folder
        self._loop = loop
        self._log = log
        self._apps: dict[str, AppCgroup] = {}
        self._said: set[tuple[str, str]] = set()  # directives, and why they have no effect
        self._timer: Optional[asyncio.TimerHandle] = None

    def prepare(self, key: str, options: AppOptions) -> AppCgroup:
        """Set the limits of an app whose next interpreter is about to start. Those of running ones change with them.

        What cannot be enforced is logged; the app starts without it.
        """
        app = self._find(key)
        self.look(app)  # for the limits that have held until now
        app.options = options
        app.make()
        app.without_effect = {}
        for limit in CGROUP_LIMITS:
            try:
                app.set(limit, self._enable)
            except NoController as error:
                if limit.value(options):
                    app.without_effect[limit.directive] = str(error)
                    self._say_without_effect(limit.directive, app, str(error))
        self.look(app)
        self._watch()
        return app

    def _enable(self, controller: str) -> None:
        if self.folder is not None:
            enable_controller(controller, self.folder)

    def _say_without_effect(self, directive: str, app: AppCgroup, reason: str) -> None:
        """Once: what is in the way of one app is in the way of all."""
        if (directive, reason) not in self._said:
            self._said.add((directive, reason))
            text = "a limit has no effect: %s, here of %s: %s; %s"
            self._log.warn(3114, text % (directive, app.key, reason, _REMEDY))

    def _find(self, key: str) -> AppCgroup:
        digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()[:16]
        folder = self.folder / ("app-" + digest) if self.folder is not None else None
        return self._apps.setdefault(key, AppCgroup(key, folder))

    def forget(self, key: str) -> None:
        """There is no such app any more."""
        self._apps.pop(key, None)

    def look(self, app: AppCgroup) -> int:
        """Log what the kernel has done to an app for its limits since the last look.

        :returns: how many of its processes it has killed.
        """
        kills = app.count_kills()
        if kills and app.options.app_memory_limit:
            text = "out of memory by PassengerAppMemoryLimit %d: the kernel has killed %d processes of %s"
            self._log.warn(3115, text % (app.options.app_memory_limit, kills, app.key))
        refused = app.report_refused(self._loop.time())
        if refused and app.options.app_process_limit:
            text = "too many processes by PassengerAppProcessLimit %d: the kernel has refused %d starts of %s"
            self._log.warn(3116, text % (app.options.app_process_limit, refused, app.key))
        return kills

    def _watch(self) -> None:
        if self._timer is None and any(app.limited for app in self._apps.values()):
            self._timer = self._loop.call_later(_INTERVAL, self._look_again)

    def _look_again(self) -> None:
        self._timer = None
        for app in self._apps.values():
            self.look(app)
        self._watch()

    def close(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
