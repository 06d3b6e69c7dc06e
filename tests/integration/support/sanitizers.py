"""`make test SANITIZE=1`: the module built with AddressSanitizer and UndefinedBehaviorSanitizer, and what they report.

Each process of httpd, the spawner among them, writes a report into a file of its own, whichever user it runs as. No
test can allow one. Apps do not run under a sanitizer: the spawner gives them an environment of their own.
"""

from __future__ import annotations

import functools
import os
import subprocess
from pathlib import Path

#: Whether this run of the tests is with the sanitizers.
ARE_ON = os.environ.get("SANITIZE") == "1"

#: Where `make` builds the module for these tests, below the checkout; the ordinary module stays what it is.
MODULE_FOLDER = "build/sanitized" if ARE_ON else "build"

#: Of the signals that a sanitizer takes for a crash, tests send some on purpose. Without a handler, httpd and the
#: checks of each test see every crash as they do otherwise.
_OWN_SIGNALS = ["handle_segv=0", "handle_sigbus=0", "handle_abort=0", "handle_sigill=0", "handle_sigfpe=0"]
#: What httpd, APR, OpenSSL and Python keep until they end is no leak of ours, and what the module has is in pools. The
#: tests of the C core, which have no httpd, look for leaks.
_OPTIONS = ["detect_leaks=0", "detect_stack_use_after_return=1", "strict_string_checks=1", "disable_coredump=0"]
#: Little of what is freed is kept: some tests look at how a process grows.
_OPTIONS += ["quarantine_size_mb=1", "thread_local_quarantine_size_kb=16"]

#: How many times as much memory a process may take: that which its allocator holds is more.
MEMORY_FACTOR = 3 if ARE_ON else 1


@functools.lru_cache(maxsize=None)
def _libraries() -> str:
    """httpd itself is built without sanitizers, so their libraries have to come before it."""
    return ":".join(map(_library, ("libasan.so", "libubsan.so")))


def _library(name: str) -> str:
    command = ["cc", f"-print-file-name={name}"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def make_report_folder(folder: Path) -> Path:
    """Where all processes of one httpd may write, whoever they run as."""
    reports = folder / "sanitizers"
    reports.mkdir()
    reports.chmod(0o1777)
    return reports


def environment(reports: Path) -> dict[str, str]:
    """What httpd is started with, so that it can load the module; nothing without the sanitizers."""
    if not ARE_ON:
        return {}
    address = ":".join([f"log_path={reports}/address", *_OPTIONS, *_OWN_SIGNALS])
    undefined = f"log_path={reports}/undefined:print_stacktrace=1"
    return {"LD_PRELOAD": _libraries(), "ASAN_OPTIONS": address, "UBSAN_OPTIONS": undefined}


def take_reports(reports: Path) -> list[str]:
    """Each report since the last call, whole."""
    found = []
    for path in sorted(reports.glob("*")):
        found.append(f"{path.name}:\n{path.read_text(errors='replace')}")
        path.unlink()
    return found
