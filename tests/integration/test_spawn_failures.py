"""Apps that do not start: what the visitor sees, what the log says, and how it is mended."""

from __future__ import annotations

import time

import pytest

from support.applications import AppFolder, AppFolders
from support.serving import CheckedHttpd
from support.status import group
from support.waiting import eventually


@pytest.fixture
def release(apps: AppFolders, httpd: CheckedHttpd) -> AppFolder:
    httpd.logs.allow("JS")
    return apps.create("release")


def start(httpd: CheckedHttpd, release: AppFolder, loading: str, body: str = "") -> None:
    release.write("loading.txt", loading)
    httpd.site(document_root=release.public, body=body)
    httpd.start()


@pytest.mark.parametrize("loading", ["raise", "exit", "_exit", "syntax"])
def test_an_app_that_does_not_load_is_a_500(httpd: CheckedHttpd, release: AppFolder, loading: str) -> None:
    start(httpd, release, loading)
    assert httpd.get("/").status == 500


@pytest.mark.parametrize("loading", ["raise", "exit"])
def test_with_direct_spawning_an_app_that_does_not_load_is_a_500(
    httpd: CheckedHttpd, release: AppFolder, loading: str
) -> None:
    start(httpd, release, loading, "PassengerSpawnMethod direct")
    assert httpd.get("/").status == 500


@pytest.mark.parametrize(
    "entry",
    ["application = 5", "app = None", "import no_such_module"],
    ids=["not callable", "no application", "missing module"],
)
def test_an_entry_file_without_an_app_is_a_500(httpd: CheckedHttpd, apps: AppFolders, entry: str) -> None:
    httpd.logs.allow("JS")
    httpd.site(document_root=apps.create(name="wrong", entry=entry).public)
    httpd.start()
    assert httpd.get("/").status == 500


def test_an_app_that_hangs_at_start_is_a_500_when_the_start_timeout_has_passed(
    httpd: CheckedHttpd, release: AppFolder
) -> None:
    start(httpd, release, "hang", "PassengerStartTimeout 3")
    began = time.monotonic()
    assert httpd.get("/").status == 500
    assert 2.9 < time.monotonic() - began < 20


def test_an_app_that_hangs_at_start_is_ended(httpd: CheckedHttpd, release: AppFolder) -> None:
    start(httpd, release, "hang", "PassengerStartTimeout 3")
    httpd.get("/")
    hanging = int(release.event_names()[0].partition("-")[2])
    eventually(
        lambda: hanging not in {process.pid for process in httpd.app_processes()}, "the end of the hanging start"
    )


@pytest.mark.parametrize("hook", ["os.register_at_fork(after_in_child=hang)", "after_fork = hang"])
def test_a_worker_that_hangs_in_a_hook_is_ended_and_the_place_named(
    httpd: CheckedHttpd, apps: AppFolders, hook: str
) -> None:
    httpd.logs.allow("JS")
    entry = f"import os, time\ndef hang():\n    time.sleep(3600)\n{hook}\napplication = print\n"
    httpd.site(document_root=apps.create(name="hanging", entry=entry).public, body="PassengerStartTimeout 5")
    httpd.start()
    assert httpd.get("/").status == 500
    eventually(lambda: not httpd.app_processes(), "the end of the hanging start")
    assert "in hang" in group(httpd)["failure"]["detail"]


def test_the_log_of_the_site_has_the_traceback(httpd: CheckedHttpd, release: AppFolder) -> None:
    start(httpd, release, "raise")
    httpd.get("/")
    httpd.logs.wait_for("RuntimeError: release first <cannot> load", find_log(httpd, "RuntimeError"))


def find_log(httpd: CheckedHttpd, text: str) -> str:
    """The first log that has the text; the spawner's own lines may be in the main log, the app's in the site's."""
    names = ("site.example.log", "error.log")
    return eventually(lambda: next((name for name in names if text in httpd.logs.text(name)), ""), f"{text} in a log")


def test_the_visitor_sees_nothing_of_the_cause_unless_asked_for(httpd: CheckedHttpd, release: AppFolder) -> None:
    start(httpd, release, "raise")
    answer = httpd.get("/")
    assert "cannot" not in answer.text
    assert "RuntimeError" not in answer.text
    assert str(release.root) not in answer.text


def test_the_page_and_the_log_share_an_error_id(httpd: CheckedHttpd, release: AppFolder) -> None:
    start(httpd, release, "raise")
    page = httpd.get("/").text
    identity = page.partition("<code>")[2].partition("</code>")[0]
    assert len(identity) >= 8
    find_log(httpd, identity)


@pytest.mark.parametrize("body", ["PassengerAppEnv development", "PassengerFriendlyErrorPages on"])
def test_the_friendly_page_shows_the_cause_where_it_is_wanted(
    httpd: CheckedHttpd, release: AppFolder, body: str
) -> None:
    start(httpd, release, "raise", body)
    answer = httpd.get("/")
    assert answer.status == 500
    assert "RuntimeError" in answer.text


def test_the_friendly_page_escapes_what_comes_from_the_app(httpd: CheckedHttpd, release: AppFolder) -> None:
    start(httpd, release, "raise", "PassengerFriendlyErrorPages on")
    text = httpd.get("/").text
    assert "&lt;cannot&gt;" in text
    assert "<cannot>" not in text


def test_the_friendly_page_can_be_off_in_development(httpd: CheckedHttpd, release: AppFolder) -> None:
    start(httpd, release, "raise", "PassengerAppEnv development\nPassengerFriendlyErrorPages off")
    assert "RuntimeError" not in httpd.get("/").text


def test_a_page_of_ones_own_is_shown_for_an_app_that_does_not_start(httpd: CheckedHttpd, release: AppFolder) -> None:
    page = httpd.folder / "sorry.html"
    page.write_text("<p>We are sorry.</p>")
    start(httpd, release, "raise", f'PassengerCustomErrorPage "{page}"\nPassengerFriendlyErrorPages on')
    answer = httpd.get("/")
    assert (answer.status, answer.text) == (500, "<p>We are sorry.</p>")


def test_an_error_page_is_not_to_be_cached(httpd: CheckedHttpd, release: AppFolder) -> None:
    start(httpd, release, "raise")
    assert "no-store" in (httpd.get("/").header("Cache-Control") or "")


def test_all_who_wait_for_an_app_that_does_not_start_get_the_answer(httpd: CheckedHttpd, release: AppFolder) -> None:
    start(httpd, release, "raise")
    assert {httpd.get("/").status for _ in range(5)} == {500}


def test_an_app_that_does_not_start_leaves_another_alone(
    httpd: CheckedHttpd, release: AppFolder, probe: AppFolder
) -> None:
    httpd.site("good.example", probe.public)
    start(httpd, release, "raise")
    assert httpd.get("/").status == 500
    assert httpd.get("/", "good.example").status == 200


def test_fixing_the_app_and_touching_restart_txt_mends_it(httpd: CheckedHttpd, release: AppFolder) -> None:
    start(httpd, release, "raise")
    assert httpd.get("/").status == 500
    release.write("loading.txt", "")
    release.touch_restart()
    eventually(lambda: httpd.get("/").status == 200, "the mended app")


def test_fixing_the_app_alone_mends_it_with_the_next_try(httpd: CheckedHttpd, release: AppFolder) -> None:
    start(httpd, release, "raise")
    assert httpd.get("/").status == 500
    release.write("loading.txt", "")
    eventually(lambda: httpd.get("/").status == 200, "the mended app")


def test_an_app_that_does_not_start_is_not_tried_for_each_request(httpd: CheckedHttpd, release: AppFolder) -> None:
    start(httpd, release, "raise")
    for _ in range(30):
        httpd.get("/")
    release.check_pauses(1, 2, 5, 10, 30)


def test_status_names_the_step_and_the_cause(httpd: CheckedHttpd, release: AppFolder) -> None:
    start(httpd, release, "raise")
    httpd.get("/")
    failure = group(httpd)["failure"]
    assert failure["step"] == "import the app"
    assert "RuntimeError: release first <cannot> load" in failure["detail"]


def test_a_missing_interpreter_is_a_500_that_names_it(httpd: CheckedHttpd, release: AppFolder) -> None:
    start(httpd, release, "")
    venv = release.root / "venv" / "bin"
    venv.mkdir(parents=True)
    (venv / "python").symlink_to("/nonexistent/python3")
    (release.root / "venv" / "pyvenv.cfg").touch()
    answer = httpd.get("/")
    if answer.status == 500:
        find_log(httpd, "venv/bin/python")
    else:
        assert answer.text == "first"


def test_what_a_failing_app_has_printed_is_in_the_log(httpd: CheckedHttpd, apps: AppFolders) -> None:
    httpd.logs.allow("JS")
    entry = "import os\nprint('last words of the app', flush=True)\nos._exit(5)\n"
    httpd.site(document_root=apps.create(name="failing", entry=entry).public)
    httpd.start()
    assert httpd.get("/").status == 500
    httpd.logs.wait_for("last words of the app", "site.example.log")
