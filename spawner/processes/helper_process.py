"""Runs short programs beside the loop: hooks, and those that write a file with the rights of an app's user."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess  # nosec B404  # runs hooks
from dataclasses import dataclass
from typing import Callable, Mapping, Optional, Sequence

from spawner.processes.reaper import Reaper
from spawner.system import linux
from spawner.system.linux import Identity
from spawner.system.process_limits import InheritedLimits

_OUTPUT_LIMIT = 16_384  # bytes that are kept of the output of one
_READ_SIZE = 65_536


@dataclass(frozen=True)
class HelperResult:
    """How a helper process has ended.

    :ivar status: as waitpid gives it.
    :ivar timed_out: it was killed because it took too long.
    :ivar output: the beginning of what it wrote to standard output and standard error.
    """

    status: int
    timed_out: bool
    output: str

    @property
    def succeeded(self) -> bool:
        """Whether it ended by itself with status 0."""
        return self.status == 0 and not self.timed_out


class HelperProcesses:
    """Starts helper processes, never waits for them, and calls back when they end.

    :param limits: those that programs get, which are not the spawner's own.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, reaper: Reaper, limits: InheritedLimits) -> None:
        self._loop = loop
        self._reaper = reaper
        self._limits = limits
        self._running: set[_Helper] = set()

    @property
    def count(self) -> int:
        """How many run."""
        return len(self._running)

    def start(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        timeout: float,
        on_exit: Callable[[HelperResult], None],
        identity: Optional[Identity] = None,
        stdin: int = subprocess.DEVNULL,
    ) -> None:
        """Start a program in a session of its own, in the root folder, without descriptors of ours.

        :param timeout: seconds, after which it is killed, with all that it has started in its process group.
        :param on_exit: called once, later.
        :param identity: the user that it runs as; None: the spawner's own.
        :param stdin: a descriptor, which stays the caller's.
        :raises OSError: it cannot be started.
        """
        read_end, write_end = os.pipe()
        switch = identity is not None and identity.switch
        try:
            process = subprocess.Popen(  # nosec B603  # a list of words, without a shell
                self._limits.with_open_files_limit(arguments),
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
        process.returncode = 0  # the reaper waits for it, not Popen
        linux.set_oom_score_adj(self._limits.oom_score_adj, process.pid)

        def ended(result: HelperResult) -> None:
            self._running.discard(helper)
            on_exit(result)

        helper = _Helper(self._loop, process.pid, read_end, timeout, ended)
        self._running.add(helper)
        self._reaper.watch(process.pid, helper.on_exit)

    def close(self) -> None:
        """Kill those that still run; their `on_exit` is not called."""
        for helper in list(self._running):
            self._reaper.unwatch(helper.pid)
            helper.kill()
            helper.close()
        self._running.clear()


class _Helper:
    """One helper process from its start to its end."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        pid: int,
        pipe: int,
        timeout: float,
        on_exit: Callable[[HelperResult], None],
    ) -> None:
        self.pid = pid
        self._loop = loop
        self._pipe = pipe
        self._on_exit = on_exit
        self._output = b""
        self._timed_out = False
        self._timer = loop.call_later(timeout, self._on_timeout)
        os.set_blocking(pipe, False)
        loop.add_reader(pipe, self._readable)

    def on_exit(self, status: int) -> None:
        """It has ended. Processes that it has started may still hold the pipe; they are not waited for."""
        self._loop.call_soon(self._finish, status)

    def kill(self) -> None:
        """SIGKILL its process group. Nobody has waited for it yet, so the number still belongs to it."""
        with contextlib.suppress(OSError):
            os.killpg(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Close its output."""
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
        self._on_exit(HelperResult(status, self._timed_out, self._output.decode("utf-8", "replace").rstrip("\n")))

    def _on_timeout(self) -> None:
        self._timed_out = True
        self.kill()

    def _readable(self) -> None:
        try:
            data = os.read(self._pipe, _READ_SIZE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._output += data[: _OUTPUT_LIMIT - len(self._output)]
        if not data:
            self._loop.remove_reader(self._pipe)
