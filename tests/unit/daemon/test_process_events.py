"""What processes report, with fakes for the parts that act on it: whom it concerns, and that no descriptor is left."""

from __future__ import annotations

import asyncio
import os
import subprocess
from types import SimpleNamespace
from typing import Any, Iterator

import pytest

from spawner.daemon.process_events import ProcessEventHandlers
from spawner.pool.registry import Registry
from spawner.pool.states import ProcessKind
from spawner.system import linux


class Awaited:
    """A worker that is on its way up and takes the pid that its preloader reports."""

    def __init__(self) -> None:
        self.process_id, self.kind, self.hello_received = 2, ProcessKind.WORKER, False
        self.slot, self.generation, self.preloader_id = 0, 1, 1
        self.pidfds: list[int] = []

    def set_forked_pid(self, pid: int, pidfd: int, output: object) -> None:
        self.pidfds.append(pidfd)


class Scene:
    """A preloader with the pid of this test, whose children are verified as its own, and one awaited worker."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.worker = Awaited()
        identity = SimpleNamespace(uid=os.getuid())
        self.preloader: Any = SimpleNamespace(
            process_id=1, pid=os.getpid(), key="app", generation=1, identity=identity, output=None, tree=None
        )
        self.registry: Any = Registry()
        self.registry.groups.enter("app", SimpleNamespace(processes=[1, 2], registration=SimpleNamespace(error_log="")))
        self.resources = SimpleNamespace(tolerated=set(), tolerated_generation=0)
        self.registry.groups.attach("app", self.resources)
        for process in (self.preloader, self.worker):
            self.registry.processes.attach(process.process_id, process)
        self.preloader.kind = ProcessKind.PRELOADER
        timeouts: Any = SimpleNamespace(capture_if_late=lambda _: None)
        unused: Any = SimpleNamespace(process_forked=None)
        self.lines: list[str] = []
        log: Any = SimpleNamespace(write=lambda level, number, text, name: self.lines.append(text))
        self.events = ProcessEventHandlers(
            loop, unused, self.registry, lambda *_: None, log, unused, timeouts, unused, unused, lambda: None
        )

    def report(self, pid: int, slot: int = 0) -> None:
        self.events.on_forked(self.preloader, slot, pid)


@pytest.fixture
def child() -> Iterator[int]:
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process.pid
        process.kill()


def left_open(child: int, *reports: tuple[str, int]) -> tuple[int, Scene]:
    """How many more descriptors are open after these reports: of whom, for which slot."""

    async def act() -> tuple[int, Scene]:
        scene = Scene(asyncio.get_running_loop())
        pids = {"child": child, "init": 1, "nobody": 2**22 + 1}
        before = len(os.listdir("/proc/self/fd"))
        for name, slot in reports:
            scene.report(pids[name], slot)
        return len(os.listdir("/proc/self/fd")) - before, scene

    return asyncio.run(act())


@pytest.mark.parametrize("slot", [0, 7])
@pytest.mark.parametrize("whose", ["init", "nobody"])
def test_a_report_that_is_not_believed_leaves_no_descriptor_open(child: int, whose: str, slot: int) -> None:
    count, scene = left_open(child, *[(whose, slot)] * 5)
    assert (count, scene.worker.pidfds) == (0, [])


def test_the_awaited_worker_gets_the_one_descriptor_of_its_process(child: int) -> None:
    count, scene = left_open(child, ("child", 0))
    assert (count, len(scene.worker.pidfds)) == (1, 1)
    os.close(scene.worker.pidfds[0])


def test_a_worker_that_nobody_waits_for_costs_one_descriptor_until_it_has_ended(child: int) -> None:
    async def act() -> None:
        scene = Scene(asyncio.get_running_loop())
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            scene.report(child, slot=7)
        assert len(os.listdir("/proc/self/fd")) == before + 1
        linux.signal_process(child, None, 9)
        while len(os.listdir("/proc/self/fd")) > before:
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(act(), 20))


def test_a_process_that_was_announced_already_is_not_looked_at_again(child: int) -> None:
    async def act() -> None:
        scene = Scene(asyncio.get_running_loop())
        scene.registry.processes.set_pid(2, child)
        before = len(os.listdir("/proc/self/fd"))
        scene.report(child)
        assert (len(os.listdir("/proc/self/fd")), scene.worker.pidfds) == (before, [])

    asyncio.run(act())


def test_warnings_of_one_release_are_logged_once_each_and_up_to_a_bound() -> None:
    async def act() -> Scene:
        scene = Scene(asyncio.get_running_loop())
        for number in (1, 1, *range(1000)):
            scene.events.on_warning(scene.preloader, "warning %d" % number)
        return scene

    scene = asyncio.run(act())
    assert (len(scene.lines), len(scene.resources.tolerated)) == (50, 50)
    scene.preloader.generation = 2
    scene.events.on_warning(scene.preloader, "warning 1")
    assert (len(scene.lines), scene.resources.tolerated) == (51, {"warning 1"})
