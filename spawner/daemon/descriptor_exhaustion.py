"""Notices that the file descriptors run out, before a start fails half way for want of them."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
from typing import Optional

from spawner.logs.log import Log
from spawner.system.linux import DESCRIPTOR_ERRORS

_NEEDED = 16  # descriptors for a start: line, output, pidfd, an own socket, and those that are closed again
_LOG_INTERVAL = 60.0  # seconds


class DescriptorExhaustion:
    """Logs once a minute that there are no descriptors left, and once that some are free again."""

    def __init__(self, loop: asyncio.AbstractEventLoop, log: Log) -> None:
        self._loop = loop
        self._log = log
        self._logged_at: Optional[float] = None

    def can_start_process(self) -> bool:
        """Whether there are enough descriptors for the start of a process."""
        taken: list[int] = []
        try:
            while len(taken) < _NEEDED:
                taken.append(os.dup(2))
        except OSError as error:
            if error.errno not in DESCRIPTOR_ERRORS:
                return True  # another error: the start meets it, too, and reports it
            self.report("starts of apps wait", error)
            return False
        finally:
            for descriptor in taken:
                os.close(descriptor)
        if self._logged_at is not None:
            self._logged_at = None
            self._log.notice(3105, "file descriptors are free again: what waited for them goes on")
        return True

    def report(self, consequence: str, error: OSError) -> None:
        """Log that something cannot be done for want of descriptors.

        :param consequence: what happens instead.
        """
        now = self._loop.time()
        if self._logged_at is None or now - self._logged_at >= _LOG_INTERVAL:
            self._logged_at = now
            whose = "this machine" if error.errno == errno.ENFILE else "the spawner"
            limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
            text = (
                "no file descriptors left: %s has none (the spawner's limit is %d, LimitNOFILE of Apache's unit or "
                "ulimit -n); %s until some are free again"
            )
            self._log.error(3106, text % (whose, limit, consequence))
