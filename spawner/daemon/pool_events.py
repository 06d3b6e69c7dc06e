"""What restart files, samples and the administrator's commands tell the pool."""

from __future__ import annotations

from typing import Mapping, Optional, Sequence

from spawner.daemon.event_dispatcher import Dispatch
from spawner.pool.pool import Pool
from spawner.watching.scoreboard_sampler import GroupSample


class PoolEvents:
    """The callbacks of the watches and commands. A group that has been dropped meanwhile is no error."""

    def __init__(self, pool: Pool, dispatch: Dispatch) -> None:
        self._pool = pool
        self._dispatch = dispatch

    def restart(self, key: str) -> None:
        """An app's restart file was touched, or its release was switched."""
        if key in self._pool.groups:
            self._dispatch(self._pool.restart, key)

    def set_always_restart(self, key: str, on: bool) -> None:
        """An app's always_restart.txt has come or gone."""
        if key in self._pool.groups:
            self._dispatch(self._pool.set_always_restart, key, on)

    def on_scoreboard_samples(self, samples: Sequence[GroupSample]) -> None:
        """The scoreboards were read. All of it is one event: what follows an event is done once."""

        def event(now: float) -> None:
            for sample in samples:
                if sample.key in self._pool.groups:
                    self._pool.sample(sample.key, sample.readings, sample.waiting, now)

        self._dispatch(event)

    def on_memory_sample(self, key: str, sizes: Mapping[int, int]) -> None:
        """The memory of a group's workers was read.

        :param sizes: bytes by the pool's process ids.
        """
        if key in self._pool.groups:
            self._dispatch(self._pool.sample_memory, key, sizes)

    def restart_for_command(self, key: str, method: Optional[str], wait: bool) -> int:
        """See RestartApp of the admin room."""
        generation = 0

        def event(now: float) -> None:
            nonlocal generation
            generation = self._pool.restart(key, now, method, wait)

        self._dispatch(event)
        return generation

    def detach_process(self, process_id: int) -> None:
        """A process is to finish its requests and end."""
        self._dispatch(self._pool.detach_process, process_id)
