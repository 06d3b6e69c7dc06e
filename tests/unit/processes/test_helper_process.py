"""Programs that run for a moment: how they end is told, and none outlives its time."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
from pathlib import Path

import pytest

from spawner.processes.helper_process import HelperProcesses, HelperResult
from spawner.system.linux import process_exists
from spawner.system.process_limits import InheritedLimits
from tests.unit.support.loops import run_with_helper_processes, until

ENVIRONMENT = {"PATH": "/usr/bin:/bin"}


async def result_of(processes: HelperProcesses, script: str, timeout: float = 15.0, stdin: int = -3) -> HelperResult:
    ended: "asyncio.Future[HelperResult]" = asyncio.get_running_loop().create_future()
    processes.start(("/bin/sh", "-c", script), ENVIRONMENT, timeout, ended.set_result, stdin=stdin)
    return await asyncio.wait_for(ended, 20)


def test_status_and_output_are_told() -> None:
    async def test(processes: HelperProcesses) -> None:
        result = await result_of(processes, "echo one; echo two >&2; exit 3")
        assert (result.status >> 8, result.output, result.timed_out) == (3, "one\ntwo", False)
        assert not result.succeeded

    run_with_helper_processes(test)


def test_a_program_that_ends_well_has_succeeded() -> None:
    async def test(processes: HelperProcesses) -> None:
        assert (await result_of(processes, "true")).succeeded
        assert processes.count == 0

    run_with_helper_processes(test)


def test_a_program_that_takes_too_long_is_killed_with_what_it_has_started() -> None:
    async def test(processes: HelperProcesses) -> None:
        result = await result_of(processes, "sleep 100 & echo $!; wait", timeout=2.0)
        assert result.timed_out
        assert not result.succeeded
        child = int(result.output)
        await until(lambda: not process_exists(child), "the end of what it has started")

    run_with_helper_processes(test)


def test_what_a_program_leaves_behind_is_not_waited_for() -> None:
    async def test(processes: HelperProcesses) -> None:
        result = await result_of(processes, "sleep 100 & echo $!")
        os.kill(int(result.output), signal.SIGKILL)
        assert result.succeeded

    run_with_helper_processes(test)


def test_of_much_output_the_beginning_is_kept_and_the_program_is_not_held_up() -> None:
    async def test(processes: HelperProcesses) -> None:
        result = await result_of(processes, "head -c 1000000 /dev/zero | tr '\\0' x")
        assert result.succeeded
        assert result.output == "x" * 16_384

    run_with_helper_processes(test)


def test_a_program_has_only_what_it_is_given(tmp_path: Path) -> None:
    async def test(processes: HelperProcesses) -> None:
        os.set_inheritable(leaked, True)
        result = await result_of(processes, "pwd; echo /proc/self/fd/*; env | cut -d= -f1 | sort | tr '\\n' ' '")
        folder, descriptors, variables = result.output.split("\n")
        assert folder == "/"
        assert all(int(path.rpartition("/")[2]) < 4 for path in descriptors.split())
        assert set(variables.split()) <= {"PATH", "PWD", "_", "SHLVL", "OLDPWD"}

    leaked = os.open(tmp_path, os.O_RDONLY)
    try:
        run_with_helper_processes(test)
    finally:
        os.close(leaked)


def test_a_program_reads_the_file_that_it_is_given(tmp_path: Path) -> None:
    async def test(processes: HelperProcesses) -> None:
        with open(tmp_path / "input", "rb") as file:
            assert (await result_of(processes, "cat", stdin=file.fileno())).output == "geheim"

    (tmp_path / "input").write_text("geheim")
    run_with_helper_processes(test)


def test_programs_get_back_the_limit_of_descriptors_that_httpd_had() -> None:
    async def test(processes: HelperProcesses) -> None:
        assert (await result_of(processes, "ulimit -S -n; ulimit -H -n")).output.split() == ["64", str(hard)]

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    run_with_helper_processes(test, InheritedLimits(0, 64))


def test_what_cannot_be_executed_is_an_error_at_once() -> None:
    async def test(processes: HelperProcesses) -> None:
        with pytest.raises(FileNotFoundError):
            processes.start(("/no/such/program",), ENVIRONMENT, 1.0, lambda _: None)
        assert processes.count == 0

    run_with_helper_processes(test)


def test_what_still_runs_at_the_end_is_killed(tmp_path: Path) -> None:
    async def test(processes: HelperProcesses) -> None:
        processes.start(("/bin/sh", "-c", "echo $$ > %s/pid; exec sleep 100" % tmp_path), ENVIRONMENT, 50, told.append)
        await until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), "its start")
        processes.close()
        pid = int((tmp_path / "pid").read_text())
        await until(lambda: not process_exists(pid), "its end")

    told: list[HelperResult] = []
    run_with_helper_processes(test)
    assert told == []
