"""How many workers one app is to have. `Sizing` is the only writer of the target.

The target is what the group is steered towards: with fewer workers it starts some, with more it retires some. Beside it
a group may hold one worker more for a moment, while a restart or a replacement swaps workers; that one is never counted
as a worker that the app has kept.
"""

from __future__ import annotations

FULL_LOOKS = 2  # looks in a row that show every worker full and a request waiting: then one more worker comes


class Sizing:
    """The target of one group.

    Invariant: 0 <= target, and target <= the group's cap whenever the group has been settled.
    """

    def __init__(self) -> None:
        self._target = 0
        self._full_looks = 0

    @property
    def target(self) -> int:
        """How many workers the app is to have."""
        return self._target

    def kept(self, active: int) -> int:
        """How many workers the group holds, without the one more of a replacement.

        :param active: workers that serve or are starting.
        """
        return min(self._target, active)

    # More

    def begin(self, cap: int, minimum: int) -> None:
        """An app without workers begins with as many as it keeps at least, and with one in any case."""
        self._target = _first_size(cap, minimum)

    def keep_at_least(self, cap: int, minimum: int) -> None:
        """An app that has workers is to have at least as many as it would begin with."""
        if self._target:
            self._target = max(self._target, _first_size(cap, minimum))

    def note_look(self, full: bool) -> bool:
        """Count looks in a row at which no worker could take a request while one waited.

        :returns: whether there have been enough to grow.
        """
        self._full_looks = self._full_looks + 1 if full else 0
        return self._full_looks >= FULL_LOOKS

    def grow(self, active: int) -> None:
        """One more worker than there is."""
        self._full_looks = 0
        self._target = self.kept(active) + 1

    def raise_to(self, count: int) -> None:
        """At least so many."""
        self._target = max(self._target, count)

    # Fewer

    def shrink(self, active: int) -> None:
        """One worker fewer than there is."""
        self._target = max(0, self.kept(active) - 1)

    def limit(self, count: int) -> None:
        """So many at most: the cap, or what there is where nothing that goes is replaced."""
        self._target = min(self._target, count)

    def clear(self) -> None:
        """None: the app is cold, has failed or ends."""
        self._target = 0

    # What follows

    def surplus(self, serving: int) -> int:
        """How many of the workers that serve are too many."""
        return max(0, serving - self._target)

    def surplus_of_starts(self, active: int, one_more: int) -> int:
        """How many of the workers that are starting are too many.

        :param one_more: what a restart or a replacement may have above the target.
        """
        return max(0, active - self._target - one_more)

    # What an earlier spawner left

    def resume(self, serving: int, minimum: int) -> None:
        """As many as serve, and at least the minimum; growth brings back what was not too many."""
        self._target = max(serving, minimum)


def _first_size(cap: int, minimum: int) -> int:
    return min(cap, max(1, minimum))
