"""What the machine does to a server under load: no memory, no disk, no watches, no descriptors, no folder."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest

from fault_injectors.kills import kill
from fault_injectors.memory_cgroup import MemoryCgroup
from fault_injectors.tiny_disk import TinyDisk
from fault_injectors.wrong_clock import WrongClock
from load.kinds import FAST, MIXED, TALK
from load.loaded_server import WORKERS, LoadCheck, LoadedServer
from load.request_log import RequestLog
from support.applications import age
from support.background import Background
from support.status import preloaders, workers
from support.waiting import eventually

pytestmark = [pytest.mark.load, pytest.mark.deadline(240)]
WITHOUT_INOTIFY = str(Path(__file__).parent / "fault_injectors" / "without_inotify.py")
HOUR = 3600
MEGABYTE = 1 << 20


def test_a_worker_that_the_kernel_kills_for_its_memory_loses_its_request_only(
    loaded: LoadedServer, check_load: LoadCheck
) -> None:
    """Where we may make no memory cgroup, the worker is killed as the kernel does it, when it has taken memory."""
    loaded.server.logs.allow("JS")
    loaded.start("PassengerMaxInstances 3")
    cgroup = MemoryCgroup.make(64 * MEGABYTE)
    size = 400 if cgroup else 60
    try:
        for worker in workers(loaded.server) if cgroup else []:
            cgroup.add(worker["pid"])
        with loaded.load() as load:
            load.wait_for_more(30)
            greedy = Background(lambda: loaded.server.get(f"/grow?id=greedy&megabytes={size}&seconds=20").status)
            if cgroup is None:
                kill_when_grown(loaded)
            assert greedy.result() == 502
            load.wait_for_more(30)
            eventually(lambda: len(workers(loaded.server)) >= WORKERS, "another worker")
        check_load(load, "OOM kill of a worker", note="memory cgroup" if cgroup else "SIGKILL: no memory cgroup here")
        assert cgroup is None or cgroup.kills() == 1
    finally:
        if cgroup is not None:
            cgroup.close()


def kill_when_grown(loaded: LoadedServer) -> None:
    def grown() -> int:
        log = RequestLog(loaded.app.events)
        return next((pid for pid in log.begun if "greedy" in log.unfinished(pid)), 0)

    kill(eventually(grown, "the request that takes memory"))


@pytest.mark.needs_root
def test_requests_go_on_while_no_log_has_room(loaded: LoadedServer, check_load: LoadCheck) -> None:
    server = loaded.server
    server.logs.allow("JS|AH")
    with TinyDisk(server.folder / "tiny", 256) as disk:
        server.add(f'PassengerLogFile "{disk.folder}/own.log"')
        loaded.start(f'ErrorLog "{disk.folder}/site.log"\nPassengerAppLogFile "{disk.folder}/app.log"')
        with loaded.load([*MIXED[:6], TALK]) as load:
            load.wait_for_more(30)
            disk.fill()
            load.wait_for_more(100)
            loaded.deploy("1")
            disk.free()
            load.wait_for_more(50)
        result = check_load(load, "full disk for all logs")
        last = [one.identity for one in result.of("answered") if one.kind is TALK][-1]
        log = disk.folder / "app.log"
        eventually(lambda: f"said {last}\n" in log.read_text(), "the app's lines, once there is room")
        assert server.stop() == []
        assert server.checks is not None
        server.checks.final()


@pytest.mark.parametrize("what", ["watches", "instances"])
def test_restart_files_are_found_by_looking_when_the_kernel_has_no_watches_left(
    loaded: LoadedServer, check_load: LoadCheck, what: str
) -> None:
    server = loaded.server
    server.launcher = [sys.executable, "-I", "-S", WITHOUT_INOTIFY, what]
    server.logs.expect("JS304[01]: inotify cannot be used, restart files are checked every .* seconds")
    loaded.start()
    with loaded.load() as load:
        moment = time.monotonic()
        loaded.deploy("1")
        seconds = time.monotonic() - moment
        load.wait_for_more(30)
    check_load(load, f"no inotify {what} left", note=f"the restart took {seconds:.1f} s")


@pytest.mark.needs_root
def test_a_spawner_without_descriptors_serves_on_and_recovers(loaded: LoadedServer, check_load: LoadCheck) -> None:
    server = loaded.server
    server.logs.allow("JS")
    loaded.start()
    spawner, victim = server.spawner_pid(), workers(server)[0]["pid"]
    before = resource.prlimit(spawner, resource.RLIMIT_NOFILE)
    none_left = len(os.listdir(f"/proc/{spawner}/fd"))
    with loaded.load() as load:
        load.wait_for_more(30)
        resource.prlimit(spawner, resource.RLIMIT_NOFILE, (none_left, before[1]))
        loaded.app.write("release.txt", "1")
        loaded.app.touch_restart()
        server.logs.wait_for("Too many open files|EMFILE|descriptor")
        load.wait_for_more(50)
        kill(victim, signal.SIGTERM)
        load.wait_for_more(30)
        resource.prlimit(spawner, resource.RLIMIT_NOFILE, before)
        eventually(lambda: len(workers(server)) >= WORKERS, "all workers again")
        loaded.deploy("2")
    check_load(load, "no descriptors left in the spawner")
    assert server.spawner_pid() == spawner


@pytest.mark.parametrize("seconds", [-HOUR, HOUR])
def test_a_clock_that_is_set_changes_nothing(
    loaded: LoadedServer, check_load: LoadCheck, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    server = loaded.server
    server.logs.allow("JS")
    folder = server.folder / "clock"
    folder.mkdir()
    clock = WrongClock(folder)
    monkeypatch.setenv("LD_PRELOAD", str(clock.shared_object))
    loaded.start()
    monkeypatch.delenv("LD_PRELOAD")
    assert str(clock.shared_object) in Path(f"/proc/{server.spawner_pid()}/maps").read_text()
    with loaded.load() as load:
        load.wait_for_more(30)
        clock.set(seconds)
        load.wait_for_more(60)
        loaded.deploy("1")
        old = server.spawner_pid()
        kill(old)
        eventually(lambda: server.spawner_pid() != old, "another spawner")
        server.graceful()
        loaded.deploy("2")
        clock.set(0)
        load.wait_for_more(60)
        loaded.deploy("3")
    check_load(load, f"clock set by {seconds:+d} s, and back")
    moment = time.monotonic()
    clock.set(seconds)
    assert server.stop() == []
    assert time.monotonic() - moment < 25


def test_restart_files_dated_in_the_past_and_in_the_future_restart(loaded: LoadedServer, check_load: LoadCheck) -> None:
    loaded.start()
    with loaded.load() as load:
        for release, seconds in (("1", 10 * HOUR), ("2", -10 * HOUR), ("3", 20 * HOUR), ("4", 0)):
            loaded.app.write("release.txt", release)
            loaded.app.restart_file.touch()
            age(loaded.app.restart_file, seconds)
            loaded.wait_for_release(release)
    check_load(load, "restart.txt dated in past and future")


def test_the_instance_folder_removed_by_a_cleaner_is_made_anew(loaded: LoadedServer, check_load: LoadCheck) -> None:
    server = loaded.server
    server.logs.expect("JS3047")
    server.logs.allow("JS")
    loaded.start()
    with loaded.load() as load:
        load.wait_for_more(30)
        server.instance_folder().rename(server.folder / "taken")  # at once: it is made anew under a slow cleaner
        shutil.rmtree(server.folder / "taken")
        eventually(lambda: (server.instance_folder() / "admin.sock").exists(), "the folder")
        load.wait_for_more(30)
        eventually(lambda: loaded.is_settled(), "the app to be complete")
        loaded.deploy("1")
    check_load(load, "instance folder removed", late=20, note="answers wait until it is made anew")


@pytest.mark.parametrize("what", ["*.sock", "loaders/**/*.py", "shared/*.py", "apps/*", "instance.json"])
def test_a_cleaner_that_takes_aged_files_only_stops_nothing(
    loaded: LoadedServer, check_load: LoadCheck, what: str
) -> None:
    server = loaded.server
    server.logs.allow("JS")
    loaded.start()
    folder = server.instance_folder()
    for path in folder.rglob("*"):
        age(path, 30 * 24 * HOUR)
    with loaded.load() as load:
        load.wait_for_more(30)
        taken = list(folder.glob(what))
        for path in taken:
            path.unlink()
        eventually(lambda: all(path.exists() for path in taken), f"{what} to be made anew")
        load.wait_for_more(30)
        kill(eventually(lambda: next((one["pid"] for one in preloaders(server)), 0), "a preloader"))
        loaded.deploy("1")
    check_load(load, f"cleaner takes {what}", late=20, note="answers may wait until it is made anew")


@pytest.mark.needs_root
def test_a_buffer_folder_without_room_is_a_clean_answer(loaded: LoadedServer, check_load: LoadCheck) -> None:
    """What needs no room there goes on."""
    server = loaded.server
    server.logs.allow("JS|AH")
    with TinyDisk(server.folder / "buffer", 64) as disk:
        loaded.start()
        disk.fill()
        with loaded.load([FAST]) as load:
            for _ in range(3):
                answer = server.post("/upload?id=big", b"x" * 4 * MEGABYTE)
                assert answer.status == 507, answer
            load.wait_for_more(50)
        check_load(load, "full disk in PassengerDataBufferDir")
        disk.free()
        assert server.stop() == []
        assert server.checks is not None
        server.checks.final()
