"""Logs that are rotated while requests come in: no request is lost, and no line but what a copy must lose."""

from __future__ import annotations

import os
import shutil
import time

import pytest

from load.kinds import MIXED, TALK
from load.loaded_server import ROUNDS, LoadCheck, LoadedServer
from load.outcome import Outcome, Result
from support.status import run_command
from support.waiting import eventually

pytestmark = [pytest.mark.load, pytest.mark.deadline(120 + 180 * ROUNDS)]
KINDS = [*MIXED[:4], TALK]
ALL = ("ErrorLog", "PassengerLogFile", "PassengerAppLogFile")


class AppLog:
    """The log that has what the app says, by the directive that names it."""

    def __init__(self, loaded: LoadedServer, where: str) -> None:
        server = loaded.server
        server.logs.allow("AH|JS|said")
        folder = loaded.app.events if where == "PassengerAppLogFile" else server.logs.folder
        name = {"ErrorLog": "site.example.log", "PassengerLogFile": "own.log", "PassengerAppLogFile": "app.log"}[where]
        self.path = folder / name
        if where == "PassengerLogFile":
            server.add(f'PassengerLogFile "{self.path}"')
        loaded.start(f'PassengerAppLogFile "{self.path}"' if where == "PassengerAppLogFile" else "")

    def times(self, outcome: Outcome) -> int:
        """How often the line that a request has said stands in the log or in one that was rotated away."""
        line = f"said {outcome.identity}\n"
        return sum(path.read_text().count(line) for path in self.path.parent.glob(f"{self.path.name}*"))

    def lacks(self, outcomes: list[Outcome]) -> list[str]:
        """Those whose line does not stand in the newest log."""
        newest = self.path.read_text()
        return [one.identity for one in outcomes if f"said {one.identity}\n" not in newest]


def said(result: Result, after: float = 0.0) -> list[Outcome]:
    return [one for one in result.of("answered") if one.kind is TALK and one.begun > after]


def check_every_line(log: AppLog, result: Result, moment: float) -> None:
    """Each line that the app has said stands in one log once; what was said after the last rotation, in the newest."""
    late = said(result, moment)
    eventually(lambda: not log.lacks(late), lambda: f"lines in the newest log: {log.lacks(late)} of {len(late)}")
    assert [one.identity for one in said(result) if log.times(one) != 1] == []


@pytest.mark.parametrize("where", ALL)
def test_logrotate_loses_no_request_and_no_line_of_the_app(
    loaded: LoadedServer, check_load: LoadCheck, where: str
) -> None:
    """The logs are renamed and httpd is told by a graceful restart, as logrotate does it every night."""
    log = AppLog(loaded, where)
    with loaded.load(KINDS) as load:
        for number in range(3):
            load.wait_for_more(40)
            for path in [path for path in log.path.parent.glob("*.log") if path.name != "stderr.log"]:
                path.rename(path.with_suffix(f".log.{number}"))
            loaded.server.graceful()
            loaded.wait_for_configuration(number + 2)
            moment = time.monotonic()
        load.wait_for_more(60)
    check_every_line(log, check_load(load, f"logrotate, {where}, 3 times"), moment)


@pytest.mark.parametrize("where", ALL[1:])
def test_a_log_that_is_renamed_and_opened_anew_loses_no_request_and_no_line(
    loaded: LoadedServer, check_load: LoadCheck, where: str
) -> None:
    log = AppLog(loaded, where)
    with loaded.load(KINDS) as load:
        for number in range(3):
            load.wait_for_more(25)
            log.path.rename(log.path.with_suffix(f".log.{number}"))
            answer = run_command(loaded.server, "reopen-logs")
            assert answer.returncode == 0, answer.stderr
            moment = time.monotonic()
        load.wait_for_more(25)
    check_every_line(log, check_load(load, f"reopen-logs, {where}, 3 times"), moment)


@pytest.mark.parametrize("where", ALL)
def test_a_log_that_is_copied_and_truncated_goes_on_at_its_beginning(
    loaded: LoadedServer, check_load: LoadCheck, where: str
) -> None:
    """logrotate's copytruncate: what is written between the copy and the cut is lost, whoever writes it."""
    log = AppLog(loaded, where)
    with loaded.load(KINDS) as load:
        for number in range(3):
            load.wait_for_more(25)
            shutil.copyfile(log.path, log.path.with_suffix(f".log.{number}"))
            os.truncate(log.path, 0)
            moment = time.monotonic()
        load.wait_for_more(25)
    lost = sum(1 for one in said(load.result()) if log.times(one) == 0)
    result = check_load(load, f"copytruncate, {where}, 3 times", note=f"{lost} lines fell between copy and cut")
    late = said(result, moment)
    eventually(lambda: not log.lacks(late), lambda: f"lines in the newest log: {log.lacks(late)} of {len(late)}")
    assert b"\0" not in log.path.read_bytes()
    assert [one.identity for one in said(result) if log.times(one) > 1] == []
