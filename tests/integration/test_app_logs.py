"""What an app writes to its standard streams, line by line in the log of its own site."""

from __future__ import annotations

import os
import re

import pytest

from support.applications import AppFolder
from support.paths import path
from support.serving import CheckedHttpd
from support.waiting import eventually

LINE = r"^\[\w{3} \w{3} \d\d \d\d:\d\d:\d\d\.\d{6} \d{4}\] .*App (\d+) output: (.*)$"


@pytest.fixture
def server(httpd: CheckedHttpd, probe: AppFolder) -> CheckedHttpd:
    httpd.site(document_root=probe.public)
    httpd.site("other.example", probe.public, "PassengerAppGroupName other")
    httpd.site("own.example", probe.public, f'PassengerAppGroupName own\nPassengerAppLogFile "{probe.events}/own.log"')
    httpd.start()
    return httpd


@pytest.mark.parametrize("stream", ["out", "err", "errors", "raw"])
def test_what_the_app_writes_is_in_the_log_of_its_site(server: CheckedHttpd, stream: str) -> None:
    server.get(path("/log", **{stream: "a line by the app\n" if stream == "raw" else "a line by the app"}))
    server.logs.wait_for("a line by the app", "site.example.log")


def test_each_site_has_its_own_lines(server: CheckedHttpd) -> None:
    server.get(path("/log", out="of one"))
    server.get(path("/log", out="of the other"), "other.example")
    server.logs.wait_for("of one", "site.example.log")
    server.logs.wait_for("of the other", "other.example.log")
    assert "of the other" not in server.logs.text("site.example.log")
    assert "of one" not in server.logs.text("other.example.log")


def test_a_log_file_of_the_apps_own_is_used_where_given(server: CheckedHttpd, probe: AppFolder) -> None:
    server.get(path("/log", out="into its own"), "own.example")
    eventually(lambda: "into its own" in (probe.wait_for_event("own.log")), "the line in the app's own log")
    assert "into its own" not in server.logs.text("own.example.log")


def test_several_lines_written_at_once_are_several_lines(server: CheckedHttpd) -> None:
    server.get(path("/log", raw="one\ntwo\nthree\n"))
    server.logs.wait_for("output: three", "site.example.log")
    assert [found[1] for found in re.findall(LINE, server.logs.text("site.example.log"), re.MULTILINE)] == [
        "one",
        "two",
        "three",
    ]


def test_a_line_that_is_not_ended_is_logged_when_the_process_ends(server: CheckedHttpd) -> None:
    server.logs.allow("JS")
    pid = int(server.get(path("/log", raw="not ended")).text)
    next(process for process in server.app_processes() if process.pid == pid).kill()
    server.logs.wait_for("not ended", "site.example.log")


def test_a_line_cannot_forge_another(server: CheckedHttpd) -> None:
    server.get(path("/log", raw="a\x1b[31m\rb\x08c\n"))
    server.logs.wait_for("output: a", "site.example.log")
    assert not set(server.logs.text("site.example.log")) & {"\x1b", "\x08", "\r"}


def test_a_very_long_line_is_kept_whole_in_pieces(server: CheckedHttpd) -> None:
    server.get(path("/log", long=200_000))
    eventually(lambda: server.logs.text("site.example.log").count("x") >= 200_000, "the whole line")


def test_a_flood_of_lines_does_not_block_the_app(server: CheckedHttpd) -> None:
    for _ in range(20):
        assert server.get(path("/log", long=100_000)).status == 200


def test_lines_have_no_prefix_where_it_is_disabled(httpd: CheckedHttpd, probe: AppFolder) -> None:
    httpd.add("PassengerDisableLogPrefix on")
    httpd.site(document_root=probe.public)
    httpd.start()
    httpd.get(path("/log", out="bare line"))
    assert httpd.logs.wait_for("bare line", "site.example.log") == "bare line"


def test_the_prefix_can_be_disabled_in_one_virtual_host(httpd: CheckedHttpd, probe: AppFolder) -> None:
    httpd.site(document_root=probe.public)
    httpd.site("bare.example", probe.public, "PassengerAppGroupName bare\nPassengerDisableLogPrefix on")
    httpd.start()
    httpd.get(path("/log", out="a line"), "bare.example")
    httpd.get(path("/log", out="a line"))
    assert httpd.logs.wait_for("a line", "bare.example.log") == "a line"
    assert re.match(LINE, httpd.logs.wait_for("a line", "site.example.log"))


def test_only_the_first_line_of_a_traceback_has_the_time(server: CheckedHttpd) -> None:
    text = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\nValueError: wrong\nnext\n'
    server.get(path("/log", raw=text))
    server.logs.wait_for("output: next", "site.example.log")
    lines = server.logs.text("site.example.log").splitlines()
    assert [line.startswith("[") for line in lines if "App " in line] == [True, False, False, True]


def test_after_a_graceful_restart_lines_go_to_the_log_that_was_opened_anew(server: CheckedHttpd) -> None:
    server.get(path("/log", out="before rotation"))
    server.logs.wait_for("before rotation", "site.example.log")
    log = server.folder / "logs" / "site.example.log"
    os.rename(log, f"{log}.1")
    server.graceful()
    server.logs.wait_for("JS3045: configuration 2 is in force")
    server.get(path("/log", out="after rotation"))
    server.logs.wait_for("after rotation", "site.example.log")


def test_an_app_without_a_log_of_its_site_uses_the_main_one(httpd: CheckedHttpd, probe: AppFolder) -> None:
    httpd.add(f'DocumentRoot "{probe.public}"')
    httpd.start()
    httpd.get(path("/log", out="in the main log"), "anything.example")
    httpd.logs.wait_for("in the main log")


def test_the_log_has_the_apps_lines_also_when_it_is_a_pipe(httpd: CheckedHttpd, probe: AppFolder) -> None:
    httpd.site(document_root=probe.public, body=f'ErrorLog "|$/bin/cat >>{httpd.folder}/logs/piped.log"')
    httpd.start()
    httpd.get(path("/log", out="through a pipe"))
    httpd.logs.wait_for("through a pipe", "piped.log")


def test_a_log_file_that_cannot_be_opened_is_named_where_the_site_s_owner_reads(
    httpd: CheckedHttpd, probe: AppFolder
) -> None:
    """Its output goes to the site's log meanwhile."""
    folder = httpd.folder / "gone"
    folder.mkdir()
    httpd.site(document_root=probe.public, body=f'PassengerAppLogFile "{folder}/own.log"')
    httpd.logs.allow("JS3008")
    httpd.start()
    folder.rmdir()
    httpd.get(path("/log", out="a line by the app"))
    httpd.logs.wait_for("JS3008: PassengerAppLogFile .*gone/own.log cannot be opened as user ", "site.example.log")
    httpd.logs.wait_for("a line by the app", "site.example.log")
