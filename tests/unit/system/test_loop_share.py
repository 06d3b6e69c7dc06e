"""What an app sends without end gets a share of the loop's turns: counted in what is read, on a clock of the test's."""

from __future__ import annotations

import asyncio
import os
from types import SimpleNamespace
from typing import Any, Awaitable, Callable

import pytest

from spawner.daemon import process_factory
from spawner.daemon.process_factory import ProcessFactory
from spawner.system.loop_share import LimitedReader, LoopShare


class Clock:
    """Stands in for the loop: time passes only where the test says so, timers run only in `let_pass`."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.add_reader, self.remove_reader = loop.add_reader, loop.remove_reader
        self.now = 1000.0
        self.timers: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now

    def call_later(self, seconds: float, action: Callable[[], None]) -> Any:
        timer = (self.now + seconds, action)
        self.timers.append(timer)
        return SimpleNamespace(cancel=lambda: self.timers.remove(timer))

    def let_pass(self, seconds: float) -> None:
        self.now += seconds
        for timer in [timer for timer in self.timers if timer[0] <= self.now]:
            self.timers.remove(timer)
            timer[1]()


class Flood:
    """A pipe that is always full, and a reader of it of which each turn takes 10 ms."""

    def __init__(self, clock: Clock, share: LoopShare) -> None:
        self._clock = clock
        self._read_end, self._write_end = os.pipe()
        os.write(self._write_end, b"x" * 65_536)
        self.turns = 0
        self.reader = LimitedReader(clock, self._read_end, self._read, share)  # type: ignore[arg-type]

    def _read(self) -> None:
        self.turns += 1
        self._clock.now += 0.01
        os.write(self._write_end, os.read(self._read_end, 4096))

    def close(self) -> None:
        self.reader.stop()
        os.close(self._read_end)
        os.close(self._write_end)


def play(act: Callable[[Clock], Awaitable[None]]) -> None:
    async def main() -> None:
        await act(Clock())

    asyncio.run(main())


async def turns(count: int = 100) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_a_flood_is_read_for_its_share_and_then_waits() -> None:
    async def act(clock: Clock) -> None:
        flood = Flood(clock, LoopShare(clock.now))
        await turns()
        burst = flood.turns
        assert burst < 40, "a quarter of a second"
        began = clock.now
        while clock.now < began + 10:
            clock.let_pass(0.01)
            await turns(5)
        assert 80 <= flood.turns - burst <= 120, "a tenth of ten seconds"
        flood.close()

    play(act)


def test_all_that_have_one_share_get_no_more_together() -> None:
    async def act(clock: Clock) -> None:
        share = LoopShare(clock.now)
        floods = [Flood(clock, share) for _ in range(4)]
        began = clock.now
        while clock.now < began + 10:
            clock.let_pass(0.01)
            await turns(5)
        assert sum(flood.turns for flood in floods) <= 160
        assert min(flood.turns for flood in floods) > 0
        for flood in floods:
            flood.close()

    play(act)


def test_what_was_stopped_while_it_waited_reads_no_more() -> None:
    async def act(clock: Clock) -> None:
        flood = Flood(clock, LoopShare(clock.now))
        await turns()
        flood.reader.stop()
        before = flood.turns
        clock.let_pass(60)
        await turns()
        assert (flood.turns, clock.timers) == (before, [])
        flood.close()

    play(act)


def test_the_processes_of_one_app_have_one_share_of_output(monkeypatch: pytest.MonkeyPatch) -> None:
    shares: list[LoopShare] = []

    def made(*arguments: Any) -> None:
        shares.append(arguments[-1])

    monkeypatch.setattr(process_factory, "AppProcess", made)
    monkeypatch.setattr(process_factory, "AppOutput", lambda *arguments: None)
    groups = SimpleNamespace(entries={key: SimpleNamespace(registration=None) for key in ("shop", "blog")})
    nothing = SimpleNamespace(attach=lambda *arguments: None, watch=lambda *arguments: None, time=lambda: 0.0)
    registry = SimpleNamespace(groups=groups, processes=nothing)
    values: Any = (nothing, registry, None, None, nothing, 100)
    factory = ProcessFactory(*values)
    for key in ("shop", "shop", "blog"):
        entry: Any = SimpleNamespace(process_id=1, key=key, kind=None, generation=1, slot=None)
        line: Any = None
        factory.add(entry, line, line, 0)
    assert shares[0] is shares[1]
    assert shares[0] is not shares[2]
