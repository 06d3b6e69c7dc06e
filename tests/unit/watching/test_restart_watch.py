"""Restart files: what counts as a restart, and that it is noticed, with inotify and without."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from pathlib import Path
from typing import Callable

import pytest

from spawner.watching import restart_watch
from spawner.watching.restart_trigger import RestartTrigger, folders_to_watch, read_trigger
from tests.unit.watching.watched_app import Scene, play, start


def test_creating_the_file_is_a_restart(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        start(scene)
        scene.file.touch()
        await scene.restarted()

    play(tmp_path, act)


def test_a_file_that_was_there_before_asks_for_nothing(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        scene.file.touch()
        start(scene)
        await scene.restarted(0)

    play(tmp_path, act)


def test_touching_the_file_is_a_restart(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        scene.has_had()
        start(scene)
        scene.file.touch()
        await scene.restarted()

    play(tmp_path, act)


def test_a_time_in_the_past_is_a_restart_too(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        scene.file.touch()
        start(scene)
        os.utime(scene.file, (1, 1))
        await scene.restarted()

    play(tmp_path, act)


def test_replacing_the_file_by_rename_is_a_restart_each_time(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        scene.file.touch()
        start(scene)
        for number in (1, 2):
            other = scene.file.with_name("other")
            other.touch()
            os.utime(other, (1, 1))
            other.rename(scene.file)
            await scene.restarted(number)

    play(tmp_path, act)


@pytest.mark.parametrize("inotify", [True, False])
@pytest.mark.parametrize(
    "change",
    [
        lambda file: file.chmod(0o600),
        lambda file: os.chown(file, -1, file.stat().st_gid),
        lambda file: os.link(file, file.with_name("link")),
        lambda file: file.read_bytes(),
    ],
    ids=["chmod", "chown", "hard link", "read"],
)
def test_what_leaves_content_and_time_as_they_are_is_no_restart(
    tmp_path: Path, change: Callable[[Path], object], inotify: bool
) -> None:
    async def act(scene: Scene) -> None:
        scene.has_had()
        start(scene)
        change(scene.file)
        await scene.restarted(0)

    play(tmp_path, act, inotify, 0.05)


def test_other_contents_of_the_same_time_are_a_restart(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        scene.has_had()
        start(scene)
        scene.file.write_text("release 2")
        os.utime(scene.file, (1, 1))
        await scene.restarted()

    play(tmp_path, act)


def test_removing_the_file_is_no_restart(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        scene.file.touch()
        start(scene)
        scene.file.unlink()
        await scene.restarted(0)
        scene.file.touch()
        await scene.restarted()

    play(tmp_path, act)


def test_the_folder_may_come_later_than_the_watch(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        scene.file.parent.rmdir()
        start(scene)
        scene.file.parent.mkdir()
        await asyncio.sleep(0.2)
        scene.file.touch()
        await scene.restarted()

    play(tmp_path, act)


def test_the_folder_may_be_made_together_with_the_file(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        scene.file.parent.rmdir()
        start(scene)
        scene.file.parent.mkdir()
        scene.file.touch()
        await scene.restarted()

    play(tmp_path, act)


def test_the_folder_may_be_replaced_by_another(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        start(scene)
        scene.file.parent.rename(scene.app / "old")
        scene.file.parent.mkdir()
        await asyncio.sleep(0.2)
        scene.file.touch()
        await scene.restarted()

    play(tmp_path, act)


def test_switching_the_link_of_the_release_is_a_restart(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        for name in ("1", "2"):
            (tmp_path / name / "tmp").mkdir(parents=True)
        current, following = tmp_path / "current", tmp_path / "following"
        current.symlink_to("1")
        start(scene, current)
        following.symlink_to("2")
        following.rename(current)
        await scene.restarted()
        (tmp_path / "2" / "tmp" / "restart.txt").touch()
        await scene.restarted(2)
        shutil.rmtree(tmp_path / "1")  # pruning the old release is none
        await scene.restarted(2)

    play(tmp_path, act)


def test_a_link_behind_a_link_is_watched_too(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        (tmp_path / "a").mkdir()
        for name in ("1", "2"):
            (tmp_path / "a" / name).mkdir()
        (tmp_path / "a" / "stable").symlink_to("1")
        (tmp_path / "current").symlink_to("a/stable")
        start(scene, tmp_path / "current")
        (tmp_path / "a" / "next").symlink_to("2")
        (tmp_path / "a" / "next").rename(tmp_path / "a" / "stable")
        await scene.restarted()

    play(tmp_path, act)


def test_a_burst_of_touches_is_one_restart(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        start(scene)
        for number in range(100):
            os.utime(scene.file, ns=(number, number)) if scene.file.exists() else scene.file.touch()
        await scene.restarted()

    play(tmp_path, act)


def test_touches_soon_after_a_restart_wait_a_little_and_are_one_more(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        start(scene)
        scene.file.touch()
        while not scene.restarts:
            await asyncio.sleep(0.001)
        touches = 0
        while not touches or asyncio.get_running_loop().time() < scene.times[0] + restart_watch._RESTART_INTERVAL / 2:
            touches += 1
            os.utime(scene.file, ns=(touches, touches))
            await asyncio.sleep(0.02)
        await scene.restarted(2)
        assert scene.times[1] - scene.times[0] > restart_watch._RESTART_INTERVAL - 0.001

    play(tmp_path, act)


def test_an_app_that_is_watched_no_longer_is_not_restarted(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        start(scene)
        scene.watch.unwatch("app")
        scene.file.touch()
        await scene.restarted(0)

    play(tmp_path, act)


def test_without_inotify_the_poll_finds_it(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        start(scene)
        scene.file.touch()
        await scene.restarted()

    play(tmp_path, act, inotify=False, poll_every=1.0)


def test_the_poll_finds_what_inotify_does_not_tell(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        start(scene)
        for path, folder in list(scene.watch._folders.items()):
            scene.watch._stop_watch(path, folder)  # as a file system without events
        scene.file.touch()
        await scene.restarted()

    play(tmp_path, act, poll_every=1.0)


def test_hundreds_of_apps_share_one_thread_and_one_descriptor(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        threads, descriptors = set(threading.enumerate()), len(os.listdir("/proc/self/fd"))
        for number in range(200):
            app = tmp_path / str(number)
            (app / "tmp").mkdir(parents=True)
            scene.watch.watch(str(number), str(app), "tmp")
        assert set(threading.enumerate()) <= threads
        assert len(os.listdir("/proc/self/fd")) <= descriptors
        (tmp_path / "77" / "tmp" / "restart.txt").touch()
        await scene.restarted()
        assert scene.restarts == ["77"]

    play(tmp_path, act)


def test_two_apps_with_one_restart_folder_both_restart(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        for key in ("a", "b"):
            scene.watch.watch(key, str(tmp_path / key), str(tmp_path / "shared"))
        (tmp_path / "shared").mkdir()
        (tmp_path / "shared" / "restart.txt").touch()
        await scene.restarted(2)
        scene.watch.unwatch("a")
        (tmp_path / "shared" / "restart.txt").touch()
        await scene.restarted(3)
        assert sorted(scene.restarts[:2]) == ["a", "b"]
        assert scene.restarts[2] == "b"

    play(tmp_path, act)


def test_a_restart_that_an_earlier_spawner_has_not_seen_is_caught_up_with(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        start(scene)
        seen = scene.watch.state_of("app")
        scene.watch.unwatch("app")
        scene.file.touch()
        start(scene)
        scene.watch.resume("app", seen)
        await scene.restarted()
        scene.watch.resume("app", scene.watch.state_of("app"))
        await scene.restarted(1)

    play(tmp_path, act)


@pytest.mark.parametrize("with_file", [True, False])
def test_a_key_survives_being_written_down(tmp_path: Path, with_file: bool) -> None:
    (tmp_path / "tmp").mkdir()
    if with_file:
        (tmp_path / "tmp" / "restart.txt").touch()
    key = read_trigger(str(tmp_path), "tmp")
    assert RestartTrigger.from_text(key.to_text()) == key
    gone = read_trigger(str(tmp_path / "missing"), "tmp")
    assert RestartTrigger.from_text(gone.to_text()) == gone


def test_a_missing_app_root_is_watched_from_the_nearest_folder_that_exists(tmp_path: Path) -> None:
    assert folders_to_watch(str(tmp_path / "no" / "such"), "tmp") == [str(tmp_path)]


def test_a_chain_of_more_links_than_the_kernel_follows_is_no_app_root_and_no_defect(tmp_path: Path) -> None:
    (tmp_path / "link0").symlink_to(tmp_path)
    for number in range(1, 1500):
        (tmp_path / ("link%d" % number)).symlink_to("link%d" % (number - 1))
    assert read_trigger(str(tmp_path / "link1499"), "tmp").root == ""


def test_links_that_are_long_ways_round_are_not_followed_for_ever(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    path = "."
    for number in range(30):
        (tmp_path / ("link%d" % number)).symlink_to("a/../" * 500 + path)
        path = "link%d" % number
    assert read_trigger(str(tmp_path / path), "tmp").root == ""
