"""What an app's process has started ends with it, however it tries to get out of sight."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable, Coroutine, Iterator, Optional

import pytest

from spawner.logs.log import Log
from spawner.options import AppOptions
from spawner.processes import process_tree
from spawner.processes.app_cgroups import AppCgroups
from spawner.processes.process_tree import ProcessTree, ProcessTrees
from spawner.system import cgroups, linux
from spawner.system.cgroups import Cgroup

#: Forks into sessions of their own, again and again, so that no list of pids is true for longer than a moment.
RESTLESS = """
import os, time
print("begun", flush=True)
while True:
    if os.fork() == 0:
        os.setsid()
    else:
        time.sleep(0.002)
        os._exit(0)
"""
#: Leaves a child in its session and ends.
LEAVES_A_CHILD = """
import os, time
if os.fork() == 0:
    print("begun", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def folder() -> Iterator[Optional[Path]]:
    """The cgroup of an instance; None where this machine does not let us have one."""
    found = cgroups.make_folder(f"httpd-{os.getpid()}-test")
    yield found
    if found is not None:
        assert list(found.glob("*/")) == []
        found.rmdir()


def play(act: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(act(), 30))


def make_trees(folder: Optional[Path]) -> ProcessTrees:
    loop = asyncio.get_running_loop()
    return ProcessTrees(loop, AppCgroups(loop, Log(), folder))


def begin(trees: ProcessTrees, program: str) -> tuple[ProcessTree, "subprocess.Popen[bytes]"]:
    with trees.new(trees.apps.prepare("shop", AppOptions())) as tree:
        child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, start_new_session=True)
    tree.session, tree.uid = child.pid, os.getuid()
    assert child.stdout is not None
    assert child.stdout.readline() == b"begun\n"
    return tree.acquire(), child


async def is_over(child: "subprocess.Popen[bytes]") -> None:
    """Wait until nobody holds the pipe any more."""
    assert child.stdout is not None
    await asyncio.get_running_loop().run_in_executor(None, child.stdout.read)
    child.stdout.close()
    child.wait()


async def cgroup_is_gone(tree: ProcessTree) -> None:
    while tree.cgroup is not None and tree.cgroup.folder.exists():
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("with_cgroup", [True, False])
def test_what_is_left_of_an_app_that_did_not_come_up_is_ended_at_once(
    with_cgroup: bool, folder: Optional[Path]
) -> None:
    async def act() -> None:
        trees = make_trees(folder if with_cgroup else None)
        tree, child = begin(trees, LEAVES_A_CHILD)
        tree.release()
        await is_over(child)
        await cgroup_is_gone(tree)

    play(act)


def test_a_process_that_forks_into_new_sessions_all_the_time_does_not_get_out_of_its_cgroup(
    folder: Optional[Path],
) -> None:
    if folder is None:
        pytest.skip("this machine lets us have no cgroup")

    async def act() -> None:
        trees = make_trees(folder)
        tree, child = begin(trees, RESTLESS)
        tree.release()
        await is_over(child)
        await cgroup_is_gone(tree)

    play(act)


def test_what_a_worker_has_started_gets_some_time_to_end(
    folder: Optional[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_tree, "GRACE", 0.3)

    async def act() -> None:
        trees = make_trees(folder)
        tree, child = begin(trees, LEAVES_A_CHILD)
        tree.has_served = True
        tree.release()
        assert not tree.is_empty()
        await is_over(child)
        await cgroup_is_gone(tree)

    play(act)


def test_a_tree_goes_when_the_last_of_its_processes_goes(folder: Optional[Path]) -> None:
    async def act() -> None:
        trees = make_trees(folder)
        tree, child = begin(trees, LEAVES_A_CHILD)
        tree.acquire()
        tree.release()
        assert not tree.is_empty()
        tree.release()
        await is_over(child)
        await cgroup_is_gone(tree)

    play(act)


def test_the_next_spawner_finds_the_trees_and_ends_those_that_nothing_belongs_to(
    folder: Optional[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    if folder is None:
        pytest.skip("this machine lets us have no cgroup")
    monkeypatch.setattr(process_tree, "GRACE", 0.0)

    async def act() -> None:
        before = make_trees(folder)
        kept, child = begin(before, "print('begun', flush=True); import time; time.sleep(600)")
        other, left = begin(before, LEAVES_A_CHILD)
        after = make_trees(folder)
        app = after.apps.prepare("shop", AppOptions())
        known: dict[Path | int, ProcessTree] = {}
        found = after.find(child.pid, os.getuid(), known, app).acquire()
        assert after.find(child.pid, os.getuid(), known, app) is found
        assert found.cgroup is not None
        assert kept.cgroup is not None
        assert found.cgroup.folder == kept.cgroup.folder
        after.end_others(known)
        await is_over(left)
        await cgroup_is_gone(other)
        assert child.poll() is None
        os.kill(child.pid, signal.SIGKILL)
        found.release()
        await is_over(child)
        await cgroup_is_gone(found)

    play(act)


def test_at_the_end_everything_goes(folder: Optional[Path]) -> None:
    async def act() -> None:
        trees = make_trees(folder)
        tree, child = begin(trees, LEAVES_A_CHILD)
        tree.has_served = True
        tree.release()
        trees.close()
        if tree.cgroup is None:
            os.killpg(child.pid, signal.SIGKILL)
        await is_over(child)
        while not trees.remove_cgroups():
            await asyncio.sleep(0.01)
        if folder is not None:
            folder.mkdir()

    play(act)


def test_a_start_that_fails_leaves_no_cgroup_and_this_process_where_it_was(folder: Optional[Path]) -> None:
    async def act() -> None:
        before = Path("/proc/self/cgroup").read_text()
        trees = make_trees(folder)
        with contextlib.suppress(FileNotFoundError), trees.new(trees.apps.prepare("shop", AppOptions())):
            subprocess.Popen(["/no/such/program"])
        assert Path("/proc/self/cgroup").read_text() == before
        assert folder is None or list(folder.glob("*/")) == []

    play(act)


def test_without_cgroups_a_session_of_another_user_is_left_alone() -> None:
    async def act() -> None:
        trees = make_trees(None)
        tree, child = begin(trees, LEAVES_A_CHILD)
        tree.uid = os.getuid() + 1
        assert tree.is_empty()
        tree.uid = os.getuid()
        tree.release()
        await is_over(child)

    play(act)


def test_a_kernel_without_cgroup_kill_ends_the_processes_one_by_one(
    folder: Optional[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    if folder is None:
        pytest.skip("this machine lets us have no cgroup")
    cgroup = Cgroup.make(folder)
    with cgroup.joined():
        child = subprocess.Popen(["sleep", "600"])
    assert cgroup.pids() == [child.pid]
    original = Path.write_text

    def write(path: Path, text: str) -> int:
        if path.name == "cgroup.kill":
            raise FileNotFoundError(path)
        return original(path, text)

    monkeypatch.setattr(Path, "write_text", write)
    cgroup.kill()
    assert child.wait() == -signal.SIGKILL
    while not cgroup.remove():
        pass
    assert linux.is_zombie(child.pid)


def test_the_cgroups_of_an_instance_that_was_killed_go_with_the_next_start(folder: Optional[Path]) -> None:
    if folder is None:
        pytest.skip("this machine lets us have no cgroup")
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    stale = folder.with_name(f"jumpseat-httpd-{gone.pid}")
    Cgroup.make(_made(stale))
    alive = _made(folder.with_name(f"jumpseat-httpd-{os.getppid()}"))
    assert cgroups.make_folder(f"httpd-{os.getpid()}-test") == folder
    assert (stale.exists(), alive.exists()) == (False, True)
    alive.rmdir()


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


class Undying(ProcessTree):
    """A tree that is never empty."""

    kills = 0

    def kill(self) -> bool:
        self.kills += 1
        return False

    def is_empty(self) -> bool:
        return False


def test_what_cannot_be_killed_is_tried_a_hundred_times_in_five_seconds_and_then_left_to_the_end_of_httpd() -> None:
    later: list[tuple[float, Any]] = []
    loop: Any = SimpleNamespace(call_later=lambda seconds, *call: later.append((seconds, call)))
    trees = ProcessTrees(loop, AppCgroups(loop, Log(), None))
    tree, seconds = Undying(trees, None), 0.0
    trees.end(tree)
    while later:
        pause, (action, *arguments) = later.pop()
        seconds += pause
        action(*arguments)
    assert (tree.kills, round(seconds, 2)) == (100, 4.95)
    assert not trees._ending


def test_what_has_served_gets_ten_seconds_to_end_once_however_often_its_end_is_told() -> None:
    later: list[float] = []
    loop: Any = SimpleNamespace(call_later=lambda seconds, *call: later.append(seconds))
    trees = ProcessTrees(loop, AppCgroups(loop, Log(), None))
    tree = Undying(trees, None)
    tree.has_served = True
    trees.end(tree)
    assert (later, tree.kills) == ([10.0], 0)
