"""What each Python target uses: atheris, and the input taken piece by piece."""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import AbstractContextManager
from typing import Callable, Sequence, TypeVar

import atheris

Choice = TypeVar("Choice")


def instrumented() -> AbstractContextManager[None]:
    """Within it, modules of the spawner are imported so that the fuzzer sees which branches run."""
    context: AbstractContextManager[None] = atheris.instrument_imports(include=["spawner"])
    return context


class Input:
    """The rest of an input. When it is used up, zeros come."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._next = 0

    @property
    def left(self) -> int:
        """How many bytes are left."""
        return max(0, len(self._data) - self._next)

    def number(self, size: int = 1) -> int:
        """The next bytes as a number."""
        return int.from_bytes(self.take(size).ljust(size, b"\0"), "big")

    def take(self, most: int) -> bytes:
        """Up to so many bytes."""
        taken = self._data[self._next : self._next + most]
        self._next += most
        return taken

    def choice(self, of: Sequence[Choice]) -> Choice:
        """One of these, by the next byte."""
        return of[self.number() % len(of)]

    def text(self, most: int = 64) -> str:
        """The next bytes, whose number comes first, as text of a control line."""
        return self.take(self.number() % (most + 1)).decode("utf-8", "surrogateescape")


class Stopwatch:
    """Bounds the processor time of what it surrounds.

    A pattern that goes back and forth over a text takes minutes, not seconds.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._began = time.thread_time()

    def check(self) -> None:
        """It was not too long."""
        used = time.thread_time() - self._began
        assert used < self._seconds, "it took %.1f s" % used


def open_descriptors() -> int:
    """How many this process has."""
    return len(os.listdir("/proc/self/fd"))


def wait_for_closings() -> None:
    """Until the thread that closes the sockets of strangers has closed all that there are."""
    from spawner.system import interruptible_calls

    done = threading.Event()
    interruptible_calls._shared.submit(done.set)
    done.wait()


def fuzz(one: Callable[[bytes], None]) -> None:
    """Run the target with the command line's options of libFuzzer, which may execute the program anew (-merge=1)."""
    atheris.Setup([os.environ["JUMPSEAT_FUZZ_PROGRAM"], *sys.argv[1:]], one)
    atheris.Fuzz()
