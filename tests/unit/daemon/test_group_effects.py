"""Effects on app groups: what is left of a group that has ended, and who is told."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable

import pytest

from spawner.admin.command import Caller
from spawner.admin.restart_command import RestartCommand, RestartProgress
from spawner.daemon.group_effects import GroupEffects
from spawner.daemon.notification_effects import NotificationEffects
from spawner.pages.start_error_page import ErrorResponse
from spawner.pool import effects
from spawner.pool.registry import Registry
from spawner.processes.scoreboard_reader import ScoreboardReader
from spawner.state_store.instance_directory import InstanceDirectory
from tests.unit.pool.world import World


class Scene:
    """The effects on groups with a folder, a loop and those who wait for restarts; the rest is noted only."""

    def __init__(self, folder: Path) -> None:
        self.loop = asyncio.get_running_loop()
        self.world = World()
        self.world.register()
        self.progress = RestartProgress()
        self.notes: list[str] = []
        self.responses: list[ErrorResponse] = []
        self.instance = InstanceDirectory(str(folder / "run" / "httpd-1"), 1, os.getuid(), os.getgid())
        self.instance.create("/", 0.0)
        self.registry: Any = Registry()
        self.registry.groups.enter("app", self.world.pool.groups["app"])
        notes: Any = SimpleNamespace(
            watch=lambda key, *_: self.notes.append("watch " + key),
            unwatch=lambda key: self.notes.append("unwatch " + key),
            mark_group=lambda key: self.notes.append("mark " + key),
            mark_process=lambda process_id: self.notes.append("mark process %d" % process_id),
            error=lambda number, text: self.notes.append(text),
            write=lambda level, number, text, name: self.notes.append(text),
            answer_waiting=lambda listener, response, done: self.responses.append(response),
            can_start_process=lambda: True,
        )
        self.effects = GroupEffects(
            self.loop,
            self.world.pool,
            self.registry,
            self._dispatch,
            notes,
            self.instance,
            notes,
            notes,
            self.progress,
            notes,
            notes,
            False,
            lambda key: self.notes.append("limits of %s forgotten" % key),
        )
        told = NotificationEffects(self.world.pool, notes, notes, notes, self.progress)
        self.handlers = {**self.effects.handlers, **told.handlers}

    def _dispatch(self, event: Callable[..., Any], *arguments: Any) -> None:
        self.notes.append("%s%r" % (event.__name__, arguments))

    def carry_out(self, effect: effects.Effect) -> None:
        self.handlers[type(effect)](effect)


def play(folder: Path, act: Callable[[Scene], Any]) -> Any:
    async def main() -> Any:
        return await asyncio.wait_for(act(Scene(folder)), 20)

    return asyncio.run(main())


class OneApp:
    """Selects the app."""

    def select(self, arguments: object, caller: object) -> list[str]:
        return ["app"]


async def wait_for_restart(scene: Scene, *then: effects.Effect) -> tuple[list[Any], dict[str, Any]]:
    """What `restart-app --wait` gets while these effects are carried out: the steps, and the outcome."""
    steps: list[Any] = []

    async def take(step: dict[str, Any]) -> None:
        steps.append(step["stage"])

    selection: Any = OneApp()
    command = RestartCommand(selection, lambda key, method, wait: 2, scene.progress)
    answer = asyncio.ensure_future(command.run({"wait": True}, Caller(0, True), take))
    await asyncio.sleep(0)
    for effect in then:
        scene.carry_out(effect)
    (outcome,) = (await asyncio.wait_for(answer, 1))["groups"]
    return steps, outcome


def test_whoever_waits_for_a_restart_is_told_its_steps_as_the_pool_says_them(tmp_path: Path) -> None:
    steps = [effects.Progress("app", 2, stage, 0, 1) for stage in ("loading", "replacing", "completed")]
    told, outcome = play(tmp_path, lambda scene: wait_for_restart(scene, *steps))
    assert (told, outcome["outcome"]) == (["loading", "replacing", "completed"], "completed")


def test_whoever_waits_for_a_restart_waits_no_longer_than_the_app_exists(tmp_path: Path) -> None:
    told, outcome = play(tmp_path, lambda scene: wait_for_restart(scene, effects.DropGroup("app")))
    assert (told, outcome["outcome"]) == (["failed"], "failed")
    assert "the app has ended" in outcome["failure"]["summary"]


def test_an_app_that_ends_leaves_neither_socket_nor_watch_nor_descriptor(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        before = sorted(os.listdir("/proc/self/fd"))
        scene.carry_out(effects.CreateGroup("app"))
        path = scene.registry.groups.handles["app"].path
        assert os.path.exists(path)
        scene.carry_out(effects.WatchQueue("app"))
        scene.carry_out(effects.DropGroup("app"))
        assert scene.notes == ["watch app", "unwatch app", "limits of app forgotten"]
        assert not os.path.exists(path)
        assert sorted(os.listdir("/proc/self/fd")) == before
        assert not scene.registry.groups.handles

    play(tmp_path, act)


def test_a_new_address_has_another_socket_and_token_and_the_workers_own_sockets_are_gone(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        scene.carry_out(effects.CreateGroup("app"))
        resources = scene.registry.groups.handles["app"]
        path, token, listener = resources.path, resources.token, resources.listener
        route, own = scene.instance.listen_for_worker(path, 1)
        worker = SimpleNamespace(key="app", routes=(route,), process_id=7)
        scene.registry.processes.attach(7, worker)
        with own, scene.effects.renew_address("app") as old:
            assert old is listener
            assert (resources.path != path, resources.token != token, resources.listener is not old) == (True,) * 3
            assert (worker.routes, os.path.exists(scene.instance.worker_socket(path, route))) == ((), False)
            assert "mark app" in scene.notes
            assert "mark process 7" in scene.notes
            assert os.path.exists(path), "until the record of the new one is written"
            await asyncio.sleep(0)
            assert not os.path.exists(path)
            assert os.path.exists(resources.path)
        scene.carry_out(effects.DropGroup("app"))

    play(tmp_path, act)


@pytest.mark.parametrize("what", ["socket", "scoreboard"])
def test_an_app_whose_descriptors_cannot_be_made_is_closed_again_and_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    def fail(*_: object) -> socket.socket:
        raise OSError(24, "Too many open files")

    async def act(scene: Scene) -> None:
        monkeypatch.setattr(*((scene.instance, "listen") if what == "socket" else (ScoreboardReader, "create")), fail)
        before = sorted(os.listdir("/proc/self/fd"))
        scene.carry_out(effects.CreateGroup("app"))
        assert sorted(os.listdir("/proc/self/fd")) == before
        assert scene.notes[-1] == "close_group('app',)"
        assert not scene.registry.groups.handles

    play(tmp_path, act)


def test_a_new_socket_is_watched_in_place_of_the_old_one_and_written_down(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        scene.carry_out(effects.CreateGroup("app"))
        scene.carry_out(effects.WatchQueue("app"))
        old = scene.effects.renew_address("app")
        resources = scene.registry.groups.handle("app")
        assert not scene.loop.remove_reader(old), "the old one is watched no more"
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(resources.path)
            deadline = scene.loop.time() + 10
            while "queue_readable('app',)" not in scene.notes and scene.loop.time() < deadline:
                await asyncio.sleep(0.001)
        assert "queue_readable('app',)" in scene.notes
        assert "mark app" in scene.notes
        old.close()
        scene.carry_out(effects.DropGroup("app"))

    play(tmp_path, act)


@pytest.mark.parametrize(("size", "used"), [(1_048_576, True), (1_048_577, False)])
def test_an_error_page_of_the_operator_s_is_used_up_to_a_mebibyte(tmp_path: Path, size: int, used: bool) -> None:
    tmp_path.chmod(0o755)
    page, entry = tmp_path / "error.html", tmp_path / "passenger_wsgi.py"
    page.write_bytes(b"x" * size)
    entry.touch()

    async def act(scene: Scene) -> None:
        group = scene.world.pool.groups["app"]
        options = dataclasses.replace(group.registration.options, custom_error_page=str(page))
        group.registration = dataclasses.replace(group.registration, app_root=str(tmp_path), options=options)
        scene.carry_out(effects.CreateGroup("app"))
        before = sorted(os.listdir("/proc/self/fd"))
        scene.carry_out(effects.FailWaiting("app", scene.world.failure()))
        assert sorted(os.listdir("/proc/self/fd")) == before
        (response,) = scene.responses
        assert (response.operators_own, len(response.html) == size) == (used, used)
        assert any("PassengerCustomErrorPage" in note for note in scene.notes) is not used
        scene.carry_out(effects.DropGroup("app"))

    play(tmp_path, act)
