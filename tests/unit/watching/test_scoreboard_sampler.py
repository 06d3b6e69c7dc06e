"""How often each app is looked at."""

from __future__ import annotations

import collections
import time
from types import SimpleNamespace
from typing import Any, Sequence

import pytest

from spawner.watching.scoreboard_sampler import GroupSample, SamplingIntervals, ScoreboardSampler

INTERVALS = SamplingIntervals(active=0.05, idle=0.5, active_window=5.0)
LONG_AGO = -1000.0


class Apps:
    """Apps with one worker each: when each was last asked, and how often it has been looked at since the beginning."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **last_active: float) -> None:
        self.now = 1000.0
        self.looks: collections.Counter[str] = collections.Counter()
        worker = SimpleNamespace(slot=None, pid=0, serving=True, retiring=False)
        self.groups = {
            key: SimpleNamespace(key=key, last_active=self.now + asked, workers=lambda: [worker])
            for key, asked in last_active.items()
        }
        self._timers: list[tuple[float, Any]] = []
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr("spawner.watching.scoreboard_sampler._waiting", lambda groups: set())
        handle = SimpleNamespace(listener=SimpleNamespace(fileno=lambda: -1))
        found = SimpleNamespace(entry=self.groups.get, handle=lambda key: handle)
        registry: Any = SimpleNamespace(groups=found)
        self.sampler = ScoreboardSampler(self._loop(), registry, INTERVALS, self._note)
        self.sampler.groups_changed(self.groups)

    def _loop(self) -> Any:
        return SimpleNamespace(call_later=lambda delay, action: self._timers.append((self.now + delay, action)) or self)

    def _note(self, samples: Sequence[GroupSample]) -> None:
        self.looks.update(sample.key for sample in samples)

    def pass_time(self, seconds: float) -> None:
        until = self.now + seconds
        while self._timers and self._timers[0][0] <= until:
            self.now, action = self._timers.pop(0)
            action()
        self.now = until


def test_an_app_that_gets_requests_is_looked_at_often_and_the_others_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    apps = Apps(monkeypatch, asked=0.0, idle=LONG_AGO, other=LONG_AGO)
    apps.pass_time(4.0)
    assert 75 <= apps.looks["asked"] <= 80
    assert 7 <= apps.looks["idle"] == apps.looks["other"] <= 9


def test_an_app_that_was_idle_is_looked_at_often_from_its_first_request_on(monkeypatch: pytest.MonkeyPatch) -> None:
    apps = Apps(monkeypatch, asked=LONG_AGO, idle=LONG_AGO)
    apps.pass_time(2.0)
    assert apps.looks == {"asked": 4, "idle": 4}
    apps.groups["asked"].last_active = apps.now
    apps.pass_time(2.0)
    assert apps.looks["asked"] >= 4 + 30
    assert apps.looks["idle"] <= 4 + 4


def test_all_are_looked_at_seldom_when_none_gets_requests_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    apps = Apps(monkeypatch, asked=0.0, idle=LONG_AGO)
    apps.pass_time(6.0)
    apps.looks.clear()
    apps.pass_time(3.0)
    assert apps.looks == {"asked": 6, "idle": 6}
