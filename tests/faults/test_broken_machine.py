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

from load.burden import WORKERS, Burdened, Judge
from load.kinds import FAST, MIXED, TALK
from load.ledger import Ledger
from machine.kills import kill
from machine.memory_cgroup import MemoryCgroup
from machine.tiny_disk import TinyDisk
from machine.wrong_clock import WrongClock
from support.applications import age
from support.background import Background
from support.status import preloaders, workers
from support.waiting import eventually

pytestmark = [pytest.mark.load, pytest.mark.deadline(240)]
WITHOUT_INOTIFY = str(Path(__file__).parent / "machine" / "without_inotify.py")
HOUR = 3600
MEGABYTE = 1 << 20


def test_a_worker_that_the_kernel_kills_for_its_memory_loses_its_request_only(
    burdened: Burdened, judge: Judge
) -> None:
    """Where we may make no memory cgroup, the worker is killed as the kernel does it, when it has taken memory."""
    burdened.server.logs.allow("JS")
    burdened.start("PassengerMaxInstances 3")
    cgroup = MemoryCgroup.make(64 * MEGABYTE)
    size = 400 if cgroup else 60
    try:
        for worker in workers(burdened.server) if cgroup else []:
            cgroup.add(worker["pid"])
        with burdened.load() as load:
            load.wait_for_more(30)
            greedy = Background(lambda: burdened.server.get(f"/grow?id=greedy&megabytes={size}&seconds=20").status)
            if cgroup is None:
                kill_when_grown(burdened)
            assert greedy.result() == 502
            load.wait_for_more(30)
            eventually(lambda: len(workers(burdened.server)) >= WORKERS, "another worker")
        judge(load, "OOM kill of a worker", note="memory cgroup" if cgroup else "SIGKILL: no memory cgroup here")
        assert cgroup is None or cgroup.kills() == 1
    finally:
        if cgroup is not None:
            cgroup.close()


def kill_when_grown(burdened: Burdened) -> None:
    def grown() -> int:
        ledger = Ledger(burdened.app.events)
        return next((pid for pid in ledger.begun if "greedy" in ledger.unfinished(pid)), 0)

    kill(eventually(grown, "the request that takes memory"))


@pytest.mark.needs_root
def test_requests_go_on_while_no_log_has_room(burdened: Burdened, judge: Judge) -> None:
    server = burdened.server
    server.logs.allow("JS|AH")
    with TinyDisk(server.folder / "tiny", 256) as disk:
        server.add(f'PassengerLogFile "{disk.folder}/own.log"')
        burdened.start(f'ErrorLog "{disk.folder}/site.log"\nPassengerAppLogFile "{disk.folder}/app.log"')
        with burdened.load([*MIXED[:6], TALK]) as load:
            load.wait_for_more(30)
            disk.fill()
            load.wait_for_more(100)
            burdened.deploy("1")
            disk.free()
            load.wait_for_more(50)
        result = judge(load, "full disk for all logs")
        last = [one.identity for one in result.of("answered") if one.kind is TALK][-1]
        log = disk.folder / "app.log"
        eventually(lambda: f"said {last}\n" in log.read_text(), "the app's lines, once there is room")
        assert server.stop() == []
        assert server.checks is not None
        server.checks.final()


@pytest.mark.parametrize("what", ["watches", "instances"])
def test_restart_files_are_found_by_looking_when_the_kernel_has_no_watches_left(
    burdened: Burdened, judge: Judge, what: str
) -> None:
    server = burdened.server
    server.launcher = [sys.executable, "-I", "-S", WITHOUT_INOTIFY, what]
    server.logs.expect("JS304[01]: inotify cannot be used, restart files are checked every .* seconds")
    burdened.start()
    with burdened.load() as load:
        moment = time.monotonic()
        burdened.deploy("1")
        seconds = time.monotonic() - moment
        load.wait_for_more(30)
    judge(load, f"no inotify {what} left", note=f"the restart took {seconds:.1f} s")


@pytest.mark.needs_root
def test_a_spawner_without_descriptors_serves_on_and_recovers(burdened: Burdened, judge: Judge) -> None:
    server = burdened.server
    server.logs.allow("JS")
    burdened.start()
    spawner, victim = server.spawner_pid(), workers(server)[0]["pid"]
    before = resource.prlimit(spawner, resource.RLIMIT_NOFILE)
    none_left = len(os.listdir(f"/proc/{spawner}/fd"))
    with burdened.load() as load:
        load.wait_for_more(30)
        resource.prlimit(spawner, resource.RLIMIT_NOFILE, (none_left, before[1]))
        burdened.app.write("release.txt", "1")
        burdened.app.touch_restart()
        server.logs.wait_for("Too many open files|EMFILE|descriptor")
        load.wait_for_more(50)
        kill(victim, signal.SIGTERM)
        load.wait_for_more(30)
        resource.prlimit(spawner, resource.RLIMIT_NOFILE, before)
        eventually(lambda: len(workers(server)) >= WORKERS, "all workers again")
        burdened.deploy("2")
    judge(load, "no descriptors left in the spawner")
    assert server.spawner_pid() == spawner


@pytest.mark.parametrize("seconds", [-HOUR, HOUR])
def test_a_clock_that_is_set_changes_nothing(
    burdened: Burdened, judge: Judge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    server = burdened.server
    server.logs.allow("JS")
    folder = server.folder / "clock"
    folder.mkdir()
    clock = WrongClock(folder)
    monkeypatch.setenv("LD_PRELOAD", str(clock.shared_object))
    burdened.start()
    monkeypatch.delenv("LD_PRELOAD")
    assert str(clock.shared_object) in Path(f"/proc/{server.spawner_pid()}/maps").read_text()
    with burdened.load() as load:
        load.wait_for_more(30)
        clock.set(seconds)
        load.wait_for_more(60)
        burdened.deploy("1")
        old = server.spawner_pid()
        kill(old)
        eventually(lambda: server.spawner_pid() != old, "another spawner")
        server.graceful()
        burdened.deploy("2")
        clock.set(0)
        load.wait_for_more(60)
        burdened.deploy("3")
    judge(load, f"clock set by {seconds:+d} s, and back")
    moment = time.monotonic()
    clock.set(seconds)
    assert server.stop() == []
    assert time.monotonic() - moment < 25


def test_restart_files_dated_in_the_past_and_in_the_future_restart(burdened: Burdened, judge: Judge) -> None:
    burdened.start()
    with burdened.load() as load:
        for release, seconds in (("1", 10 * HOUR), ("2", -10 * HOUR), ("3", 20 * HOUR), ("4", 0)):
            burdened.app.write("release.txt", release)
            burdened.app.restart_file.touch()
            age(burdened.app.restart_file, seconds)
            burdened.wait_for_release(release)
    judge(load, "restart.txt dated in past and future")


def test_the_instance_folder_removed_by_a_cleaner_is_made_anew(burdened: Burdened, judge: Judge) -> None:
    server = burdened.server
    server.logs.expect("JS3047")
    server.logs.allow("JS")
    burdened.start()
    with burdened.load() as load:
        load.wait_for_more(30)
        server.instance_folder().rename(server.folder / "taken")  # at once: it is made anew under a slow cleaner
        shutil.rmtree(server.folder / "taken")
        eventually(lambda: (server.instance_folder() / "admin.sock").exists(), "the folder")
        load.wait_for_more(30)
        eventually(lambda: burdened.is_settled(), "the app to be complete")
        burdened.deploy("1")
    judge(load, "instance folder removed", late=20, note="answers wait until it is made anew")


@pytest.mark.parametrize("what", ["*.sock", "loaders/*", "apps/*", "instance.json"])
def test_a_cleaner_that_takes_aged_files_only_stops_nothing(burdened: Burdened, judge: Judge, what: str) -> None:
    server = burdened.server
    server.logs.allow("JS")
    burdened.start()
    folder = server.instance_folder()
    for path in folder.rglob("*"):
        age(path, 30 * 24 * HOUR)
    with burdened.load() as load:
        load.wait_for_more(30)
        taken = list(folder.glob(what))
        for path in taken:
            path.unlink()
        eventually(lambda: all(path.exists() for path in taken), f"{what} to be made anew")
        load.wait_for_more(30)
        kill(eventually(lambda: next((one["pid"] for one in preloaders(server)), 0), "a preloader"))
        burdened.deploy("1")
    judge(load, f"cleaner takes {what}", late=20, note="answers may wait until it is made anew")


@pytest.mark.needs_root
def test_a_buffer_folder_without_room_is_a_clean_answer(burdened: Burdened, judge: Judge) -> None:
    """What needs no room there goes on."""
    server = burdened.server
    server.logs.allow("JS|AH")
    with TinyDisk(server.folder / "buffer", 64) as disk:
        burdened.start()
        disk.fill()
        with burdened.load([FAST]) as load:
            for _ in range(3):
                answer = server.post("/upload?id=big", b"x" * 4 * MEGABYTE)
                assert answer.status == 507, answer
            load.wait_for_more(50)
        judge(load, "full disk in PassengerDataBufferDir")
        disk.free()
        assert server.stop() == []
        assert server.checks is not None
        server.checks.final()
