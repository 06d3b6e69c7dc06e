"""What the kernel tells of a process's memory as a whole: /proc/<pid>/smaps_rollup (proc(5), Linux 4.14 and newer)."""

from __future__ import annotations

_KIB = 1024
_ENOUGH = 65_536  # bytes; the file has some 20 lines


def shares_of(pid: int) -> dict[str, int]:
    """The sizes by their names there, such as `Pss`, in bytes.

    :raises OSError: the process has gone, or may not be looked at.
    """
    with open("/proc/%d/smaps_rollup" % pid, "rb", buffering=0) as file:
        lines = [line.split() for line in (file.read(_ENOUGH) or b"").splitlines()]
    return {words[0].rstrip(b":").decode(): int(words[1]) * _KIB for words in lines if words[2:] == [b"kB"]}
