"""Builds the C sources that know no httpd into plain test programs and runs each of their tests by name.

With SANITIZE=1 in the environment they are built with the address and undefined-behaviour sanitizers.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Iterator

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "apache_module" / "src"
TESTS = ROOT / "tests" / "c"
VECTORS = ROOT / "tests" / "protocol"
#: What is tested without httpd: all of core/, and these.
OTHERS = ["parent/spawner_handles.c", "output/read_ahead.c", "output/response_spool.c"]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"] if os.environ.get("SANITIZE") == "1" else []
FLAGS = ["-std=c11", "-D_GNU_SOURCE", "-O1", "-g", "-pthread", "-I", str(SOURCES), f'-DVECTORS="{VECTORS}"']
WARNINGS = ["-Wall", "-Wextra", "-Werror", "-Wshadow", "-Wconversion", "-Wno-sign-conversion"]
SECONDS = 120


def declared() -> Iterator[tuple[str, str]]:
    """Each test of each program: (file stem, test name)."""
    for path in sorted(TESTS.glob("*_test.c")):
        for name in re.findall(r"^TEST\((\w+)\)", path.read_text(encoding="utf-8"), re.MULTILINE):
            yield path.stem, name


def apr(*wanted: str) -> list[str]:
    """Flags for APR, which the core uses."""
    script = subprocess.run(["apxs", "-q", "APR_CONFIG"], check=True, capture_output=True, text=True).stdout.strip()
    answer = subprocess.run([script, *wanted], check=True, capture_output=True, text=True).stdout
    # Its headers are not ours to warn of.
    return [flag for word in shlex.split(answer) for flag in (["-isystem", word[2:]] if word[:2] == "-I" else [word])]


def compile_programs(folder: Path, names: list[str], *flags: str) -> None:
    """Makes one program per file of tests there, each with all that is tested."""
    sources = [*sorted((SOURCES / "core").glob("*.c")), *(SOURCES / each for each in OTHERS)]
    compiler = ["cc", *FLAGS, *flags, *apr("--cppflags", "--includes")]
    subprocess.run([*compiler, "-c", *map(str, sources)], check=True, timeout=SECONDS, cwd=folder)
    objects = [f"{path.stem}.o" for path in sources]
    for name in names:
        command = [*compiler, str(TESTS / f"{name}.c"), *objects, *apr("--link-ld"), "-o", name]
        subprocess.run(command, check=True, timeout=SECONDS, cwd=folder)


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with one program per file of tests."""
    folder = tmp_path_factory.mktemp("c_core")
    compile_programs(folder, [path.stem for path in TESTS.glob("*_test.c")], *WARNINGS, *SANITIZERS)
    return folder


@pytest.mark.parametrize(("program", "name"), list(declared()))
def test_core(programs: Path, program: str, name: str) -> None:
    """The test exits with 0 and says nothing."""
    command = [str(programs / program), name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, cwd=programs)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_readers_thread_shares_nothing_without_the_lock(tmp_path: Path) -> None:
    """Under ThreadSanitizer, which wants addresses that are not random."""
    compile_programs(tmp_path, ["read_ahead_test"], "-fsanitize=thread")
    command = ["setarch", "-R", str(tmp_path / "read_ahead_test")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
