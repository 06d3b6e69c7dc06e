"""Between the pool, which decides, and the world: events go in, effects are carried out in order."""

from __future__ import annotations

import asyncio
import collections
import time
from typing import Any, Callable, Optional

from spawner.daemon.effect_handlers import EffectHandlers
from spawner.daemon.slow_starts import SlowStarts
from spawner.pool.effects import Effect
from spawner.pool.process import LINGER_SECONDS, describe_status
from spawner.pool.states import ProcessKind
from spawner.processes.app_process import AppProcess
from spawner.processes.orphans import Orphan
from spawner.shared import start_steps
from spawner.start_failure import StartFailure
from spawner.system import linux

_NOT_EXECUTED = (126 << 8, 127 << 8)  # how shells and env(1) say that they could not execute a program

_MOST_WARNINGS = 50  # of one import
_LONGEST_WARNING = 2000  # characters


class EventLoop:
    """Feeds events to the pool and has its effects carried out.

    All of it runs on the loop's thread; nothing in it waits. It is the ProcessEvents of every process.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, carrier: EffectHandlers) -> None:
        self._loop = loop
        self._carrier = carrier
        self._world = carrier.world
        self._pool = carrier.world.pool
        self._draining = False
        self._effects: collections.deque[Effect] = collections.deque()  # one that raises leaves those behind it
        self._deadline: Optional[asyncio.TimerHandle] = None
        self._slow_starts = SlowStarts(loop, carrier.world)
        self.on_idle: Callable[[], None] = lambda: None  # called after events with no effect left to carry out
        self.before_end: Callable[[], None] = lambda: None  # called before the end of a process is fed
        carrier.connect(self, self.feed)

    def feed(self, event: Callable[..., Any], *arguments: Any) -> None:
        """Tell the pool something and carry out what follows from it.

        :param event: a method of the pool that takes the arguments and the time.
        """
        event(*arguments, time.monotonic())
        if self._draining:  # whoever drains carries the new effects out after those that came before
            return
        self._draining = True
        try:
            self._effects.extend(self._pool.take_effects())
            while self._effects:
                self._carrier.carry_out(self._effects.popleft())
                self._effects.extend(self._pool.take_effects())
        finally:
            self._draining = False
        self._carrier.store_changes()
        self._plan()
        self.on_idle()

    def watch_starts(self) -> None:
        """Look after the starts that an earlier spawner has begun, as after those of this one."""
        for entry in self._pool.processes.values():
            if entry.starting:
                self._slow_starts.watch(entry.process_id)

    def close(self) -> None:
        """Feed no deadlines any more."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _plan(self) -> None:
        """Have the next deadline fed."""
        self.close()
        due = self._pool.next_deadline()
        if due is not None:  # the loop's clock is CLOCK_MONOTONIC too
            self._deadline = self._loop.call_at(max(due, time.monotonic() + 0.001), self._tick)

    def _tick(self) -> None:
        self._deadline = None
        now = time.monotonic()
        for process_id in [process.process_id for process in self._pool.processes.values() if process.starting]:
            self._check_start_timeout(process_id, now)
        self.feed(self._pool.tick)

    def _check_start_timeout(self, process_id: int, now: float) -> None:
        """Report a start that took too long with what the process has written so far, which the pool cannot know."""
        entry, process = self._pool.processes.get(process_id), self._world.processes.get(process_id)
        if entry is None or process is None or not entry.starting:
            return
        limit = self._pool.groups[entry.key].registration.options.start_timeout
        if now >= entry.started + limit:
            summary = "not up within %d s (PassengerStartTimeout)" % limit
            detail = self._slow_starts.take(process_id)
            self.feed(self._pool.start_failed, process_id, process.failure(entry.start_step, summary, detail))

    # What processes do: ProcessEvents

    def said_hello(self, process: AppProcess) -> None:
        """A process has come up: one that is to load the app is told so."""
        if process.process_id not in self._pool.processes:
            return
        self._slow_starts.watch(process.process_id)
        self.feed(self._pool.process_hello, process.process_id, process.pid)
        if process.kind is not ProcessKind.WORKER:
            self._carrier.processes.send_load(process)

    def said_loaded(self, process: AppProcess, seconds: str, warnings: list[str]) -> None:
        """A process has imported the app."""
        log = self._world.log
        log.info(3010, "%s: process %d has loaded the app in %s s" % (process.key, process.pid, seconds))
        self._warn(process, warnings)
        if process.process_id in self._pool.processes:
            self.feed(self._pool.process_loaded, process.process_id)

    def _warn(self, process: AppProcess, warnings: list[str]) -> None:
        """What the app's import did that its forks suffer from, once per load, to all who can mend it."""
        group = self._world.groups.get(process.key)
        entry = self._pool.groups.get(process.key)
        if group is None or entry is None or process.kind is not ProcessKind.PRELOADER:
            return  # a direct process shares nothing with any other
        group.warnings = tuple(warning[:_LONGEST_WARNING] for warning in warnings[:_MOST_WARNINGS])
        for warning in group.warnings:
            self._world.log.write("warn", 3011, "%s: %s" % (process.key, warning), entry.registration.error_log)
            if entry.registration.options.app_log_file:
                process.output.add_line("warning: %s" % warning)

    def said_ready(self, process: AppProcess) -> None:
        """A worker accepts connections."""
        if process.process_id in self._pool.processes:
            self.feed(self._pool.worker_ready, process.process_id)

    def said_worn(self, process: AppProcess, requests: int) -> None:
        """A worker has served PassengerMaxRequests."""
        self._world.log.info(3108, "%s: worker %d has served %d requests" % (process.key, process.pid, requests))
        if process.process_id in self._pool.processes:
            self.feed(self._pool.max_requests_reached, process.process_id)

    def said_work_wanted(self, process: AppProcess) -> None:
        """A worker's app has asked for out-of-band work."""
        if process.process_id in self._pool.processes:
            self.feed(self._pool.work_requested, process.process_id)

    def said_work_done(self, process: AppProcess, seconds: str) -> None:
        """A worker has done its out-of-band work."""
        text = "%s: worker %d has done its out-of-band work in %s s"
        self._world.log.info(3109, text % (process.key, process.pid, seconds))
        if process.process_id in self._pool.processes:
            self.feed(self._pool.work_done, process.process_id)

    def start_failed(self, process: AppProcess, failure: StartFailure) -> None:
        """A process says that it cannot come up."""
        self.feed(self._pool.start_failed, process.process_id, failure)

    def forked(self, process: AppProcess, slot: int, pid: int) -> None:
        """A preloader names a worker. It is believed for a child of its own that runs as its user, for nothing else."""
        if any(other.pid == pid for other in self._world.processes.values()):
            return  # it has said hello by now, or this is heard for the second time
        pidfd = linux.open_pidfd(pid)  # before the look: what was looked at is what is signalled
        believed = linux.is_child(pid, process.pid, process.identity.uid)
        worker = self._awaited(process, slot)
        if believed and worker is not None:
            worker.be_named(pid, pidfd, process.output)
            self._slow_starts.watch(worker.process_id)
            self.feed(self._pool.process_forked, worker.process_id, pid)
            return
        if pidfd is not None and believed:
            Orphan(self._loop, pid, pidfd, LINGER_SECONDS)
        elif pidfd is not None:
            linux.close_descriptor(pidfd)

    def fork_failed(self, process: AppProcess, slot: int, summary: str) -> None:
        """A preloader could not fork the worker of a slot."""
        worker = self._awaited(process, slot)
        if worker is not None:
            self.feed(self._pool.start_failed, worker.process_id, worker.failure(start_steps.FORK, summary))

    def _awaited(self, preloader: AppProcess, slot: int) -> Optional[AppProcess]:
        """The worker of a slot that a preloader was to fork, while nothing has been heard of it."""
        for other in self._world.processes.values():
            same = (other.key, other.slot, other.generation) == (preloader.key, slot, preloader.generation)
            theirs = other.preloader_id in (preloader.process_id, None)  # None: an earlier spawner had it forked
            if same and theirs and other.kind is ProcessKind.WORKER and not other.heard:
                return other if other.process_id in self._pool.processes else None
        return None

    def worker_exited(self, process: AppProcess, pid: int, status: int) -> None:
        """A preloader has waited for a worker of its own; it is believed for no other group's."""
        for other in [other for other in self._world.processes.values() if other.pid == pid]:
            if other.key == process.key:
                self._world.reaper.note(pid, status)
                other.status_is_known()

    def take_status(self, pid: int) -> Optional[int]:
        """The exit status of a process, if it is known by now."""
        self._world.reaper.collect()
        return self._world.reaper.take(pid)

    def ended(self, process: AppProcess, status: Optional[int]) -> None:
        """A process has ended; one that was not up yet has failed to start."""
        self.before_end()
        self._slow_starts.take(process.process_id)
        entry = self._pool.processes.get(process.process_id)
        if entry is not None and entry.starting and not entry.killed:
            step, summary = entry.start_step, "the process ended (%s) before it was up" % describe_status(status)
            if not process.heard and status in _NOT_EXECUTED:
                interpreter = next((value for name, value in process.facts if name == "interpreter"), "the interpreter")
                step, summary = start_steps.EXECUTE, "%s could not be executed" % interpreter
            self.feed(self._pool.start_failed, process.process_id, process.failure(step, summary))
        else:
            self.feed(self._pool.process_exited, process.process_id, status)

    def misbehaved(self, process: AppProcess, reason: str) -> None:
        """A process said what it may not; whatever it is, it is no process of ours any more."""
        self._world.log.error(3012, "%s: process %d: %s" % (process.key, process.pid, reason))
        process.kill()
