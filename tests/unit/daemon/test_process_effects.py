"""Effects on processes: in which order a worker goes, and that nothing of it is left."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from spawner.daemon.process_effects import ProcessEffects
from spawner.pool import effects
from spawner.pool.registry import Registry


class Line:
    """A control line that notes what is sent on it."""

    def __init__(self, done: list[str]) -> None:
        self._done = done

    def retire(self, deadline: float) -> None:
        self._done.append("retire until %d" % deadline)

    def send(self, fields: list[tuple[str, str]]) -> bool:
        self._done.append(" ".join(value for _, value in fields))
        return True


class Worker:
    """A worker with two sockets of its own."""

    def __init__(self, done: list[str], alive: bool) -> None:
        self.process_id, self.pid, self.key, self.slot, self.alive = 7, 4711, "app", 3, alive
        self.routes = ("one", "two")
        self.line = Line(done)
        self._done = done

    def kill(self) -> None:
        self._done.append("kill")

    def close(self) -> None:
        self._done.append("close")

    def terminate(self) -> None:
        self._done.append("terminate")


class Scene:
    """One worker, and what was done to it, in order."""

    def __init__(self, alive: bool = True) -> None:
        self.done: list[str] = []
        note = self.done.append
        self.registry: Any = Registry()
        self.registry.processes.attach(7, Worker(self.done, alive))
        scoreboard = SimpleNamespace(clear=lambda number: note("clear %d" % number))
        self.registry.groups.attach("app", SimpleNamespace(path="/app.sock", scoreboard=scoreboard))
        starter: Any = SimpleNamespace(
            cancel=lambda number: note("cancel %d" % number), forget=lambda number: note("forget %d" % number)
        )
        log: Any = SimpleNamespace(info=lambda *_: None, notice=lambda *_: note("logged"))
        stacks: Any = SimpleNamespace(when_done=lambda process, action: action(), log_stacks=lambda *_: note("stacks"))
        instance: Any = SimpleNamespace(remove_worker_socket=lambda path, route: note("remove %s %s" % (path, route)))
        self.handlers = ProcessEffects(self.registry, starter, log, stacks, instance).handlers

    def carry_out(self, effect: effects.Effect) -> list[str]:
        self.handlers[type(effect)](effect)
        return self.done


def test_a_worker_that_retires_has_no_socket_of_its_own_any_more_when_it_is_told() -> None:
    """Then no request comes to it that it could leave."""
    done = Scene().carry_out(effects.Retire(7, 60.0))
    assert done == ["remove /app.sock one", "remove /app.sock two", "retire until 60"]


@pytest.mark.parametrize("alive", [True, False])
def test_nothing_of_a_process_that_is_forgotten_is_left(alive: bool) -> None:
    scene = Scene(alive)
    end = ["kill"] if alive else []  # while its descriptors are open: the pid alone may be another's
    assert scene.carry_out(effects.ForgetProcess(7)) == [
        "forget 7", *end, "close", "remove /app.sock one", "remove /app.sock two", "clear 3",
    ]  # fmt: skip
    assert not scene.registry.processes.handles


@pytest.mark.parametrize("effect", [effects.Retire(8), effects.Terminate(8, "why"), effects.Kill(8, "why")], ids=repr)
def test_a_process_that_is_still_to_be_started_is_not_started(effect: effects.Effect) -> None:
    assert Scene().carry_out(effect) == ["cancel 8"]
