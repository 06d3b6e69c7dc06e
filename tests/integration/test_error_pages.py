"""Error pages as browsers and programs see them: of starts that fail, and of requests that an app fails."""

from __future__ import annotations

import http.client
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from support.applications import AppFolders
from support.client import Answer
from support.serving import CheckedHttpd
from support.status import group
from support.waiting import eventually

FRIENDLY = "PassengerFriendlyErrorPages on"
AS_ROOT = os.geteuid() == 0


@pytest.fixture(autouse=True)
def failures_are_wanted(httpd: CheckedHttpd) -> None:
    httpd.logs.allow("JS")


def answer_of(httpd: CheckedHttpd, apps: AppFolders, entry: str, body: str = "", **headers: str) -> Answer:
    """What the first visitor of an app with this entry file is answered."""
    app = apps.create(name="failing")
    app.write("passenger_wsgi.py", entry)
    httpd.site(document_root=app.public, body=body)
    httpd.start()
    return httpd.get("/", **headers)


def error_in(answer: Answer) -> dict[str, Any]:
    assert answer.header("Content-Type") == "application/json"
    return dict(json.loads(answer.text)["error"])


def test_the_id_on_the_page_finds_the_cause_in_the_sites_log(httpd: CheckedHttpd, apps: AppFolders) -> None:
    answer = answer_of(httpd, apps, "import no_such_module\n")
    found = re.search(r"<code>([0-9a-f]{8})</code>", answer.text)
    assert found
    line = httpd.logs.wait_for(found.group(1), "site.example.log")
    assert "step import the app: ModuleNotFoundError: No module named 'no_such_module'" in line


def test_a_failed_start_says_when_to_come_again(httpd: CheckedHttpd, apps: AppFolders) -> None:
    answer = answer_of(httpd, apps, "import no_such_module\n")
    assert answer.status == 500
    assert 1 <= int(answer.header("Retry-After") or "0") <= 60
    assert answer.header("Cache-Control") == "no-store"


@pytest.mark.parametrize("body", ["", FRIENDLY])
def test_a_program_gets_json(httpd: CheckedHttpd, apps: AppFolders, body: str) -> None:
    answer = answer_of(httpd, apps, "raise ValueError('<odd>')\n", body, accept="application/json")
    error = error_in(answer)
    assert (answer.status, error["status"], error["retry_after"]) == (500, 500, int(answer.header("Retry-After") or 0))
    failure = group(httpd)["failure"]
    assert error["id"] == failure["error_id"]
    if body:
        assert (error["step"], error["summary"]) == ("import the app", "ValueError: <odd>")
    else:
        assert "odd" not in answer.text


def test_the_friendly_page_tells_what_there_is_to_know(httpd: CheckedHttpd, apps: AppFolders) -> None:
    entry = "\n".join(
        [
            "print('a word before the end', flush=True)",
            "def settle(name):",
            "    return {}[name]  # in vain",
            "settle('<name>')",
        ]
    )
    environment = "SetEnv SHOP_PASSWORD hunter2\nSetEnv SHOP_NAME harbour\n"
    page = answer_of(httpd, apps, entry, environment + FRIENDLY).text
    for part in (
        "KeyError: &#x27;&lt;name&gt;&#x27;",
        "import the app",
        "passenger_wsgi.py, line 3</code>, in settle",
        "<mark>    3      return {}[name]  # in vain</mark>",
        "    2  def settle(name):",
        "a word before the end",
        "search path",
        "SHOP_NAME</th><td>harbour",
        "SHOP_PASSWORD</th><td>[hidden]",
        "PassengerStartTimeout</th><td>90",
        "The next request after",
        "interpreter",
    ):
        assert part in page, part
    assert "hunter2" not in page
    assert "<name>" not in page


def test_source_that_its_user_alone_may_read_is_on_the_page_and_nothing_more(
    httpd: CheckedHttpd, apps: AppFolders
) -> None:
    """The app's own process reads the source: a link to somebody else's file shows nothing."""
    app = apps.create(name="linking")
    foreign = httpd.folder / "foreign.py"
    foreign.write_text("\n\nOF_ANOTHER_USER = 1\n")
    foreign.chmod(0o600)
    (app.root / "module.py").symlink_to(foreign)
    app.write("passenger_wsgi.py", f"exec(compile('\\n\\n1/0', {str(app.root / 'module.py')!r}, 'exec'))\n")
    httpd.site(document_root=app.public, body=FRIENDLY)
    httpd.start()
    page = httpd.get("/").text
    assert "module.py, line 3" in page
    assert ("OF_ANOTHER_USER" in page) == (not AS_ROOT)


def test_a_missing_module_brings_advice_that_names_the_interpreter(httpd: CheckedHttpd, apps: AppFolders) -> None:
    page = answer_of(httpd, apps, "import flask_of_the_future\n", FRIENDLY).text
    assert "What to check first" in page
    assert "-m pip install flask_of_the_future" in page
    assert "There is no virtual environment" in page


def test_a_syntax_error_is_shown_with_the_lines_around_it(httpd: CheckedHttpd, apps: AppFolders) -> None:
    page = answer_of(httpd, apps, "first = 1\ndef broken(:\nlast = 1\n", FRIENDLY).text
    assert "<mark>    2  def broken(:</mark>" in page
    assert "    1  first = 1" in page


def test_an_after_fork_that_fails_is_shown_with_its_source(httpd: CheckedHttpd, apps: AppFolders) -> None:
    entry = "application = print\ndef after_fork():\n    raise OSError('no room')  # in the worker\n"
    page = answer_of(httpd, apps, entry, FRIENDLY).text
    assert "run after_fork()" in page
    assert "raise OSError(&#x27;no room&#x27;)  # in the worker</mark>" in page


def test_an_app_that_fails_a_request_is_answered_with_an_id_of_its_log_line(
    httpd: CheckedHttpd, apps: AppFolders
) -> None:
    answer = answer_of(httpd, apps, "def application(environ, start_response):\n    1 / 0\n")
    assert answer.status == 500
    assert "ZeroDivision" not in answer.text
    found = re.search(r"<code>([0-9a-f]{8})</code>", answer.text)
    assert found
    httpd.logs.wait_for("the app failed .error id " + found.group(1), "site.example.log")


def test_a_request_that_fails_after_its_response_began_has_one_error_id_in_both_logs(
    httpd: CheckedHttpd, apps: AppFolders
) -> None:
    app = apps.create(name="failing")
    app.write(
        "passenger_wsgi.py",
        "def application(environ, start_response):\n"
        "    start_response('200 OK', [('Content-Length', '300000')])\n"
        "    yield b'x' * 200000\n"
        "    raise ValueError('in the middle')\n",
    )
    httpd.site(document_root=app.public, body=f'PassengerAppLogFile "{app.events}/own.log"')
    httpd.logs.expect("JS2047: the app failed in the middle of the response")
    httpd.start()
    with pytest.raises(http.client.IncompleteRead):
        httpd.get("/")
    line = httpd.logs.wait_for("JS2047", "site.example.log")
    found = re.search(r"error id ([0-9a-f]{8})", line)
    assert found
    eventually(lambda: f"the app failed (error id {found[1]})" in app.wait_for_event("own.log"), "the app's line")


def test_a_friendly_page_of_a_request_shows_the_failing_line(httpd: CheckedHttpd, apps: AppFolders) -> None:
    page = answer_of(httpd, apps, "def application(environ, start_response):\n    1 / 0  # here\n", FRIENDLY).text
    assert "ZeroDivisionError" in page
    assert "<mark>    2      1 / 0  # here</mark>" in page


def test_switching_friendly_pages_off_by_a_graceful_restart_reaches_the_workers(
    httpd: CheckedHttpd, apps: AppFolders
) -> None:
    app = apps.create(name="switched")
    app.write("passenger_wsgi.py", "def application(environ, start_response):\n    1 / 0\n")
    site = httpd.site(document_root=app.public, body=FRIENDLY)
    httpd.start()
    assert "ZeroDivisionError" in httpd.get("/").text
    site.body = ""
    httpd.graceful()
    eventually(lambda: "ZeroDivisionError" not in httpd.get("/").text, "a worker without friendly pages")


def own_page(httpd: CheckedHttpd, content: str = "<p>We are sorry.</p>") -> Path:
    page = httpd.folder / "sorry.html"
    page.write_text(content)
    return page


def shown_instead(httpd: CheckedHttpd, apps: AppFolders, page: Path, **headers: str) -> Answer:
    return answer_of(httpd, apps, "raise ValueError\n", f'PassengerCustomErrorPage "{page}"', **headers)


def test_a_page_of_ones_own_is_for_browsers_and_json_for_programs(httpd: CheckedHttpd, apps: AppFolders) -> None:
    answer = shown_instead(httpd, apps, own_page(httpd), accept="application/json")
    assert error_in(answer)["status"] == 500
    again = httpd.get("/")
    assert (again.status, again.text) == (500, "<p>We are sorry.</p>")
    assert again.header("Retry-After")
    assert again.header("Content-Security-Policy") is None, "it may have pictures and style sheets"


def missing(page: Path) -> None:
    page.unlink()


def unreadable(page: Path) -> None:
    page.chmod(0o600)


def linked(page: Path) -> None:
    page.rename(page.with_suffix(".real"))
    page.symlink_to(page.with_suffix(".real"))


def huge(page: Path) -> None:
    page.write_bytes(b"x" * 1_100_000)


def a_pipe(page: Path) -> None:
    page.unlink()
    os.mkfifo(page)


@pytest.mark.parametrize("spoil", [missing, linked, huge, a_pipe, *([unreadable] if AS_ROOT else [])])
def test_a_page_that_the_apps_user_cannot_read_is_named_and_the_short_one_shown(
    httpd: CheckedHttpd, apps: AppFolders, spoil: Any
) -> None:
    """Unreadable for the app's user, that is: it is never opened with root's rights."""
    page = own_page(httpd)
    app = apps.create(name="failing")
    app.write("passenger_wsgi.py", "raise ValueError\n")
    httpd.site(document_root=app.public, body=f'PassengerCustomErrorPage "{page}"')
    httpd.start()
    spoil(page)
    answer = httpd.get("/")
    assert answer.status == 500
    assert "could not be started" in answer.text
    httpd.logs.wait_for("PassengerCustomErrorPage cannot be read as the app's user: .*sorry.html: ")
    httpd.logs.wait_for("PassengerCustomErrorPage cannot be read as the app's user: .*sorry.html: ", "site.example.log")


def test_the_step_in_status_is_one_of_the_documented_list(httpd: CheckedHttpd, apps: AppFolders) -> None:
    answer_of(httpd, apps, "raise ValueError\n")
    documented = Path(__file__).parents[2].joinpath("docs", "error-pages.md").read_text()
    assert f"`{group(httpd)['failure']['step']}`" in documented
