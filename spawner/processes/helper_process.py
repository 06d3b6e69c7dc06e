"""Runs programs that take a moment: hooks, and what writes a file with the rights of an app's user."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from dataclasses import dataclass
from typing import Callable, Mapping, Optional, Sequence

from spawner.processes.reaper import Reaper
from spawner.system import linux
from spawner.system.linux import Identity
from spawner.system.oom_score import Inherited

_OUTPUT_LIMIT = 16_384  # bytes that are kept of what one program writes
_READ = 65_536


@dataclass(frozen=True)
class Outcome:
    """How a program has ended.

    :ivar status: as waitpid gives it.
    :ivar late: it was killed because it took too long.
    :ivar output: the beginning of what it wrote to standard output and standard error.
    """

    status: int
    late: bool
    output: str

    @property
    def succeeded(self) -> bool:
        """Whether it ended by itself with status 0."""
        return self.status == 0 and not self.late


class HelperProcesses:
    """Starts programs without ever waiting for them, and sees them end.

    :param inherited: what programs get back of what the spawner has changed for itself.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, reaper: Reaper, inherited: Inherited) -> None:
        self._loop = loop
        self._reaper = reaper
        self._inherited = inherited
        self._running: set[_Run] = set()

    @property
    def count(self) -> int:
        """How many run."""
        return len(self._running)

    def start(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        seconds: float,
        done: Callable[[Outcome], None],
        identity: Optional[Identity] = None,
        stdin: int = subprocess.DEVNULL,
    ) -> None:
        """Start a program in a session of its own, in the root folder, with nothing of ours open.

        :param seconds: after these it is killed, with all that it has started in its process group.
        :param done: called once, later.
        :param identity: whose rights it has; None: the spawner's own.
        :param stdin: a descriptor, which stays the caller's.
        :raises OSError: it cannot be started.
        """
        read_end, write_end = os.pipe()
        switch = identity is not None and identity.switch
        try:
            process = subprocess.Popen(
                self._inherited.limited(arguments),
                env=dict(environment),
                cwd="/",
                stdin=stdin,
                stdout=write_end,
                stderr=write_end,
                start_new_session=True,
                umask=0o022,
                user=identity.uid if identity is not None and switch else None,
                group=identity.gid if identity is not None and switch else None,
                extra_groups=identity.groups if identity is not None and switch else None,
            )
        except BaseException:
            os.close(read_end)
            raise
        finally:
            os.close(write_end)
        process.returncode = 0  # the reaper waits for it, Popen is not to
        linux.set_oom_score_adj(self._inherited.oom_score, process.pid)
        run = _Run(self._loop, process.pid, read_end, seconds, lambda outcome: self._ended(run, done, outcome))
        self._running.add(run)
        self._reaper.watch(process.pid, run.ended)

    def close(self) -> None:
        """Kill what still runs; nobody is told of its end."""
        for run in list(self._running):
            self._reaper.unwatch(run.pid)
            run.kill()
            run.close()
        self._running.clear()

    def _ended(self, run: "_Run", done: Callable[[Outcome], None], outcome: Outcome) -> None:
        self._running.discard(run)
        done(outcome)


class _Run:
    """One program from its start to its end."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        pid: int,
        pipe: int,
        seconds: float,
        done: Callable[[Outcome], None],
    ) -> None:
        self.pid = pid
        self._loop = loop
        self._pipe = pipe
        self._done = done
        self._output = b""
        self._late = False
        self._timer = loop.call_later(seconds, self._too_late)
        os.set_blocking(pipe, False)
        loop.add_reader(pipe, self._readable)

    def ended(self, status: int) -> None:
        """It has been waited for; what it has started itself may still hold the pipe and is not waited for."""
        self._loop.call_soon(self._finish, status)

    def kill(self) -> None:
        """SIGKILL it and its process group; it has not been waited for, so that the number is still its own."""
        with contextlib.suppress(OSError):
            os.killpg(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Read its output no longer."""
        self._timer.cancel()
        if self._pipe >= 0:
            self._loop.remove_reader(self._pipe)
            os.close(self._pipe)
            self._pipe = -1

    def _finish(self, status: int) -> None:
        if self._pipe < 0:
            return
        self._readable()
        self.close()
        self._done(Outcome(status, self._late, self._output.decode("utf-8", "replace").rstrip("\n")))

    def _too_late(self) -> None:
        self._late = True
        self.kill()

    def _readable(self) -> None:
        try:
            data = os.read(self._pipe, _READ)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._output += data[: _OUTPUT_LIMIT - len(self._output)]
        if not data:
            self._loop.remove_reader(self._pipe)
