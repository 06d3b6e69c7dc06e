"""The limits that the spawner changes for itself, OOM score and open files, and what apps and hooks get instead."""

from __future__ import annotations

import resource
from dataclasses import dataclass
from typing import Optional, Sequence

from spawner.system import linux

_OWN_OOM_SCORE = -500  # the kernel is to kill apps before the spawner
_SHELL = "/bin/sh"
_SET_LIMIT_AND_EXECUTE = 'ulimit -S -n "$1" && shift && exec "$@"'


@dataclass(frozen=True)
class InheritedLimits:
    """The limits that httpd gave to the spawner: programs that the spawner starts get these, not the spawner's own.

    :ivar oom_score_adj: -1000 to 1000, see linux.oom_score_adj.
    :ivar open_files: the soft limit of open files (RLIMIT_NOFILE); None: the spawner has not changed it.
    """

    oom_score_adj: int
    open_files: Optional[int] = None

    def with_open_files_limit(self, arguments: Sequence[str]) -> tuple[str, ...]:
        """A command line that sets httpd's limit of open files, then executes the given one.

        The program sets it for itself: prlimit(2) for another user's process takes CAP_SYS_RESOURCE, which containers
        have not.
        """
        if self.open_files is None:
            return tuple(arguments)
        return (_SHELL, "-c", _SET_LIMIT_AND_EXECUTE, _SHELL, str(self.open_files), *arguments)


def current_limits() -> InheritedLimits:
    """The limits of this process, none of which is changed."""
    return InheritedLimits(linux.oom_score_adj())


def raise_own_limits() -> InheritedLimits:
    """Lower this process's OOM score, and raise its limit of open files to the hard limit.

    Each process of an app takes three descriptors of the spawner, so that httpd's usual 1024 would limit all apps
    together.

    :returns: the limits as they were.
    """
    before = linux.oom_score_adj()
    linux.set_oom_score_adj(_OWN_OOM_SCORE)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == hard or soft == resource.RLIM_INFINITY:
        return InheritedLimits(before)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):
        return InheritedLimits(before)
    return InheritedLimits(before, soft)
