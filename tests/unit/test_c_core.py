"""Builds the httpd-free C core into plain test programs and runs each of their tests by name.

With SANITIZE=1 in the environment they are built with the address and undefined-behaviour sanitizers.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Iterator

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "apache_module" / "src"
TESTS = ROOT / "tests" / "c"
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"] if os.environ.get("SANITIZE") == "1" else []
FLAGS = ["-std=c11", "-D_GNU_SOURCE", "-O1", "-g"]
WARNINGS = ["-Wall", "-Wextra", "-Werror", "-Wshadow", "-Wconversion", "-Wno-sign-conversion"]
SECONDS = 120
#: What an object is built upon, beside itself.
NEEDS = {"backend_reader": ["backend", "response_spool"]}
#: Headers of the system and of the core, beyond the usual ones.
MORE_HEADERS = {
    "backend": {"errno.h", "sys/socket.h", "sys/uio.h", "sys/un.h", "unistd.h"},
    "backend_reader": {"core/backend.h", "errno.h", "output/response_spool.h", "poll.h", "pthread.h", "signal.h"}
    | {"sys/eventfd.h", "sys/socket.h", "time.h", "unistd.h"},
    "response_head": {"core/route.h"},
    "response_spool": {"errno.h", "unistd.h"},
    "route_cookie": {"core/route.h"},
}


def source(name: str) -> Path:
    """The C file of that name in any folder of the sources."""
    (path,) = SOURCES.rglob(f"{name}.c")
    return path


def declared() -> Iterator[tuple[str, str]]:
    """Each test of each program: (file stem, test name)."""
    for path in sorted(TESTS.glob("*_test.c")):
        for name in re.findall(r"^TEST\((\w+)\)", path.read_text(encoding="utf-8"), re.MULTILINE):
            yield path.stem, name


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with one program per file of tests."""
    folder = tmp_path_factory.mktemp("c_core")
    for path in TESTS.glob("*_test.c"):
        name = path.stem[: -len("_test")]
        core = [str(source(each)) for each in [name, *NEEDS.get(name, [])]]
        command = ["cc", *FLAGS, *WARNINGS, *SANITIZERS, "-pthread", "-I", str(SOURCES), str(path), *core]
        subprocess.run([*command, "-o", str(folder / path.stem)], check=True, timeout=SECONDS)
    return folder


@pytest.mark.parametrize(("program", "name"), list(declared()))
def test_core(programs: Path, program: str, name: str) -> None:
    """The test exits with 0 and says nothing."""
    command = [str(programs / program), name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, cwd=programs)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_readers_thread_shares_nothing_without_the_lock(tmp_path: Path) -> None:
    """Under ThreadSanitizer, which wants addresses that are not random."""
    core = [str(source(each)) for each in ["backend_reader", *NEEDS["backend_reader"]]]
    tests = str(TESTS / "backend_reader_test.c")
    program = str(tmp_path / "program")
    command = ["cc", *FLAGS, "-fsanitize=thread", "-pthread", "-I", str(SOURCES), tests, *core, "-o", program]
    subprocess.run(command, check=True, timeout=SECONDS)
    done = subprocess.run(["setarch", "-R", program], capture_output=True, text=True, timeout=SECONDS, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "name",
    [
        "accept",
        "backend",
        "backend_reader",
        "frames",
        "group_cache",
        "heartbeat",
        "netstring",
        "overflow_count",
        "response_head",
        "response_spool",
        "route_cookie",
        "time_limits",
    ],
)
def test_the_core_includes_no_header_of_httpd(name: str) -> None:
    path = source(name)
    own = path.with_suffix(".h")
    allowed = {str(own.relative_to(SOURCES)), "stddef.h", "stdint.h", "stdlib.h", "string.h", "strings.h"}
    allowed |= MORE_HEADERS.get(name, set())
    for each in (path, own):
        included = set(re.findall(r'^#include [<"]([^>"]+)', each.read_text(encoding="utf-8"), re.MULTILINE))
        assert included <= allowed
