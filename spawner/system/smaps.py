"""What the kernel tells of a process's memory as a whole: /proc/<pid>/smaps_rollup (proc(5), Linux 4.14 and newer).

It walks the process's memory map for that: some 20 ms for each GB, or for ever where the map is locked.
"""

from __future__ import annotations

from typing import Mapping, Optional

from spawner.system.linux import Identity, file_system_identity

# Sizes by their names there, such as `Pss`, in bytes.
Shares = Mapping[str, int]

_KIB = 1024
_ENOUGH = 65_536  # bytes; the file has some 20 lines


def shares_of(pid: int, identity: Optional[Identity] = None) -> Optional[Shares]:
    """How much memory a process has. To be called in a thread that may wait: see MemoryReader.

    :param identity: whom it runs as, if that is known: in a container, root may look at its own processes only.
    :returns: None if it has gone or may not be looked at.
    """
    try:
        try:
            return _read(pid)
        except PermissionError:
            if identity is None:
                return None
            with file_system_identity(identity):
                return _read(pid)
    except (OSError, ValueError):
        return None


def _read(pid: int) -> Shares:
    with open("/proc/%d/smaps_rollup" % pid, "rb", buffering=0) as file:
        lines = [line.split() for line in (file.read(_ENOUGH) or b"").splitlines()]
    return {words[0].rstrip(b":").decode(): int(words[1]) * _KIB for words in lines if words[2:] == [b"kB"]}
