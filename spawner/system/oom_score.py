"""What the spawner changes about its own standing with the kernel, and how apps and hooks get back what httpd had."""

from __future__ import annotations

import resource
from dataclasses import dataclass
from typing import Optional, Sequence

from spawner.system import linux

_OOM_SCORE = -500  # apps before the spawner
_SHELL = "/bin/sh"
_LOWER = 'ulimit -S -n "$1" && shift && exec "$@"'


@dataclass(frozen=True)
class Inherited:
    """What the spawner had from httpd before it changed it.

    :ivar oom_score: see linux.oom_score_adj.
    :ivar descriptors: the soft limit of open files; None: the spawner has it still.
    """

    oom_score: int
    descriptors: Optional[int] = None

    def limited(self, arguments: Sequence[str]) -> tuple[str, ...]:
        """A command line that executes the other one with the soft limit that httpd had.

        Not prlimit(2) from outside: for another user's process that takes CAP_SYS_RESOURCE, which containers have not.
        """
        if self.descriptors is None:
            return tuple(arguments)
        return (_SHELL, "-c", _LOWER, _SHELL, str(self.descriptors), *arguments)


def present() -> Inherited:
    """How things stand, with nothing changed."""
    return Inherited(linux.oom_score_adj())


def protect() -> Inherited:
    """Have the kernel kill others first, and take as many descriptors as the administrator allows.

    Each process of an app takes three descriptors, so that httpd's usual 1024 would be a limit of the whole server.
    """
    before = linux.oom_score_adj()
    linux.set_oom_score_adj(_OOM_SCORE)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == hard or soft == resource.RLIM_INFINITY:
        return Inherited(before)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):
        return Inherited(before)
    return Inherited(before, soft)
