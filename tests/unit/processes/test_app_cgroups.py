"""The limits of a whole app: what is told to the kernel, what is said when it cannot be, and what the kernel does."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Coroutine, Iterator

import pytest

from spawner.logs.log import Log
from spawner.logs.log_writer import LogWriter
from spawner.options import AppOptions
from spawner.processes import limited_start
from spawner.processes.app_cgroups import AppCgroup, AppCgroups
from spawner.processes.app_environment import CommandLine
from spawner.processes.app_limits import limited_command, start_limits
from spawner.processes.process_tree import ProcessTrees
from spawner.processes.users import own_identity
from spawner.system import cgroups
from spawner.system.cgroups import Cgroup, NoController, enable_controller

WANTED = AppOptions(app_memory_limit=100, app_process_limit=20, app_cpu_weight=50)


class Kernel:
    """Folders that look like cgroups."""

    def __init__(self, root: Path) -> None:
        self.base = root / "apache2.service"
        self.instance = self.base / "jumpseat-httpd-1"
        self.instance.mkdir(parents=True)
        (self.base / "cgroup.controllers").write_text("cpu memory pids\n")
        self.log = root / "log"
        self.loop = asyncio.new_event_loop()
        self.apps = AppCgroups(self.loop, Log(LogWriter.open(str(self.log))), self.instance)

    def prepare(self, options: AppOptions, key: str = "shop") -> AppCgroup:
        """As at the start of an interpreter. The kernel makes the files of a new cgroup: here the test does."""
        first = self.apps.prepare(key, AppOptions())
        assert first.folder is not None
        for name in ("memory.max", "memory.swap.max", "pids.max", "cpu.weight"):
            if not (first.folder / name).exists():
                (first.folder / name).write_text("kernel's")
        return self.apps.prepare(key, options)

    def read(self, app: AppCgroup) -> list[str]:
        assert app.folder is not None
        names = ("memory.max", "memory.swap.max", "pids.max", "cpu.weight")
        return [(app.folder / name).read_text() for name in names]


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kernel]:
    monkeypatch.setattr(cgroups, "_SYSTEMD", "/no/such/folder")
    found = Kernel(tmp_path)
    yield found
    found.apps.close()
    found.loop.close()


def test_the_kernel_is_told_the_limits_of_an_app_and_later_that_there_are_none(kernel: Kernel) -> None:
    app = kernel.prepare(WANTED)
    assert kernel.read(app) == [str(100 << 20), "0", "20", "50"]
    assert app.limited
    assert app.without_effect == {}
    assert kernel.read(kernel.prepare(AppOptions())) == ["max", "max", "max", "100"]
    assert not app.limited


def test_the_controllers_are_enabled_for_the_instance_and_below_it(kernel: Kernel) -> None:
    kernel.apps.prepare("shop", AppOptions(app_process_limit=20))
    enabled = [(folder / "cgroup.subtree_control").read_text() for folder in (kernel.base, kernel.instance)]
    assert enabled == ["+pids", "+pids"]


def test_two_apps_have_a_cgroup_each(kernel: Kernel) -> None:
    assert kernel.prepare(WANTED, "one").folder != kernel.prepare(WANTED, "two").folder
    assert kernel.prepare(WANTED, "one").folder == kernel.prepare(WANTED, "one").folder


def test_what_cannot_be_enforced_is_logged_once_for_all_apps(kernel: Kernel) -> None:
    (kernel.base / "cgroup.controllers").write_text("hugetlb\n")
    for key in ("shop", "shop", "forum"):
        app = kernel.apps.prepare(key, AppOptions(app_memory_limit=100))
        assert not app.limited
    reason = f"there is no controller 'memory' for Apache's cgroup ({kernel.base}/cgroup.controllers has: hugetlb)"
    assert app.without_effect == {"PassengerAppMemoryLimit": reason}
    (line,) = kernel.log.read_text().splitlines()
    assert f"JS3114: a limit has no effect: PassengerAppMemoryLimit, here of shop: {reason}; Delegate=cpu" in line


def test_where_there_are_no_cgroups_the_app_starts_and_the_reason_is_said(tmp_path: Path) -> None:
    loop = asyncio.new_event_loop()
    apps = AppCgroups(loop, Log(LogWriter.open(os.devnull)), None)
    app = apps.prepare("shop", WANTED)
    assert app.make() is None
    assert set(app.without_effect.values()) == {"Apache may not use cgroups of version 2 here"}
    assert len(app.without_effect) == 3
    loop.close()


def test_systemd_s_cgroup_is_left_alone_unless_it_is_delegated(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "_SYSTEMD", "/")
    app = kernel.prepare(AppOptions(app_process_limit=20))
    reason = f"systemd has not delegated the cgroup {kernel.base} to Apache"
    assert app.without_effect == {"PassengerAppProcessLimit": reason}
    monkeypatch.setattr(cgroups, "is_delegated", lambda folder: folder == kernel.base)
    assert kernel.prepare(AppOptions(app_process_limit=20)).without_effect == {}


def test_processes_of_httpd_that_are_in_the_way_move_where_the_cgroup_is_delegated(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, procs = Path.write_text, kernel.base / "cgroup.procs"
    procs.write_text("11\n12\n")
    (kernel.base / "cgroup.type").write_text("domain")  # it is not the root
    moved: list[str] = []

    def write(path: Path, text: str, **options: Any) -> int:
        if path == kernel.base / "httpd" / "cgroup.procs":
            moved.append(text)
            original(procs, "\n".join(pid for pid in procs.read_text().split() if pid != text))
        return original(path, text, **options)

    monkeypatch.setattr(Path, "write_text", write)
    with pytest.raises(NoController, match="Apache's own processes are in the cgroup .*, and it is not delegated"):
        enable_controller("pids", kernel.instance)
    assert not (kernel.base / "cgroup.subtree_control").exists(), "that would make the cgroups below it useless"
    monkeypatch.setattr(cgroups, "is_delegated", lambda folder: folder == kernel.base)
    enable_controller("pids", kernel.instance)
    assert moved == ["11", "12"]
    assert (kernel.base / "cgroup.subtree_control").read_text() == "+pids"


def test_what_the_kernel_has_refused_or_killed_is_logged_and_not_what_was_before(kernel: Kernel) -> None:
    app = kernel.prepare(WANTED)
    assert app.folder is not None
    (app.folder / "memory.events").write_text("oom 7\noom_kill 7\noom_group_kill 0\n")
    (app.folder / "pids.events").write_text("max 7\n")
    assert kernel.apps.look(app) == 0
    (app.folder / "memory.events").write_text("oom 9\noom_kill 9\noom_group_kill 0\n")
    (app.folder / "pids.events").write_text("max 12\n")
    assert kernel.apps.look(app) == 2
    (app.folder / "pids.events").write_text("max 500\n")
    (app.folder / "memory.events").write_text("oom 9\noom_kill 11\noom_group_kill 0\n")
    assert kernel.apps.look(app) == 0, "the machine's memory was out"
    killed, refused = kernel.log.read_text().splitlines()
    assert "JS3115: out of memory by PassengerAppMemoryLimit 100: the kernel has killed 2 processes of shop" in killed
    assert "JS3116: too many processes by PassengerAppProcessLimit 20: the kernel has refused 5 starts" in refused


# With cgroups of this machine, where it has the controllers.


class Machine:
    """The apps of an instance in cgroups of this machine."""

    def __init__(self, folder: Path, log: Path) -> None:
        self.log = log
        self.folder = folder

    def run(self, act: Callable[[ProcessTrees], Coroutine[Any, Any, None]]) -> str:
        async def whole() -> None:
            loop = asyncio.get_running_loop()
            trees = ProcessTrees(loop, AppCgroups(loop, Log(LogWriter.open(str(self.log))), self.folder))
            try:
                await act(trees)
            finally:
                trees.close()
                while not trees.remove_cgroups():
                    await asyncio.sleep(0.01)

        asyncio.run(asyncio.wait_for(whole(), 60))
        return self.log.read_text()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    folder = cgroups.make_folder(f"httpd-{os.getpid()}-limits")
    if folder is None:
        pytest.skip("this machine lets us have no cgroup")
    yield Machine(folder, tmp_path / "log")
    with contextlib.suppress(FileNotFoundError):
        folder.rmdir()


def limited(trees: ProcessTrees, options: AppOptions, program: str) -> tuple[AppCgroup, int, str]:
    """Run a program under the limits of an app; its exit status and its output."""
    app = trees.apps.prepare("shop", options)
    if not app.limited:
        pytest.skip("this machine has no such controller that we may use: %s" % app.without_effect)
    with trees.new(app) as tree:
        assert tree.cgroup is not None
        limits = start_limits(options, tree.cgroup.folder)
        command = CommandLine((sys.executable, "-c", program), dict(os.environ))
        order = limited_command(command, limits, own_identity(), "/", None)
        environment = {name: value for name, value in order.environment.items() if value.isprintable()}
        ended = subprocess.run(order.argv, env=environment, capture_output=True, text=True)
    return app, ended.returncode, ended.stdout + ended.stderr


def test_the_kernel_kills_what_needs_more_memory_than_its_app_may_have(machine: Machine) -> None:
    async def act(trees: ProcessTrees) -> None:
        app, status, _ = limited(trees, AppOptions(app_memory_limit=60), "bytearray(b'1') * (150 << 20)")
        assert status == -9
        assert trees.apps.look(app) == 1

    assert "PassengerAppMemoryLimit 60: the kernel has killed 1 processes" in machine.run(act)


def test_the_kernel_refuses_more_processes_than_the_app_may_have_and_this_process_does_not_count(
    machine: Machine,
) -> None:
    child = "os.closerange(0, 3) or time.sleep(600)"
    program = f"import os, time\nfor n in range(9):\n  if os.fork() == 0: {child}\n  print(n, flush=True)"

    async def act(trees: ProcessTrees) -> None:
        app, status, output = limited(trees, AppOptions(app_process_limit=3), program)
        assert status == 1
        assert output.startswith("0\n1\nTraceback")
        assert "Resource temporarily unavailable" in output
        trees.apps.look(app)

    assert "PassengerAppProcessLimit 3: the kernel has refused 1 starts" in machine.run(act)


def test_a_program_under_limits_is_in_the_cgroup_of_its_interpreter_from_the_start(machine: Machine) -> None:
    """Without controllers, too: so that what it starts can be ended."""

    async def act(trees: ProcessTrees) -> None:
        app = trees.apps.prepare("shop", AppOptions())
        folder = app.make()
        assert folder is not None
        cgroup = Cgroup.make(folder)
        command = CommandLine(("/bin/cat", "/proc/self/cgroup"), {})
        order = limited_command(command, start_limits(AppOptions(), cgroup.folder), own_identity(), "/", None)
        output = subprocess.run(order.argv, env=dict(order.environment), capture_output=True, text=True).stdout
        assert f"/{folder.name}/{cgroup.folder.name}\n" in output
        assert cgroup.remove()

    machine.run(act)


def test_a_cgroup_that_cannot_be_entered_is_named_and_nothing_is_executed(tmp_path: Path) -> None:
    command = CommandLine(("/bin/echo", "executed"), {})
    order = limited_command(command, start_limits(AppOptions(), tmp_path / "none"), own_identity(), "/", None)
    ended = subprocess.run(order.argv, env=dict(order.environment), capture_output=True, text=True)
    assert ended.returncode == limited_start.FAILED
    assert ended.stdout == ""
    assert ended.stderr == "cannot start the app: its cgroup: No such file or directory\n"
