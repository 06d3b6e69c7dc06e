"""Notices that there are no file descriptors left, before half of something has been made with the last ones."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
from typing import Optional

from spawner.logs.log import Log
from spawner.system.linux import SCARCE

_FOR_A_START = 16  # descriptors: line, output, pidfd, an own socket, and what a start needs for a moment
_SAY_AGAIN = 60.0  # seconds


class DescriptorExhaustion:
    """Says it once when descriptors run out, and once when there are some again."""

    def __init__(self, loop: asyncio.AbstractEventLoop, log: Log) -> None:
        self._loop = loop
        self._log = log
        self._said: Optional[float] = None

    def enough(self) -> bool:
        """Whether there are enough for the start of a process."""
        taken: list[int] = []
        try:
            while len(taken) < _FOR_A_START:
                taken.append(os.dup(2))
        except OSError as error:
            if error.errno not in SCARCE:
                return True  # whatever it is, the start meets it and has words for it
            self.met("starts of apps wait", error)
            return False
        finally:
            for descriptor in taken:
                os.close(descriptor)
        if self._said is not None:
            self._said = None
            self._log.notice(3105, "there are file descriptors again: what waited for them goes on")
        return True

    def met(self, consequence: str, error: OSError) -> None:
        """Log that something could not be done for want of descriptors, once a minute.

        :param consequence: what becomes of it.
        """
        now = self._loop.time()
        if self._said is None or now - self._said >= _SAY_AGAIN:
            self._said = now
            whose = "this machine has" if error.errno == errno.ENFILE else "the spawner has"
            limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
            text = "%s no file descriptors left (its limit is %d, LimitNOFILE of Apache's unit or ulimit -n): %s until "
            self._log.error(3106, (text + "some are free again") % (whose, limit, consequence))
