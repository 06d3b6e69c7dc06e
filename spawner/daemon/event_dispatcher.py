"""Passes events to the pool and has the effects carried out that the pool decides on."""

from __future__ import annotations

import asyncio
import collections
import time
from typing import Any, Callable, Mapping, Optional

from spawner.pool.effects import Effect
from spawner.pool.pool import Pool

# Tells the pool an event: a method of the pool, and its arguments without the time. See EventDispatcher.dispatch.
Dispatch = Callable[..., None]
EffectHandler = Callable[[Any], None]

_SHORTEST_TIMER = 0.001  # seconds


class EventDispatcher:
    """Runs on the loop's thread; nothing in it waits. `connect` is called before the first event."""

    def __init__(self, loop: asyncio.AbstractEventLoop, pool: Pool) -> None:
        self._loop = loop
        self._pool = pool
        self._handlers: Mapping[type, EffectHandler] = {}
        self._before_tick: Callable[[], None] = lambda: None
        self._after_event: Callable[[], None] = lambda: None
        self._dispatching = False
        self._effects: collections.deque[Effect] = collections.deque()  # a handler that raises leaves the rest here
        self._timer: Optional[asyncio.TimerHandle] = None

    def connect(
        self,
        handlers: Mapping[type, EffectHandler],
        before_tick: Callable[[], None],
        after_event: Callable[[], None],
    ) -> None:
        """Say who carries effects out.

        :param handlers: one for each type of effect. None of them raises for the fault of an app or of the machine.
        :param before_tick: called before the pool acts on deadlines.
        :param after_event: called after each event, when all effects have been carried out.
        """
        self._handlers = handlers
        self._before_tick = before_tick
        self._after_event = after_event

    def dispatch(self, event: Callable[..., Any], *arguments: Any) -> None:
        """Tell the pool an event, and carry out the effects that follow, in order.

        A handler may dispatch further events: their effects are carried out after those that are waiting.

        :param event: a method of the pool that takes the arguments and then the time.
        """
        event(*arguments, time.monotonic())
        if self._dispatching:
            return
        self._dispatching = True
        try:
            self._effects.extend(self._pool.take_effects())
            while self._effects:
                effect = self._effects.popleft()
                self._handlers[type(effect)](effect)
                self._effects.extend(self._pool.take_effects())
        finally:
            self._dispatching = False
        self._set_timer()
        self._after_event()

    def close(self) -> None:
        """Tell the pool of no deadline any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self) -> None:
        self.close()
        deadline = self._pool.next_deadline()
        if deadline is not None:  # the loop's clock is CLOCK_MONOTONIC, as the pool's is
            self._timer = self._loop.call_at(max(deadline, time.monotonic() + _SHORTEST_TIMER), self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._before_tick()
        self.dispatch(self._pool.tick)
