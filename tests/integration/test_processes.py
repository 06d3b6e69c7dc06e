"""How many processes an app has, and when: lazy start, one import, growth, shrinking, limits, queue."""

from __future__ import annotations

import pytest

from support.applications import AppFolder, AppFolders
from support.background import Background
from support.client import Answer
from support.paths import path
from support.serving import CheckedHttpd
from support.status import group, preloaders, wait_for_workers, workers
from support.waiting import eventually, remains_true


@pytest.fixture
def release(apps: AppFolders) -> AppFolder:
    return apps.create("release")


def hold(server: CheckedHttpd, app: AppFolder, name: str, host: str = "site.example") -> Background[Answer]:
    """Start a request that keeps a worker busy until the gate `name` opens; return when a worker has it."""
    request = Background(lambda: server.get(path("/hold", gate=name, name=name), host))
    app.wait_for_event(f"holding-{name}")
    return request


def test_no_app_process_runs_before_the_first_request(httpd: CheckedHttpd, probe: AppFolder) -> None:
    httpd.site(document_root=probe.public)
    httpd.start()
    httpd.spawner_pid()
    assert httpd.app_processes() == []


def test_the_first_request_starts_one_preloader_and_one_worker(httpd: CheckedHttpd, probe: AppFolder) -> None:
    httpd.site(document_root=probe.public)
    httpd.start()
    told = httpd.get("/process").json()
    assert {process.pid for process in httpd.app_processes()} == {told["pid"], told["ppid"]}


def test_workers_are_forks_of_one_process_that_has_imported_the_app_once(
    httpd: CheckedHttpd, release: AppFolder
) -> None:
    httpd.site(document_root=release.public, body="PassengerMinInstances 3")
    httpd.start()
    loaded_by = httpd.get("/loaded-by").text
    found = wait_for_workers(httpd, 3)
    assert release.event_names() == [f"loaded-{loaded_by}"]
    assert [one["pid"] for one in preloaders(httpd)] == [int(loaded_by)]
    assert loaded_by not in {str(worker["pid"]) for worker in found}


def test_with_direct_spawning_each_worker_imports_the_app_itself(httpd: CheckedHttpd, release: AppFolder) -> None:
    httpd.site(document_root=release.public, body="PassengerSpawnMethod direct\nPassengerMinInstances 2")
    httpd.start()
    httpd.get("/")
    pids = {worker["pid"] for worker in wait_for_workers(httpd, 2)}
    assert set(release.event_names()) == {f"loaded-{pid}" for pid in pids}
    assert preloaders(httpd) == []


def test_min_instances_are_started_after_the_first_request(httpd: CheckedHttpd, probe: AppFolder) -> None:
    httpd.site(document_root=probe.public, body="PassengerMinInstances 3")
    httpd.start()
    httpd.get("/")
    assert len(wait_for_workers(httpd, 3)) == 3


def test_an_idle_worker_is_used_again_rather_than_another_started(httpd: CheckedHttpd, probe: AppFolder) -> None:
    httpd.site(document_root=probe.public)
    httpd.start()
    assert len({httpd.get("/pid").text for _ in range(20)}) == 1


@pytest.mark.parametrize("limit", ["PassengerMaxPoolSize 2", "PassengerMaxInstancesPerApp 2"])
def test_a_limit_for_the_server_holds_and_the_requests_beyond_it_wait(
    httpd: CheckedHttpd, probe: AppFolder, limit: str
) -> None:
    httpd.add(limit)
    check_that_two_workers_are_the_most(httpd, probe, "")


def test_max_instances_of_an_app_holds_and_the_requests_beyond_it_wait(httpd: CheckedHttpd, probe: AppFolder) -> None:
    check_that_two_workers_are_the_most(httpd, probe, "PassengerMaxInstances 2")


def check_that_two_workers_are_the_most(httpd: CheckedHttpd, probe: AppFolder, body: str) -> None:
    httpd.site(document_root=probe.public, body=body)
    httpd.start()
    held = [hold(httpd, probe, "first"), hold(httpd, probe, "second")]
    third = Background(lambda: httpd.get("/pid"))
    remains_true(lambda: not third.done and len(workers(httpd)) == 2, "two workers, and the third request waits", 0.7)
    probe.open_gate("first")
    assert third.result().text == held[0].result().text
    probe.open_gate("second")
    held[1].result()


def test_a_limit_of_one_app_leaves_another_free(httpd: CheckedHttpd, apps: AppFolders, probe: AppFolder) -> None:
    other = apps.create("probe", "other")
    httpd.site(document_root=probe.public, body="PassengerMaxInstances 1")
    httpd.site("other.example", other.public)
    httpd.start()
    held = hold(httpd, probe, "busy")
    assert httpd.get("/", "other.example").status == 200
    probe.open_gate("busy")
    held.result()


def test_an_idle_worker_of_another_app_makes_room_when_the_pool_is_full(
    httpd: CheckedHttpd, apps: AppFolders, probe: AppFolder
) -> None:
    other = apps.create("probe", "other")
    httpd.add("PassengerMaxPoolSize 1")
    httpd.site(document_root=probe.public)
    httpd.site("other.example", other.public)
    httpd.start()
    for host in ("site.example", "other.example", "site.example"):
        assert httpd.get("/", host).status == 200


def test_a_request_waits_while_the_pool_is_full_of_busy_workers(
    httpd: CheckedHttpd, apps: AppFolders, probe: AppFolder
) -> None:
    other = apps.create("probe", "other")
    httpd.add("PassengerMaxPoolSize 1")
    httpd.site(document_root=probe.public)
    httpd.site("other.example", other.public)
    httpd.start()
    held = hold(httpd, probe, "busy")
    waiting = Background(lambda: httpd.get("/", "other.example"))
    remains_true(lambda: not waiting.done, "the pool is full", 0.5)
    probe.open_gate("busy")
    assert (held.result().status, waiting.result().status) == (200, 200)


def test_with_a_minimum_of_zero_all_workers_end_and_the_next_request_starts_one(
    httpd: CheckedHttpd, probe: AppFolder
) -> None:
    httpd.add("PassengerPoolIdleTime 1")
    httpd.site(document_root=probe.public, body="PassengerMinInstances 0")
    httpd.start()
    first = httpd.get("/pid").text
    wait_for_workers(httpd, 0)
    assert httpd.get("/pid").text != first


def test_an_idle_preloader_ends_and_its_workers_serve_on(httpd: CheckedHttpd, release: AppFolder) -> None:
    httpd.site(document_root=release.public, body="PassengerMaxPreloaderIdleTime 1")
    httpd.start()
    worker, loaded_by = httpd.get("/pid").text, int(httpd.get("/loaded-by").text)
    eventually(lambda: loaded_by not in {process.pid for process in httpd.app_processes()}, "the preloader's end")
    assert httpd.get("/pid").text == worker


def test_a_new_preloader_comes_when_a_worker_is_needed_after_the_first_has_ended(
    httpd: CheckedHttpd, probe: AppFolder
) -> None:
    httpd.site(document_root=probe.public, body="PassengerMaxPreloaderIdleTime 1")
    httpd.start()
    httpd.get("/")
    eventually(lambda: not preloaders(httpd), "the preloader's end")
    held = hold(httpd, probe, "busy")
    assert httpd.get("/").status == 200
    probe.open_gate("busy")
    held.result()


def test_requests_that_wait_for_a_cold_app_are_all_served_by_it(httpd: CheckedHttpd, release: AppFolder) -> None:
    release.write("loading.txt", "gate")
    httpd.site(document_root=release.public)
    httpd.start()
    waiting = [Background(lambda: httpd.get("/")) for _ in range(8)]
    remains_true(lambda: not any(request.done for request in waiting), "the app is still loading", 0.3)
    release.open_gate("load")
    assert [request.result().text for request in waiting] == ["first"] * 8


def test_a_killed_preloader_costs_no_request(httpd: CheckedHttpd, probe: AppFolder) -> None:
    httpd.logs.allow("JS")
    httpd.site(document_root=probe.public)
    httpd.start()
    told = httpd.get("/process").json()
    next(process for process in httpd.app_processes() if process.pid == told["ppid"]).kill()
    assert httpd.get("/pid").text == str(told["pid"])


def test_an_app_grows_again_after_its_preloader_was_killed(httpd: CheckedHttpd, probe: AppFolder) -> None:
    httpd.logs.allow("JS")
    httpd.site(document_root=probe.public)
    httpd.start()
    preloader = httpd.get("/process").json()["ppid"]
    next(process for process in httpd.app_processes() if process.pid == preloader).kill()
    held = hold(httpd, probe, "busy")
    assert httpd.get("/").status == 200
    probe.open_gate("busy")
    held.result()


def test_prestart_starts_the_app_with_httpd(httpd: CheckedHttpd, release: AppFolder) -> None:
    httpd.add(f"PassengerPreStart http://site.example:{httpd.port}/")
    httpd.site(document_root=release.public)
    httpd.start()
    eventually(release.event_names, "the app to be loaded")
    wait_for_workers(httpd, 1)


def test_two_environments_of_one_app_are_two_groups(httpd: CheckedHttpd, probe: AppFolder) -> None:
    for name in ("staging", "production"):
        httpd.site(f"{name}.example", probe.public, f"PassengerAppEnv {name}")
    httpd.start()
    told = {name: httpd.get("/process", f"{name}.example").json() for name in ("staging", "production")}
    assert [told[name]["environ"]["PASSENGER_APP_ENV"] for name in told] == ["staging", "production"]
    assert told["staging"]["pid"] != told["production"]["pid"]


@pytest.mark.parametrize("variable", ["WSGI_ENV", "RACK_ENV", "RAILS_ENV", "NODE_ENV", "PASSENGER_APP_ENV"])
def test_the_environment_has_all_the_names_that_frameworks_read(
    httpd: CheckedHttpd, probe: AppFolder, variable: str
) -> None:
    httpd.site(document_root=probe.public, body="PassengerAppEnv staging")
    httpd.start()
    assert httpd.get("/process").json()["environ"][variable] == "staging"


def test_sites_with_one_group_name_share_their_processes(httpd: CheckedHttpd, probe: AppFolder) -> None:
    for name in ("one", "two"):
        httpd.site(f"{name}.example", probe.public, "PassengerAppGroupName shared")
    httpd.start()
    assert httpd.get("/pid", "one.example").text == httpd.get("/pid", "two.example").text
    assert group(httpd)["name"] == "shared"


def test_a_worker_inherits_nothing_but_its_own_descriptors(httpd: CheckedHttpd, probe: AppFolder) -> None:
    httpd.site(document_root=probe.public)
    httpd.start()
    descriptors = httpd.get("/process").json()["descriptors"]
    assert descriptors["0"] == "/dev/null"
    assert descriptors["1"] == descriptors["2"]
    files = [target for target in descriptors.values() if target.startswith("/") and "memfd" not in target]
    assert files == ["/dev/null"], descriptors
    assert len(descriptors) <= 12, descriptors
