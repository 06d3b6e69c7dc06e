"""What httpd asks for, in the order in which the parts may learn of it."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, Callable

from spawner.daemon.httpd_events import HttpdEventHandlers
from spawner.httpd.parent_line import ServerConfiguration
from spawner.options import ServerOptions
from tests.unit.pool.world import World


class Scene:
    """The handlers with parts that note what they are told."""

    def __init__(self) -> None:
        self.done: list[str] = []
        note = self.done.append
        self.pool = World().pool
        self.watch = SimpleNamespace(poll_interval=0.0, check=lambda key: note("looked at " + key))
        resources = SimpleNamespace(path="/", token="", scoreboard=SimpleNamespace(descriptor=0))
        groups = SimpleNamespace(handle=lambda key: note("socket") or resources)
        registry: Any = SimpleNamespace(groups=groups)
        htaccess_apps: Any = SimpleNamespace(admit=lambda registration: registration)
        parts: Any = SimpleNamespace(
            apply=lambda new: note("logs"), configure=lambda hooks: note("hooks"), notice=lambda *_: note("said")
        )
        watch: Any = self.watch
        self.handlers = HttpdEventHandlers(
            asyncio.get_running_loop(),
            self.pool,
            registry,
            self._dispatch,
            parts,
            parts,
            watch,
            parts,
            lambda: note("open at epoch %d" % self.pool.capacity.configuration.epoch),
            lambda: note("checked"),
            1.0,
            htaccess_apps,
        )

    def _dispatch(self, event: Callable[..., Any], *arguments: Any) -> None:
        event(*arguments, 1000.0)
        self.done.append(event.__name__)


def test_a_configuration_is_in_force_before_the_sockets_open_and_its_logs_take_what_is_said_of_it() -> None:
    """Recovery, which comes with the sockets, decides by the configuration."""

    async def act() -> Scene:
        scene = Scene()
        scene.handlers.on_configuration(ServerConfiguration(7, ServerOptions(stat_throttle_rate=30)))
        return scene

    scene = asyncio.run(act())
    assert scene.done == ["logs", "hooks", "configure", "open at epoch 7", "said"]
    assert scene.watch.poll_interval == 30.0


def test_a_restart_file_is_looked_for_once_a_second_at_most() -> None:
    async def act() -> float:
        scene = Scene()
        scene.handlers.on_configuration(ServerConfiguration(7, ServerOptions(stat_throttle_rate=0)))
        return scene.watch.poll_interval

    assert asyncio.run(act()) == 1.0


def test_a_child_that_asks_for_an_app_is_answered_after_a_look_at_its_restart_file() -> None:
    """It may ask because it has seen a touch."""

    async def act() -> list[str]:
        scene = Scene()
        scene.handlers.register(World.registration("app", 0))
        return scene.done

    assert asyncio.run(act()) == ["register", "looked at app", "socket"]


def test_requests_of_prestart_end_with_the_spawner() -> None:
    async def act() -> None:
        scene = Scene()
        configuration = ServerConfiguration(7, ServerOptions())
        configuration.prestart.append("http://127.0.0.1:1/")
        scene.handlers.on_configuration(configuration)
        tasks = list(scene.handlers._prestarts)
        scene.handlers.close()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert [task.cancelled() for task in tasks] == [True]
        await asyncio.sleep(0)
        assert not scene.handlers._prestarts

    asyncio.run(act())
