"""Makes a program of each target in build/fuzz: the C targets are built with clang, libFuzzer and the address and
undefined-behaviour sanitizers; those in Python are scripts that start atheris."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .targets import BUILD, CHECKOUT, FOLDER, TARGETS, Target

SOURCES = CHECKOUT / "apache_module" / "src"
C = FOLDER / "c"
REQUEST = ("handler", "environment", "http_head", "registration", "overflow_report", "spawner_call", "worker_head")
#: Of the module: what handles a request. Deciding which app it is for, and reading directives, ask httpd much more.
HANDLING = [
    *(path for room in ("core", "proxy", "output", "errors") for path in sorted((SOURCES / room).glob("*.c"))),
    *(SOURCES / "request" / (name + ".c") for name in REQUEST),
    *(SOURCES / "config" / (name + ".c") for name in ("configuration", "instance", "htaccess", "generated/options")),
]
STUB = [C / "httpd_stub.c", C / "world.c"]
SANITIZERS = "address,undefined"
#: stddef.h first: then APR's macro for the offset of a field is the compiler's own one.
FLAGS = ["-std=c11", "-D_GNU_SOURCE", "-O1", "-g", "-fno-omit-frame-pointer", "-pthread", "-include", "stddef.h"]
FLAGS += ["-fno-sanitize-recover=all", "-Wall", "-Wextra", "-Werror", '-DJUMPSEAT_VERSION="0"']


class BuildError(Exception):
    """What the compiler says, or what is missing."""


def run(command: list[str]) -> str:
    """The command's output."""
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise BuildError("%s is missing: run scripts/packages test" % command[0]) from error
    if done.returncode != 0:
        raise BuildError("%s\n%s" % (shlex.join(command), done.stdout + done.stderr))
    return done.stdout


def include_flags() -> list[str]:
    """For httpd's headers, which are not ours to warn of, and for our own."""
    folders = [run(["apxs", "-q", name]).strip() for name in ("INCLUDEDIR", "APR_INCLUDEDIR", "APU_INCLUDEDIR")]
    definitions = shlex.split(run([run(["apxs", "-q", "APR_CONFIG"]).strip(), "--cppflags"]))
    headers = [flag for folder in dict.fromkeys(folders) for flag in ("-isystem", folder)]
    return [*headers, *definitions, "-I%s" % SOURCES, "-I%s" % C]


def clang() -> str:
    return os.environ.get("CLANG", "clang")


class Builder:
    """Compiles what is older than its source or any header, and links what is older than its objects."""

    def __init__(self, folder: Path, *, coverage: bool = False) -> None:
        """`coverage`: count which lines run, for llvm-cov, instead of looking for faults."""
        self.folder = folder
        self._ours = ["-fprofile-instr-generate", "-fcoverage-mapping"] if coverage else []
        # The harness is not measured: else the fuzzer would hunt for paths through it.
        self._product = self._ours or ["-fsanitize=fuzzer-no-link," + SANITIZERS]
        self._harness = ["-fsanitize=" + SANITIZERS] if not coverage else []
        self._linking = ["-fsanitize=fuzzer" + ("" if coverage else "," + SANITIZERS), *self._ours]
        self._newest_header = max(path.stat().st_mtime for root in (SOURCES, C) for path in root.rglob("*.h"))
        self._includes = include_flags()

    def build(self, targets: list[Target]) -> None:
        """Makes a program of each target's name in the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        harness = [*STUB, *(C / (target.name + "_fuzz.c") for target in targets)]
        jobs = [(path, self._product) for path in HANDLING] + [(path, self._harness) for path in harness]
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda job: self._compile(*job), jobs))
            list(pool.map(self._link, targets))

    def _object(self, source: Path) -> Path:
        return self.folder / (source.parent.name + "-" + source.stem + ".o")

    def _compile(self, source: Path, flags: list[str]) -> None:
        made = self._object(source)
        if not made.exists() or made.stat().st_mtime < max(source.stat().st_mtime, self._newest_header):
            run([clang(), *FLAGS, *flags, *self._includes, "-c", str(source), "-o", str(made)])

    def _link(self, target: Target) -> None:
        product = HANDLING if target.is_with_httpd else [*(SOURCES / "core").glob("*.c"), *self._extra()]
        sources = [C / (target.name + "_fuzz.c"), *product, *(STUB if target.is_with_httpd else [])]
        objects = [self._object(source) for source in sources]
        program = self.folder / target.name
        if program.exists() and program.stat().st_mtime >= max(path.stat().st_mtime for path in objects):
            return
        wraps = ["-Wl,--wrap=" + name for name in target.wraps]
        libraries = ["-laprutil-1", "-lapr-1"]
        run([clang(), "-pthread", *self._linking, *map(str, objects), *wraps, *libraries, "-o", str(program)])

    @staticmethod
    def _extra() -> list[Path]:
        return [SOURCES / "output" / "response_spool.c"]


def write_script(target: Target, folder: Path) -> None:
    """Makes the program of a target in Python."""
    program = folder / target.name
    lines = ["#!/bin/sh", 'export PYTHONPATH="%s" JUMPSEAT_FUZZ_PROGRAM="%s"' % (CHECKOUT, program)]
    lines.append('exec "%s" -B -m tests.fuzz.python.%s_fuzz "$@"' % (sys.executable, target.name))
    program.write_text("\n".join(lines) + "\n", encoding="utf-8")
    program.chmod(0o755)


def build(*, coverage: bool = False) -> Path:
    """Makes the programs of all targets, or those in C for the counting of lines; returns their folder.

    :raises BuildError: something does not compile, or is missing.
    """
    folder = BUILD / ("coverage" if coverage else "bin")
    Builder(folder, coverage=coverage).build([target for target in TARGETS if target.is_c])
    for target in TARGETS:
        if not target.is_c and not coverage:
            write_script(target, folder)
    return folder
