"""What a client gets when the module itself has to answer an error: page or JSON, and an id that the log has, too."""

from __future__ import annotations

import os
import re
import subprocess
from typing import Callable

import pytest

from support.applications import USUAL_OWNER, AppFolder, AppFolders
from support.background import Background
from support.client import Answer
from support.curl import curl
from support.httpd import Httpd
from support.paths import exact
from support.serving import CheckedHttpd
from support.status import group
from support.waiting import eventually

DEATH = "/end?how=kill"
LOG = "site.example.log"
BAD_HEADER = exact(headers=[["X-Bad", "a\0b"]])


@pytest.fixture
def server(httpd: CheckedHttpd, probe: AppFolder) -> CheckedHttpd:
    httpd.site(document_root=probe.public)
    return httpd


def started(server: CheckedHttpd) -> CheckedHttpd:
    server.logs.allow("JS")
    server.start()
    return server


def id_on_page(answer: Answer) -> str:
    found = re.search(r"<code>([0-9a-f]{8})</code>", answer.text)
    assert found is not None, answer.text
    return found.group(1)


def test_a_death_of_the_worker_is_a_short_page_whose_id_is_in_the_log_with_app_and_request(
    server: CheckedHttpd, probe: AppFolder
) -> None:
    started(server)
    answer = server.get(DEATH)
    assert (answer.status, answer.header("Content-Type")) == (502, "text/html; charset=utf-8")
    assert answer.header("Cache-Control") == "no-store"
    line = server.logs.wait_for(f"error id {id_on_page(answer)}", LOG)
    assert "JS2045" in line
    assert f"app {probe.root} (production), GET /end;" in line
    assert "how=kill" not in line


def test_the_page_names_no_cause(server: CheckedHttpd, probe: AppFolder) -> None:
    answer = started(server).get(DEATH)
    for detail in ("worker", "socket", str(probe.root), "kill", "passenger"):
        assert detail not in answer.text


def test_the_connection_goes_on_after_an_error(server: CheckedHttpd) -> None:
    started(server)
    with server.client() as client:
        client.get("/")
        port = client.local_port
        for path in (DEATH, DEATH):
            assert client.get(path).status == 502
        assert client.request("POST", DEATH, b"x" * 300_000).status == 502
        assert client.get("/").status == 200
        assert client.local_port == port


def test_a_program_gets_json(server: CheckedHttpd) -> None:
    answer = started(server).get(DEATH, accept="application/json, text/plain, */*")
    assert (answer.status, answer.header("Content-Type")) == (502, "application/json")
    assert answer.header("Cache-Control") == "no-store"
    error = json_of(answer)["error"]
    assert error["status"] == 502
    assert (error["title"], error["retry_after"]) == ("The application could not answer this request", None)
    server.logs.wait_for(f"JS2045: .*error id {error['id']}", LOG)


def json_of(answer: Answer) -> dict[str, dict[str, object]]:
    return Answer(200, "", answer.headers, answer.body).json()  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        ({"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}, "text/html"),
        ({"Accept": "text/html;q=0.4, application/json;q=0.5"}, "application/json"),
        ({"Content-Type": "application/json"}, "application/json"),
        ({"Content-Type": "application/json", "Accept": "text/html"}, "text/html"),
        ({}, "text/html"),
    ],
    ids=str,
)
def test_the_client_says_what_it_would_rather_have(server: CheckedHttpd, headers: dict[str, str], kind: str) -> None:
    answer = started(server).request("POST", DEATH, body=b"{}", headers=headers)
    assert (answer.header("Content-Type") or "").partition(";")[0] == kind


def test_head_gets_the_head_alone(server: CheckedHttpd) -> None:
    started(server)
    length = server.get(DEATH).header("Content-Length")
    with server.client() as client:
        answer = client.request("HEAD", DEATH)
        assert (answer.status, answer.body, answer.header("Content-Length")) == (502, b"", length)
        assert client.get("/").status == 200


def test_an_error_document_of_the_administrator_answers_in_its_place(server: CheckedHttpd, probe: AppFolder) -> None:
    probe.write("public/sorry.html", "the administrator's words")
    server.add("ErrorDocument 502 /sorry.html")
    answer = started(server).get(DEATH, accept="application/json")
    assert (answer.status, answer.text) == (502, "the administrator's words")
    server.logs.wait_for(r"JS2045: .*error id [0-9a-f]{8}", LOG)


def test_an_error_document_that_is_taken_back_within_a_location_does_not_answer(server: CheckedHttpd) -> None:
    server.add('ErrorDocument 502 "everywhere"\n<Location /end>\nErrorDocument 502 default\n</Location>')
    assert id_on_page(started(server).get(DEATH))


def test_an_error_document_by_an_app_learns_the_id(server: CheckedHttpd, apps: AppFolders) -> None:
    sorry = apps.create(
        name="sorry",
        entry="""\
        def application(environ, start_response):
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [environ["REDIRECT_PASSENGER_ERROR_ID"].encode()]
        """,
    )
    server.configuration.sites[-1].body = (
        f'ErrorDocument 502 /sorry\nAlias /sorry "{sorry.public}"\n<Location /sorry>\nPassengerBaseURI /sorry\n'
        f'PassengerAppRoot "{sorry.root}"\n</Location>'
    )
    answer = started(server).get(DEATH)
    assert answer.status == 502
    assert re.fullmatch("[0-9a-f]{8}", answer.text)
    server.logs.wait_for(f"JS2045: .*error id {answer.text}", LOG)


def test_an_error_document_that_fails_itself_is_left_to_httpd(server: CheckedHttpd) -> None:
    server.add(f"ErrorDocument 404 {DEATH}\nErrorDocument 502 {DEATH}")
    assert started(server).get(DEATH).status == 502
    assert server.get("/").status == 200


def test_a_response_that_is_refused_is_a_502_with_an_id(server: CheckedHttpd, apps: AppFolders) -> None:
    hostile = apps.create(
        name="hostile",
        entry="""\
        import os, socket

        def application(environ, start_response):
            for name in os.listdir("/proc/self/fd"):
                try:
                    found = socket.socket(fileno=os.dup(int(name)))
                except OSError:
                    continue
                if found.family == socket.AF_UNIX and found.type == socket.SOCK_STREAM:
                    if not found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                        found.sendall(b"Status: 200 OK\\r\\nX-Bad: a\\0b\\r\\n\\r\\n")
            os._exit(1)
        """,
    )
    server.site("hostile.example", hostile.public)
    started(server)
    answer = server.get("/shop?secret=1", host="hostile.example")
    assert answer.status == 502
    line = server.logs.wait_for(f"JS2040: .*error id {id_on_page(answer)}", "hostile.example.log")
    assert "X-Bad" in line
    assert "GET /shop;" in line
    assert "secret" not in line


def test_a_full_queue_is_a_503_that_says_when_to_come_again(server: CheckedHttpd, probe: AppFolder) -> None:
    server.configuration.sites[-1].body = "PassengerMaxInstances 1\nPassengerMaxRequestQueueSize 1"
    started(server)
    held = Background(lambda: server.get("/hold?gate=busy&name=held"))
    probe.wait_for_event("holding-held")
    others = [Background(lambda: server.get("/")) for _ in range(8)]
    refused = eventually(lambda: [other.result() for other in others if other.done], "one to be refused")
    probe.open_gate("busy")
    answer = refused[0]
    assert (answer.status, answer.header("Retry-After"), answer.header("Cache-Control")) == (503, "1", "no-store")
    line = server.logs.wait_for(f"JS2120: .*error id {id_on_page(answer)}", LOG)
    assert f"the app {probe.root} (production) is full" in line
    assert held.result().status == 200
    assert {other.result().status for other in others} <= {200, 503}


def test_requests_that_found_the_queue_full_are_counted_and_run_a_hook(server: CheckedHttpd, probe: AppFolder) -> None:
    hook = server.folder / "hook"
    hook.write_text(f"#!/bin/sh\nprintenv PASSENGER_APP_GROUP_NAME >> {server.folder}/logs/hook.txt\n")
    hook.chmod(0o755)
    server.add(f"PassengerCtl hook_queue_full_error {hook}")
    server.configuration.sites[-1].body = "PassengerMaxInstances 1\nPassengerMaxRequestQueueSize 1"
    started(server)
    held = Background(lambda: server.get("/hold?gate=busy&name=held"))
    probe.wait_for_event("holding-held")
    waiting = Background(lambda: server.get("/"))
    eventually(lambda: group(server)["requests_in_queue"] == 1, "the queue to be full")
    assert [server.get("/").status for _ in range(20)] == [503] * 20

    probe.open_gate("busy")
    assert {held.result().status, waiting.result().status} == {200}

    def told() -> bool:
        # What could not be told at once goes with a later request.
        assert server.get("/").status == 200
        return bool(group(server)["requests_rejected"] == 20)

    eventually(told, "all of them to be counted")
    eventually(lambda: f"{probe.root} (production)" in server.logs.text("hook.txt"), "the hook")


@pytest.mark.parametrize("path", [DEATH, "/exact"], ids=["error page", "answer of the app"])
def test_an_answer_that_a_filter_fails_on_is_a_500_of_httpd(server: CheckedHttpd, path: str) -> None:
    server.module("substitute")
    server.configuration.sites[-1].body = (
        "SetOutputFilter SUBSTITUTE\nSubstitute s/a/much-longer/\nSubstituteMaxLineLength 20"
    )
    server.logs.expect("AH01328: Line too long")
    started(server)
    answer = server.get(path if path == DEATH else exact(body=["aaaaaaaa" * 100]))
    assert answer.status == 500
    assert "Internal Server Error" in answer.text


def test_an_app_that_cannot_be_registered_is_a_500(server: CheckedHttpd) -> None:
    server.configuration.sites[-1].body = "SetEnv BIG " + "x" * 270_000
    started(server)
    answer = server.get("/", accept="application/json")
    assert answer.status == 500
    server.logs.wait_for(f"JS2083: .*error id {json_of(answer)['error']['id']}", LOG)


def test_the_access_log_can_name_the_id(server: CheckedHttpd) -> None:
    server.add(f'CustomLog "{server.folder}/logs/access.log" "%>s %{{passenger-error-id}}n"')
    answer = started(server).get(DEATH)
    server.logs.wait_for(f"^502 {id_on_page(answer)}$", "access.log")


def test_over_http2_it_is_the_same(server: CheckedHttpd) -> None:
    server.module("http2")
    server.add("Protocols h2c http/1.1")
    started(server)
    url = f"http://127.0.0.1:{server.port}{DEATH}"
    answer = curl(url, "--http2-prior-knowledge", "-H", "Host: site.example", "-H", "Accept: application/json")
    assert (answer.status, answer.protocol) == (502, "2")
    assert answer.body.startswith(b'{"error": {"status": 502, ')


def test_a_client_in_the_middle_of_its_upload_reads_the_answer(server: CheckedHttpd) -> None:
    server.configuration.sites[-1].body = "PassengerBufferUpload off"
    started(server)
    url = f"http://127.0.0.1:{server.port}{DEATH}"
    answer = curl(url, "-H", "Host: site.example", "-H", "Expect:", "--data-binary", "@-", stdin=b"x" * 50_000_000)
    assert answer.status == 502
    assert b"</html>" in answer.body


def limit_descriptors(server: Httpd, number: int) -> None:
    """From now on no child of httpd may open a descriptor whose number is `number` or larger."""
    for process in server.children("apache2"):
        command = ["prlimit", "--pid", str(process.pid), f"--nofile={number}:"]
        subprocess.run(command, check=True, user=process.uids().real, group=process.gids().real)


@pytest.mark.usefixtures("module_for_other_users")
def test_a_process_of_httpd_without_descriptors_says_so_and_recovers(make_httpd: Callable[..., CheckedHttpd]) -> None:
    # A process that has changed its user cannot be limited from outside.
    server = make_httpd(user=USUAL_OWNER if os.geteuid() == 0 else "")
    # A connection that httpd has kept would do without another descriptor.
    configuration = server.folder / "spawner.conf"
    configuration.write_text("[apps]\ndisabled_capabilities = keep-alive,\n")
    server.add(f'PassengerSpawnerConfigFile "{configuration}"')
    server.site(document_root=AppFolders(server.folder / "apps").create("probe").public)
    started(server)
    with server.client() as client:
        assert client.get("/").status == 200
        limit_descriptors(server, 3)
        answer = client.get("/")
        assert (answer.status, answer.header("Retry-After")) == (503, "1")
        assert "Too many open files" in server.logs.wait_for(f"JS2134: .*error id {id_on_page(answer)}", LOG)
        limit_descriptors(server, 1024)
        assert client.get("/").status == 200
