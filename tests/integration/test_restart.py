"""restart.txt: every way of touching it brings the next release in, and nobody loses a request."""

from __future__ import annotations

import os
import shutil

import pytest

from support.applications import AppFolder, AppFolders, age, give
from support.client import Wire
from support.serving import CheckedHttpd
from support.status import DRAIN_SECONDS, group, preloaders, seconds_of_restarts, wait_for_workers
from support.waiting import eventually, remains_true

#: How long a touch may take to bring new code, generous for a busy machine.
SOON = 30.0


@pytest.fixture
def release(apps: AppFolders) -> AppFolder:
    return apps.create("release")


@pytest.fixture
def server(httpd: CheckedHttpd, release: AppFolder) -> CheckedHttpd:
    """The app serves its first release."""
    httpd.site(document_root=release.public)
    httpd.start()
    assert httpd.get("/").text == "first"
    return httpd


def wait_for_release(server: CheckedHttpd, word: str) -> None:
    eventually(lambda: server.get("/").text == word, f"release {word}", SOON)


def touch(path: str) -> None:
    with open(path, "a"):
        os.utime(path)


def create(release: AppFolder) -> None:
    release.restart_file.unlink(missing_ok=True)
    release.touch_restart()


def write(release: AppFolder) -> None:
    release.restart_file.write_text("now\n")


def replace(release: AppFolder) -> None:
    release.write("tmp/restart.txt", "replaced by rename")


def older(release: AppFolder) -> None:
    age(release.restart_file, 3 * 86400)


def copy_with_times(release: AppFolder) -> None:
    source = release.root / "source.txt"
    source.touch()
    age(source, 86400)
    shutil.copy2(source, release.restart_file)


@pytest.mark.parametrize(
    "way",
    [create, write, replace, older, copy_with_times, AppFolder.touch_restart],
    ids=lambda way: way.__name__,
)
def test_the_next_release_comes_when_restart_txt_is_changed(
    httpd: CheckedHttpd, release: AppFolder, way: object
) -> None:
    if way is not create:
        release.touch_restart()
    httpd.site(document_root=release.public)
    httpd.start()
    assert httpd.get("/").text == "first"
    release.write("release.txt", "second")
    way(release)  # type: ignore[operator]
    wait_for_release(httpd, "second")


def test_the_folder_of_restart_txt_may_come_later_than_the_app(httpd: CheckedHttpd, release: AppFolder) -> None:
    (release.root / "tmp").rmdir()
    httpd.site(document_root=release.public)
    httpd.start()
    assert httpd.get("/").text == "first"
    release.write("release.txt", "second")
    release.touch_restart()
    wait_for_release(httpd, "second")


def test_a_restart_txt_that_was_there_before_restarts_nothing(httpd: CheckedHttpd, release: AppFolder) -> None:
    release.touch_restart()
    httpd.site(document_root=release.public)
    httpd.start()
    pid = httpd.get("/pid").text
    remains_true(lambda: httpd.get("/pid").text == pid, "no restart", 1.0)


def test_removing_restart_txt_restarts_nothing(httpd: CheckedHttpd, release: AppFolder) -> None:
    release.touch_restart()
    httpd.site(document_root=release.public)
    httpd.start()
    pid = httpd.get("/pid").text
    release.restart_file.unlink()
    remains_true(lambda: httpd.get("/pid").text == pid, "no restart", 1.0)


def test_another_file_in_its_folder_restarts_nothing(server: CheckedHttpd, release: AppFolder) -> None:
    pid = server.get("/pid").text
    release.write("tmp/other.txt", "")
    remains_true(lambda: server.get("/pid").text == pid, "no restart", 1.0)


def test_an_app_that_nobody_asks_for_restarts_too(server: CheckedHttpd, release: AppFolder) -> None:
    before = set(release.event_names())
    release.touch_restart()
    eventually(lambda: set(release.event_names()) - before, "a second import, without a request", SOON)


def test_restart_txt_is_looked_for_in_the_restart_dir(httpd: CheckedHttpd, release: AppFolder) -> None:
    httpd.site(document_root=release.public, body="PassengerRestartDir deploy/state")
    httpd.start()
    assert httpd.get("/").text == "first"
    release.write("release.txt", "second")
    release.write("deploy/state/restart.txt", "")
    wait_for_release(httpd, "second")


def test_the_restart_dir_may_be_an_absolute_path(httpd: CheckedHttpd, release: AppFolder) -> None:
    elsewhere = httpd.folder / "apps" / "elsewhere"
    elsewhere.mkdir()
    give(elsewhere, release.owner)
    httpd.site(document_root=release.public, body=f'PassengerRestartDir "{elsewhere}"')
    httpd.start()
    assert httpd.get("/").text == "first"
    release.write("release.txt", "second")
    (elsewhere / "restart.txt").touch()
    wait_for_release(httpd, "second")


def test_in_development_the_request_after_the_touch_is_served_by_the_next_release(
    httpd: CheckedHttpd, release: AppFolder
) -> None:
    httpd.site(document_root=release.public, body="PassengerAppEnv development")
    httpd.start()
    assert httpd.get("/").text == "first"
    release.write("release.txt", "second")
    release.touch_restart()
    assert httpd.get("/").text == "second"


def test_the_second_of_two_quick_touches_counts(server: CheckedHttpd, release: AppFolder) -> None:
    release.write("release.txt", "second")
    release.touch_restart()
    release.write("release.txt", "third")
    release.touch_restart()
    wait_for_release(server, "third")
    wait_for_workers(server, 1)  # until the old one is told to go it may take a request yet
    remains_true(lambda: server.get("/").text == "third", "the third release stays", 0.5)


def test_a_touch_during_a_restart_starts_over_with_the_newest_code(server: CheckedHttpd, release: AppFolder) -> None:
    before = set(release.event_names())
    release.write("release.txt", "second")
    release.write("loading.txt", "gate")
    release.touch_restart()
    eventually(lambda: set(release.event_names()) - before, "the second release to be loading")
    release.write("release.txt", "third")
    release.touch_restart()
    release.open_gate("load")
    wait_for_release(server, "third")


def test_a_burst_of_touches_ends_with_the_newest_release(server: CheckedHttpd, release: AppFolder) -> None:
    for number in range(50):
        release.write("release.txt", f"number {number}")
        release.touch_restart()
    wait_for_release(server, "number 49")
    wait_for_workers(server, 1)
    eventually(lambda: len(preloaders(server)) == 1, "the end of the other preloaders", SOON)


def test_after_a_restart_no_process_of_the_old_release_is_left(server: CheckedHttpd, release: AppFolder) -> None:
    old = {process.pid for process in server.app_processes()}
    release.touch_restart()
    eventually(lambda: not old & {process.pid for process in server.app_processes()}, "the end of the old ones", SOON)
    assert server.get("/").status == 200


def test_the_old_release_serves_while_the_new_one_is_loading(server: CheckedHttpd, release: AppFolder) -> None:
    before = set(release.event_names())
    release.write("release.txt", "second")
    release.write("loading.txt", "gate")
    release.touch_restart()
    eventually(lambda: set(release.event_names()) - before, "the second release to be loading")
    assert server.get("/").text == "first"
    release.open_gate("load")
    wait_for_release(server, "second")


def test_a_restart_keeps_the_number_of_workers(httpd: CheckedHttpd, release: AppFolder) -> None:
    httpd.site(document_root=release.public, body="PassengerMinInstances 3")
    httpd.start()
    httpd.get("/")
    old = {worker["pid"] for worker in wait_for_workers(httpd, 3)}
    release.touch_restart()
    eventually(lambda: not old & {process.pid for process in httpd.app_processes()}, "the end of the old ones", SOON)
    assert len(wait_for_workers(httpd, 3)) == 3


def test_a_rolling_restart_has_at_most_one_worker_more(httpd: CheckedHttpd, release: AppFolder) -> None:
    httpd.site(document_root=release.public, body="PassengerMinInstances 3")
    httpd.start()
    httpd.get("/")
    old = {worker["pid"] for worker in wait_for_workers(httpd, 3)}
    preloader = httpd.get("/loaded-by").text
    release.touch_restart()
    most = 0

    def restarted() -> bool:
        nonlocal most
        present = [process for process in group(httpd)["processes"] if process["kind"] != "preloader"]
        most = max(most, len(present))
        return not old & {process["pid"] for process in present}

    eventually(restarted, "the end of the old ones", SOON)
    took = eventually(lambda: seconds_of_restarts(httpd), "the end of the restart")[0]
    assert most <= (4 if took < DRAIN_SECONDS else 6)
    assert httpd.get("/loaded-by").text != preloader


def test_a_stream_in_flight_is_finished_by_the_old_release(server: CheckedHttpd, release: AppFolder) -> None:
    with Wire(server.port) as wire:
        wire.head("GET /stream HTTP/1.1")
        response = wire.open_answer()
        assert response.readline() == b"begun by first\n"
        release.write("release.txt", "second")
        release.touch_restart()
        wait_for_release(server, "second")
        release.open_gate("stream")
        assert response.read() == b"ended by first\n"


@pytest.mark.parametrize("loading", ["raise", "exit", "_exit", "syntax"])
def test_a_release_that_cannot_load_leaves_the_old_one_serving(
    server: CheckedHttpd, release: AppFolder, loading: str
) -> None:
    server.logs.expect("JS")
    release.write("release.txt", "second")
    release.write("loading.txt", loading)
    release.touch_restart()
    eventually(lambda: group(server).get("failure"), "the failure in status", SOON)
    assert {server.get("/").text for _ in range(10)} == {"first"}


def test_a_release_that_could_not_load_is_mended_by_fixing_and_touching(
    server: CheckedHttpd, release: AppFolder
) -> None:
    server.logs.allow("JS")
    release.write("loading.txt", "raise")
    release.touch_restart()
    eventually(lambda: group(server).get("failure"), "the failure in status", SOON)
    release.write("release.txt", "second")
    release.write("loading.txt", "")
    release.touch_restart()
    wait_for_release(server, "second")
    assert group(server)["failure"] is None


def test_a_release_that_hangs_while_loading_leaves_the_old_one_serving(httpd: CheckedHttpd, release: AppFolder) -> None:
    httpd.logs.expect("JS")
    httpd.site(document_root=release.public, body="PassengerStartTimeout 5")
    httpd.start()
    assert httpd.get("/").text == "first"
    release.write("loading.txt", "hang")
    release.touch_restart()
    eventually(lambda: group(httpd).get("failure"), "the failure in status", SOON)
    assert httpd.get("/").text == "first"


def test_without_rolling_restarts_every_request_sees_the_new_code_once_the_touch_has_been_noticed(
    httpd: CheckedHttpd, release: AppFolder
) -> None:
    httpd.site(document_root=release.public, body="PassengerRollingRestarts off\nPassengerMinInstances 2")
    httpd.start()
    assert httpd.get("/").text == "first"
    for number in range(5):
        release.write("release.txt", f"number {number}")
        release.touch_restart()
        wait_for_release(httpd, f"number {number}")
        assert {httpd.get("/").text for _ in range(10)} == {f"number {number}"}


def test_a_touch_restarts_only_the_app_that_it_belongs_to(
    server: CheckedHttpd, release: AppFolder, apps: AppFolders
) -> None:
    other = apps.create("release", "other")
    server.site("other.example", other.public)
    server.graceful()
    assert server.checks is not None
    server.checks.remember_descriptors()
    pid = server.get("/pid", "other.example").text
    release.write("release.txt", "second")
    release.touch_restart()
    wait_for_release(server, "second")
    assert server.get("/pid", "other.example").text == pid


def test_restarts_do_not_leak_descriptors_into_the_spawner(server: CheckedHttpd, release: AppFolder) -> None:
    for number in range(10):
        release.write("release.txt", f"number {number}")
        release.touch_restart()
        wait_for_release(server, f"number {number}")
    wait_for_workers(server, 1)
