"""The pid of a process: it is signalled, and its end is noticed, through a pidfd where the kernel has pidfds."""

from __future__ import annotations

import asyncio
import os
from typing import Callable, Optional

from spawner.system import linux

_POLL = 0.5  # seconds between two checks of a pid on kernels without pidfds


class PidMonitor:
    """Owns the pidfd. Without a pid it does nothing.

    :param uid: the user that the process runs as. A pid whose process has ended may be another process's by now: it is
        signalled only if it runs as this user.
    :param on_exit: called when the process has ended.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, uid: int, on_exit: Callable[[], None]) -> None:
        self._loop = loop
        self._uid = uid
        self._on_exit = on_exit
        self._timer: Optional[asyncio.TimerHandle] = None
        self.pid = 0
        self.pidfd: Optional[int] = None
        self.session = 0  # 0: not known
        self._becomes_user = False

    def set_pid(self, pid: int, pidfd: Optional[int], becomes_user: bool = False) -> None:
        """Watch this process from now on, and no other.

        :param pidfd: of this process, owned from now on; None: opened here.
        :param becomes_user: it is a child of this process, and still root (limited_start.py).
        """
        self.close()
        self.pid = pid
        self._becomes_user = becomes_user
        self.session = linux.session_of(pid)
        self.pidfd = pidfd if pidfd is not None else self._open_pidfd()
        if self.pidfd is not None:
            self._loop.add_reader(self.pidfd, self._exited)
        else:
            self._timer = self._loop.call_later(0, self._check_pid)

    def signal(self, number: int) -> None:
        """Signal the process, if its pid is still its own."""
        if self.pidfd is not None or linux.runs_as(self.pid, self._uid):
            linux.signal_process(self.pid, self.pidfd, number)

    @property
    def alive(self) -> bool:
        """Whether the process is known not to have ended."""
        return self.pidfd is not None and not linux.pidfd_has_ended(self.pidfd)

    @property
    def polling(self) -> bool:
        """Whether the pid is checked from time to time, for want of a pidfd."""
        return self._timer is not None

    def close(self) -> None:
        """Watch the process no longer and close the pidfd."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.pidfd is not None:
            self._loop.remove_reader(self.pidfd)
            linux.close_descriptor(self.pidfd)
            self.pidfd = None

    def _open_pidfd(self) -> Optional[int]:
        pidfd = linux.open_pidfd(self.pid)
        if pidfd is not None and not linux.runs_as(self.pid, self._uid):
            linux.close_descriptor(pidfd)
            return None
        return pidfd

    def _exited(self) -> None:
        if self.pidfd is not None:  # it stays open: its holder may still store it
            self._loop.remove_reader(self.pidfd)
        self._on_exit()

    def _is_it(self) -> bool:
        if linux.runs_as(self.pid, self._uid):
            self._becomes_user = False
            return True
        return self._becomes_user and linux.is_child(self.pid, os.getpid(), 0)

    def _check_pid(self) -> None:
        if linux.process_exists(self.pid) and self._is_it():
            self._timer = self._loop.call_later(_POLL, self._check_pid)
        else:
            self._exited()
