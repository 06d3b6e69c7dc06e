"""That the descriptors run out is noticed before a start, and said once a minute."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
from types import SimpleNamespace
from typing import Any, Iterator

from spawner.daemon.descriptor_exhaustion import DescriptorExhaustion

NO_MORE = OSError(errno.EMFILE, "Too many open files")


class Scene:
    """With a clock that a test moves, and the lines that were logged."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.lines: list[int] = []
        loop: Any = SimpleNamespace(time=lambda: self.now)
        log: Any = SimpleNamespace(error=self._note, notice=self._note)
        self.descriptors = DescriptorExhaustion(loop, log)

    def _note(self, number: int, text: str) -> None:
        self.lines.append(number)


@contextlib.contextmanager
def free_descriptors(count: int) -> Iterator[None]:
    """This process can open so many more."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = [os.dup(2) for _ in range(count)]  # the lowest numbers that are free
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(taken) + 1, before[1]))
    for descriptor in taken:
        os.close(descriptor)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_start_needs_sixteen_descriptors_and_the_look_leaves_none_open() -> None:
    scene = Scene()
    with free_descriptors(16):
        assert scene.descriptors.can_start_process()
        assert scene.descriptors.can_start_process(), "the look has given them back"
    with free_descriptors(15):
        assert not scene.descriptors.can_start_process()
    assert scene.lines == [3106]


def test_that_there_are_none_is_said_once_a_minute_and_once_that_there_are_again() -> None:
    scene = Scene()
    for _ in range(121):
        scene.descriptors.report("starts of apps wait", NO_MORE)
        scene.now += 1.0
    assert scene.lines == [3106] * 3
    for _ in range(2):
        assert scene.descriptors.can_start_process()
    assert scene.lines == [3106] * 3 + [3105]
    scene.descriptors.report("starts of apps wait", NO_MORE)
    assert scene.lines[-1] == 3106, "it is a new state"
