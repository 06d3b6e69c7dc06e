"""The Python side of `jumpseat_spawner_main`. It runs in the spawner's process only.

The init code of the shared object (apache_module/build.py) imports it, in the child that httpd's parent has forked.
"""

from __future__ import annotations

from typing import Any

# There is no such file: the shared object registers this module when the interpreter starts.
from _jumpseat_embedding import ffi  # type: ignore[import-not-found]

from spawner.daemon.main import main
from spawner.shared.constants import SPAWNER_RAN

FAILED = 1


@ffi.def_extern(error=SPAWNER_RAN + FAILED)  # type: ignore[untyped-decorator, unused-ignore]
def jumpseat_spawner_main(parameters: Any, length: int) -> int:
    """Run the spawner. An exception is printed to stderr, which is the error log, and ends it with status 1."""
    try:
        return SPAWNER_RAN + main(bytes(ffi.buffer(parameters, length)))
    except SystemExit as ending:
        return SPAWNER_RAN + (ending.code if isinstance(ending.code, int) else int(ending.code is not None))
