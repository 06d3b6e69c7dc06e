"""Has a process that maps libpython an initialised interpreter? Read from its memory, without a debugger."""

from __future__ import annotations

import functools
import re
import subprocess
from pathlib import Path

#: `int initialized` of `_PyRuntimeState`, in bytes from its start: the fifth int in CPython 3.9 to 3.12.
OFFSET_OF_INITIALIZED = 16
MAPPING = re.compile(r"^([0-9a-f]+)-[0-9a-f]+ \S+ 0+ \S+ \d+ +(\S*/libpython3\.(\d+)\S*)$", re.MULTILINE)


def python_is_initialised(pid: int) -> bool:
    """What Py_IsInitialized() would answer in that process; False where no libpython is mapped, or it has ended.

    Raises LookupError for a libpython whose layout is not known here.
    """
    try:
        found = MAPPING.search(Path(f"/proc/{pid}/maps").read_text())
        return found is not None and _is_set(pid, found)
    except (FileNotFoundError, ProcessLookupError):
        return False


def _is_set(pid: int, found: re.Match[str]) -> bool:
    if not 9 <= int(found.group(3)) <= 12:
        raise LookupError(f"the layout of {found.group(2)} is not known")
    address = int(found.group(1), 16) + _address_of_runtime(found.group(2)) + OFFSET_OF_INITIALIZED
    with open(f"/proc/{pid}/mem", "rb") as memory:
        memory.seek(address)
        return int.from_bytes(memory.read(4), "little") == 1


@functools.lru_cache(maxsize=None)
def _address_of_runtime(library: str) -> int:
    listing = subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True, text=True, check=True).stdout
    line = next(line for line in listing.splitlines() if re.search(r" _PyRuntime(@|$)", line))
    return int(line.split()[0], 16)
