"""restart.error.txt: what is in it, whose it is, and that nobody is led astray by links."""

from __future__ import annotations

import datetime
import os
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

from spawner.logs.log import Log
from spawner.logs.log_writer import LogWriter
from spawner.options import AppOptions
from spawner.pages.restart_error_file import NAME, RestartErrorFiles, file_text
from spawner.pool.registration import Registration
from spawner.processes.helper_process import HelperProcesses, HelperResult
from spawner.processes.users import own_identity
from spawner.start_failure import StartFailure
from spawner.system.linux import Identity
from tests.unit.support.loops import run_with_helper_processes, until

FAILURE = StartFailure(
    "import the app", "No module named 'shop'", "Traceback ...\n", (("interpreter", "/v/bin/python"),), "0123abcd"
)
NOBODY = Identity("nobody", 65534, 65534, (65534,), "/", "/bin/sh")


def write(folder: Path, *failures: Optional[StartFailure], identity: Optional[Identity] = None) -> str:
    """Write what happened, one after the other. Returns the log."""
    log = Log(LogWriter.open(str(folder / "log")))
    log.level = 5
    registration = Registration(
        "app", str(folder), "wsgi", "passenger_wsgi.py", str(folder / "public"), "", "test", "", AppOptions(), 1
    )

    async def test(processes: HelperProcesses) -> None:
        files = RestartErrorFiles(processes, log)
        for failure in failures:
            files.update(registration, identity or own_identity(), 3, failure)
        await until(lambda: files.idle, "the files")

    run_with_helper_processes(test)
    log.close()
    return (folder / "log").read_text()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "tmp").mkdir()
    return tmp_path / "tmp" / NAME


def test_it_says_when_and_why(file: Path) -> None:
    when = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
    text = file_text(3, FAILURE, when)
    for line in (
        "time: 2026-01-02 03:04:05+00:00",
        "generation: 3",
        "step: import the app",
        "reason: No module named 'shop'",
        "error id: 0123abcd",
        "interpreter: /v/bin/python",
        "Traceback ...",
    ):
        assert line in text.splitlines()


def test_a_failure_is_written(tmp_path: Path, file: Path) -> None:
    assert write(tmp_path, FAILURE) == ""
    assert "reason: No module named 'shop'\n" in file.read_text()
    assert [path.name for path in file.parent.iterdir()] == [NAME]


def test_the_next_failure_replaces_it_and_success_removes_it(tmp_path: Path, file: Path) -> None:
    write(tmp_path, FAILURE, StartFailure("import the app", "another"))
    assert "reason: another\n" in file.read_text()
    write(tmp_path, FAILURE, None)
    assert not file.exists()


def test_without_a_file_success_starts_nothing(tmp_path: Path, file: Path) -> None:
    assert write(tmp_path, None, identity=NOBODY) == ""


def test_a_long_failure_is_written_whole(tmp_path: Path, file: Path) -> None:
    write(tmp_path, StartFailure("import the app", "long", "x" * 200_000))
    assert "x" * 200_000 in file.read_text()


def test_a_link_in_its_place_is_replaced_and_not_followed(tmp_path: Path, file: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    file.symlink_to(victim)
    write(tmp_path, FAILURE)
    assert victim.read_text() == "mine"
    assert not file.is_symlink()


def test_a_folder_that_is_not_there_gives_one_line(tmp_path: Path) -> None:
    found = write(tmp_path, FAILURE)
    assert found.count("JS3110") == 1
    assert len(found.splitlines()) <= 2


if os.geteuid() == 0:

    def test_it_is_the_app_user_s(tmp_path: Path, file: Path) -> None:
        os.chown(file.parent, NOBODY.uid, NOBODY.gid)
        write(tmp_path, FAILURE, identity=NOBODY)
        status = file.stat()
        assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (NOBODY.uid, NOBODY.gid, 0o640)

    def test_what_the_user_may_not_do_is_not_done(tmp_path: Path, file: Path) -> None:
        found = write(tmp_path, FAILURE, identity=NOBODY)
        assert not file.exists()
        assert "cannot be written as user nobody" in found

    def test_a_folder_that_is_a_link_to_root_s_leads_nowhere(tmp_path: Path) -> None:
        (tmp_path / "root").mkdir(mode=0o755)
        (tmp_path / "tmp").symlink_to(tmp_path / "root")
        write(tmp_path, FAILURE, identity=NOBODY)
        assert list((tmp_path / "root").iterdir()) == []


class _Stuck:
    """Programs that never end."""

    def __init__(self) -> None:
        self.ends: list[Callable[[HelperResult], None]] = []

    def start(self, *arguments: Any) -> None:
        self.ends.append(arguments[3])


def test_while_one_is_written_only_the_newest_waits(tmp_path: Path) -> None:
    stuck = _Stuck()
    files = RestartErrorFiles(stuck, Log(LogWriter.open(str(tmp_path / "log"))))  # type: ignore[arg-type]
    registration = Registration("app", str(tmp_path), "wsgi", "passenger_wsgi.py", "", "", "test", "", AppOptions(), 1)
    for generation in range(100):
        files.update(registration, own_identity(), generation, FAILURE)
    for number in range(2):
        assert not files.idle
        stuck.ends[number](HelperResult(0, False, ""))
    assert files.idle
