"""Runs the fuzz targets: `python -m tests.fuzz.run test|fuzz|keep|coverage`. `make help` says what for."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from .build import BuildError, build
from .targets import BUILD, CHECKOUT, TARGETS, Target

#: A single input that takes longer, on a machine that may be busy, is a finding.
LONGEST_INPUT_SECONDS = 60
SANITIZER_OPTIONS = "malloc_context_size=8:quarantine_size_mb=16:detect_leaks=1"
#: What is said of a finding, at most.
LINES_OF_FINDING = 40
#: The statuses of libFuzzer, atheris, and a program that has not begun, when SIGINT has ended them.
_INTERRUPTED = (72, 130, -signal.SIGINT)

_running: set[subprocess.Popen[bytes]] = set()


@dataclass
class Outcome:
    """Of one run of a target."""

    target: Target
    executions: int
    coverage: int
    seconds: float
    #: What the fuzzer says of a finding; None: there is none.
    finding: Optional[str]
    reproducer: Optional[Path] = None

    def __str__(self) -> str:
        return "%-16s %9d inputs, %5d places, %4d s: %s" % (
            self.target.name,
            self.executions,
            self.coverage,
            self.seconds,
            "A FINDING" if self.finding else "no finding",
        )


def environment() -> dict[str, str]:
    options = {"ASAN_OPTIONS": SANITIZER_OPTIONS, "UBSAN_OPTIONS": "print_stacktrace=1"}
    return {**os.environ, **options}


def run_target(target: Target, programs: Path, seconds: int, new: Path) -> Outcome:
    """First the inputs that are kept, then new ones for so long. `new`: where those go that show something new."""
    artifacts = BUILD / "findings"
    for folder in (new, artifacts, target.kept):
        folder.mkdir(parents=True, exist_ok=True)
    options = ["-max_total_time=%d" % seconds, "-max_len=%d" % target.longest, "-len_control=0", "-print_pcs=0"]
    options += ["-timeout=%d" % LONGEST_INPUT_SECONDS, "-rss_limit_mb=2048", "-verbosity=1", "-print_final_stats=1"]
    options += ["-dict=%s" % target.dictionary] if target.dictionary else []
    options += ["-artifact_prefix=%s/%s-" % (artifacts, target.name), str(new), str(target.kept)]
    began = time.monotonic()
    command = [str(programs / target.name), *options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment(), cwd=CHECKOUT
    ) as process:
        _running.add(process)
        text = process.communicate()[0].decode("utf-8", "replace")
        _running.discard(process)
    return _outcome(target, process.returncode, text, time.monotonic() - began)


def _stop_others() -> None:
    """Something was found: what else runs is not waited for."""
    for process in list(_running):
        process.send_signal(signal.SIGINT)


def _outcome(target: Target, status: int, text: str, seconds: float) -> Outcome:
    executions = [int(number) for number in re.findall(r"^#(\d+)\s", text, re.MULTILINE)]
    places = [int(number) for number in re.findall(r"cov: (\d+)", text)]
    finding = None
    reproducer = None
    if status not in (0, *_INTERRUPTED):
        lines = [line for line in text.splitlines() if not re.match(r"#\d+\s|INFO:|\s+NEW_FUNC", line)]
        finding = "\n".join(lines[:LINES_OF_FINDING])
        written = re.search(r"Test unit written to (\S+)", text)
        reproducer = Path(written.group(1)) if written else None
    return Outcome(target, max(executions, default=0), max(places, default=0), seconds, finding, reproducer)


def say_finding(outcome: Outcome, programs: Path) -> None:
    print("\n%s\n" % outcome.finding)
    print("FINDING in the fuzz target %s." % outcome.target.name)
    if outcome.reproducer:
        print("The input: %s" % outcome.reproducer)
        print("Again:     %s %s" % (programs / outcome.target.name, outcome.reproducer))
    print("When it is mended, put the input into %s." % outcome.target.kept)


def run_all(seconds_of: dict[str, int], jobs: int, found_in: Optional[Path]) -> int:
    """Runs the targets of `seconds_of`, `jobs` at a time; returns how many have found something, after which no further
    one begins. `found_in`: where new inputs go; None: nowhere."""
    programs = BUILD / "bin"
    findings = 0

    def run_one(target: Target) -> Optional[Outcome]:
        if findings:
            return None
        with tempfile.TemporaryDirectory(prefix="jumpseat-fuzz-") as scratch:
            new = found_in / target.name if found_in else Path(scratch)
            return run_target(target, programs, seconds_of[target.name], new)

    with ThreadPoolExecutor(jobs) as pool:
        for outcome in pool.map(run_one, [each for each in TARGETS if each.name in seconds_of]):
            if outcome is None:
                continue
            print(outcome, flush=True)
            if outcome.finding:
                findings += 1
                say_finding(outcome, programs)
                _stop_others()
    return findings


def shares(seconds: float, jobs: int, targets: list[Target]) -> dict[str, int]:
    """How long each target runs, so that all together take so long."""
    total = sum(target.share for target in targets)
    return {target.name: max(1, round(seconds * jobs * target.share / total)) for target in targets}


def build_and_say() -> None:
    began = time.monotonic()
    build()
    print("compiled in %.0f s" % (time.monotonic() - began), flush=True)


def test(seconds: float, jobs: int) -> int:
    """The kept inputs, and a little more."""
    build_and_say()
    began = time.monotonic()
    findings = run_all(shares(seconds, jobs, TARGETS), jobs, None)
    print("fuzzed for %.0f s" % (time.monotonic() - began))
    return 1 if findings else 0


def fuzz(hours: float, jobs: int, targets: list[Target]) -> int:
    """For long; what shows something new goes to build/fuzz/corpus."""
    build_and_say()
    times = shares(hours * 3600, jobs, targets)
    print("%s; new inputs go to %s" % (", ".join("%s %d s" % each for each in times.items()), BUILD / "corpus"))
    return 1 if run_all(times, jobs, BUILD / "corpus") else 0


def keep(targets: list[Target]) -> int:
    """Reduces kept and found inputs to those that are needed to reach all places in the code, the shortest first; in C
    also to reach them as often as any input did."""
    build_and_say()
    for target in targets:
        with tempfile.TemporaryDirectory(prefix="jumpseat-fuzz-") as name:
            options = ["-merge=1", "-use_counters=%d" % target.is_c, "-max_len=%d" % target.longest, name]
            options += [str(folder) for folder in (target.kept, target.found) if folder.exists()]
            command = [str(BUILD / "bin" / target.name), *options]
            subprocess.run(command, check=True, env=environment(), cwd=CHECKOUT, capture_output=True)
            shutil.rmtree(target.kept, ignore_errors=True)
            shutil.copytree(name, target.kept)
        sizes = [path.stat().st_size for path in target.kept.iterdir()]
        print("%-16s %4d inputs, %6d bytes" % (target.name, len(sizes), sum(sizes)))
    return 0


def coverage(targets: list[Target]) -> int:
    """Which lines of the C sources the kept and found inputs reach. Needs Debian's llvm."""
    programs = build(coverage=True)
    for target in (each for each in targets if each.is_c):
        raw, data = programs / (target.name + ".profraw"), programs / (target.name + ".profdata")
        folders = [str(folder) for folder in (target.kept, target.found) if folder.exists()]
        environ = {**os.environ, "LLVM_PROFILE_FILE": str(raw)}
        subprocess.run([str(programs / target.name), "-runs=0", *folders], check=True, env=environ, capture_output=True)
        subprocess.run(["llvm-profdata", "merge", str(raw), "-o", str(data)], check=True)
        report = ["llvm-cov", "report", str(programs / target.name), "-instr-profile=%s" % data]
        print("\n%s" % target.name, flush=True)
        subprocess.run([*report, str(CHECKOUT / "apache_module" / "src")], check=True)
    return 0


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.run", description="Runs the fuzz targets.")
    parser.add_argument("what", choices=["test", "fuzz", "keep", "coverage"])
    parser.add_argument("--hours", type=float, default=1, help="how long `fuzz` takes, all targets together")
    parser.add_argument("--seconds", type=float, default=36, help="how long `test` takes beside the build")
    parser.add_argument("--jobs", type=int, default=2, help="how many targets run at the same time")
    parser.add_argument("--target", action="append", help="only this one (may be repeated)")
    arguments = parser.parse_args()
    chosen = [target for target in TARGETS if not arguments.target or target.name in arguments.target]
    try:
        if arguments.what == "test":
            return test(arguments.seconds, arguments.jobs)
        if arguments.what == "fuzz":
            return fuzz(arguments.hours, arguments.jobs, chosen)
        return keep(chosen) if arguments.what == "keep" else coverage(chosen)
    except BuildError as error:
        print("error: %s" % error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
