"""PassengerStickySessions: a client comes back to its worker while that one lives, and else to another one."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

from support.applications import AppFolder
from support.background import Background
from support.client import Answer, Wire
from support.paths import exact, path
from support.serving import CheckedHttpd
from support.status import wait_for_workers
from support.waiting import eventually, remains_true

NAME = "_passenger_route"
LOG = "site.example.log"


@pytest.fixture
def server(httpd: CheckedHttpd, probe: AppFolder) -> CheckedHttpd:
    httpd.add("PassengerMinInstances 2\nPassengerMaxPoolSize 2\nPassengerStickySessions on")
    httpd.site(document_root=probe.public)
    return httpd


def started(server: CheckedHttpd) -> CheckedHttpd:
    server.start()
    assert server.get("/").status == 200
    wait_for_workers(server, 2)
    return server


def cookies(answer: Answer, name: str = NAME) -> list[str]:
    """The whole Set-Cookie headers of that cookie."""
    return [value for value in answer.all("Set-Cookie") if value.startswith(f"{name}=")]


def route_of(answer: Answer, name: str = NAME) -> str:
    (cookie,) = cookies(answer, name)
    found = re.match(rf"{name}=([0-9a-f]{{16}})(;|$)", cookie)
    assert found is not None, cookie
    return found.group(1)


def shown(route: str) -> dict[str, str]:
    return {"cookie": f"{NAME}={route}"}


def hold(server: CheckedHttpd, probe: AppFolder, name: str, route: str = "") -> Background[Answer]:
    """A request that keeps a worker busy until the gate of its name is open."""
    headers = shown(route) if route else {}
    held = Background(lambda: server.get(path("/hold", gate=name, name=name), **headers))
    probe.wait_for_event(f"holding-{name}")
    return held


def wait_for_connections(route: str, count: int) -> None:
    """Wait until a worker's own socket has so many connections, accepted or not."""
    name = f".{route}."  # the kernel knows a socket by the name that it was first bound to

    def made() -> bool:
        lines = Path("/proc/net/unix").read_text().splitlines()
        return len([line for line in lines if name in line]) - 1 >= count  # one of them listens

    eventually(made, f"{count} connections to worker {route}")


def both_workers(server: CheckedHttpd, probe: AppFolder) -> dict[str, str]:
    """The route of each of the two workers and its pid."""
    held = hold(server, probe, "one")
    second = server.get("/pid")
    probe.open_gate("one")
    first = held.result()
    assert first.text != second.text
    return {route_of(first): first.text, route_of(second): second.text}


def test_a_client_comes_back_to_its_worker_and_gets_no_second_cookie(server: CheckedHttpd, probe: AppFolder) -> None:
    routes = both_workers(started(server), probe)
    for _ in range(5):
        for route, pid in routes.items():
            answer = server.get("/pid", **shown(route))
            assert (answer.text, cookies(answer)) == (pid, [])


def test_the_cookie_has_the_usual_attributes(server: CheckedHttpd) -> None:
    answer = started(server).get("/")
    assert cookies(answer) == [f"{NAME}={route_of(answer)}; Path=/; HttpOnly; SameSite=Lax"]


def test_over_tls_the_cookie_is_secure(server: CheckedHttpd) -> None:
    server.add('SetEnvIf X-Forwarded-Proto "^https$" HTTPS=on')
    answer = started(server).get("/", x_forwarded_proto="https")
    assert cookies(answer) == [f"{NAME}={route_of(answer)}; Path=/; HttpOnly; SameSite=Lax; Secure"]


def test_without_sticky_sessions_there_is_no_cookie(httpd: CheckedHttpd, probe: AppFolder) -> None:
    httpd.site(document_root=probe.public)
    httpd.start()
    answer = httpd.get("/pid", **shown("0123456789abcdef"))
    assert (answer.status, answer.all("Set-Cookie"), answer.header("Cache-Control")) == (200, [], None)


def test_name_and_attributes_are_the_administrators(server: CheckedHttpd, probe: AppFolder) -> None:
    server.add('PassengerStickySessionsCookieName worker\nPassengerStickySessionsCookieAttributes "Secure; Max-Age=9"')
    answer = started(server).get("/pid")
    route = route_of(answer, "worker")
    assert cookies(answer, "worker") == [f"worker={route}; Path=/; Secure; Max-Age=9"]
    again = server.get("/pid", cookie=f"a=b; worker={route}")
    assert (again.text, again.all("Set-Cookie")) == (answer.text, [])


def test_a_path_of_the_administrators_own_replaces_ours(server: CheckedHttpd) -> None:
    server.add('PassengerStickySessionsCookieAttributes "path=/shop; HttpOnly"')
    answer = started(server).get("/")
    assert cookies(answer) == [f"{NAME}={route_of(answer)}; path=/shop; HttpOnly"]


def test_the_cookie_belongs_to_where_the_app_is_mounted(httpd: CheckedHttpd, probe: AppFolder) -> None:
    httpd.site(
        document_root=httpd.folder / "apps",
        body=f'Alias "/the shop" "{probe.public}"\n<Location "/the shop">\nPassengerBaseURI "/the shop"\n'
        f'PassengerAppRoot "{probe.root}"\nPassengerStickySessions on\n</Location>',
    )
    httpd.start()
    answer = httpd.get("/the%20shop/pid")
    assert answer.status == 200
    assert cookies(answer) == [f"{NAME}={route_of(answer)}; Path=/the%20shop; HttpOnly; SameSite=Lax"]


@pytest.mark.parametrize(
    "cookie",
    [
        f"{NAME}=0123456789abcdef",
        f"{NAME}=",
        f"{NAME}=../../../../etc/passwd",
        f"{NAME}=" + "a" * 5000,
        f"{NAME}=0123456789ABCDEF",
        f'{NAME}="',
        "=;;,=",
    ],
    ids=lambda cookie: cookie[:40],
)
def test_a_cookie_that_leads_nowhere_is_replaced(server: CheckedHttpd, cookie: str) -> None:
    answer = started(server).get("/pid", cookie=cookie)
    assert answer.status == 200
    assert route_of(answer) not in cookie


def test_the_first_of_several_cookies_that_can_be_a_route_counts(server: CheckedHttpd, probe: AppFolder) -> None:
    routes = both_workers(started(server), probe)
    for route, pid in routes.items():
        cookie = f'{NAME}=nonsense; theme={route}x; {NAME}="{route}"; {NAME}={"f" * 16}'
        assert server.get("/pid", cookie=cookie).text == pid


def test_a_request_waits_for_its_worker_while_another_one_is_idle(server: CheckedHttpd, probe: AppFolder) -> None:
    routes = both_workers(started(server), probe)
    route, pid = next(iter(routes.items()))
    held = hold(server, probe, "mine", route)
    waiting = Background(lambda: server.get("/pid", **shown(route)))
    assert server.get("/pid").text != pid
    remains_true(lambda: not waiting.done, "its worker is busy", 0.3)
    probe.open_gate("mine")
    assert held.result().status == 200
    assert waiting.result().text == pid


@pytest.mark.parametrize("status", ["404 Not Here", "500 Oops", "302 Elsewhere", "204 Nothing"])
def test_answers_that_are_errors_carry_the_cookie_and_the_apps_own_ones(server: CheckedHttpd, status: str) -> None:
    headers = [["Set-Cookie", "a=1"], ["Set-Cookie", f"{NAME}=of-the-app"], ["Location", "/elsewhere"]]
    answer = started(server).get(exact(status=status, headers=headers))
    assert answer.status == int(status[:3])
    ours = [value for value in answer.all("Set-Cookie") if "HttpOnly" in value]
    assert [value for value in answer.all("Set-Cookie") if value not in ours] == ["a=1", f"{NAME}=of-the-app"]
    assert len(ours) == 1


@pytest.mark.parametrize(
    ("said", "has_cookie", "passed_on"),
    [
        (None, True, "private"),
        ("max-age=60", True, "max-age=60, private"),
        ("no-store", True, "no-store"),
        ("private, max-age=60", True, "private, max-age=60"),
        ("public, max-age=60", False, "public, max-age=60"),
        ("s-maxage=60", False, "s-maxage=60"),
    ],
)
def test_no_shared_cache_gives_one_clients_cookie_to_another(
    server: CheckedHttpd, said: str | None, has_cookie: bool, passed_on: str
) -> None:
    headers = [["Cache-Control", said]] if said is not None else []
    answer = started(server).get(exact(headers=headers))
    assert (len(cookies(answer)) == 1, answer.header("Cache-Control")) == (has_cookie, passed_on)


def test_a_client_that_shows_its_route_gets_the_apps_caching_unchanged(server: CheckedHttpd) -> None:
    route = route_of(started(server).get("/pid"))
    answer = server.get(exact(headers=[["Cache-Control", "max-age=60"]]), **shown(route))
    assert answer.header("Cache-Control") == "max-age=60"


def test_a_client_whose_worker_has_died_goes_to_another_one(server: CheckedHttpd, probe: AppFolder) -> None:
    routes = both_workers(started(server), probe)
    server.logs.allow("JS3")
    route, pid = next(iter(routes.items()))
    os.kill(int(pid), signal.SIGKILL)
    answer = server.post("/echo", b"x" * 300_000, headers={"Cookie": f"{NAME}={route}"})
    assert (answer.status, len(answer.body)) == (200, 300_000)
    assert route_of(answer) != route


@pytest.mark.parametrize("length", [0, 1000, 300_000], ids=["none", "memory", "file"])
def test_what_waits_for_a_worker_that_dies_is_given_to_another_one(
    server: CheckedHttpd, probe: AppFolder, length: int
) -> None:
    routes = both_workers(started(server), probe)
    server.logs.allow("JS3|JS2045")
    route, pid = next(iter(routes.items()))
    held = hold(server, probe, "mine", route)
    waiting = Background(lambda: server.post("/echo", b"x" * length, headers={"Cookie": f"{NAME}={route}"}))
    wait_for_connections(route, 2)
    remains_true(lambda: not waiting.done, "its worker is busy", 0.3)
    os.kill(int(pid), signal.SIGKILL)
    assert held.result().status == 502
    answer = waiting.result()
    assert (answer.status, answer.body) == (200, b"x" * length)
    assert route_of(answer) != route


def test_a_streamed_body_that_turned_out_to_be_empty_is_given_to_another_one_as_such(
    server: CheckedHttpd, probe: AppFolder
) -> None:
    server.configuration.sites[-1].body = "PassengerBufferUpload off"
    routes = both_workers(started(server), probe)
    server.logs.allow("JS3|JS2045")
    route, pid = next(iter(routes.items()))
    held = hold(server, probe, "mine", route)
    with Wire(server.port) as wire:
        wire.head("POST /echo HTTP/1.1", "Transfer-Encoding: chunked", f"Cookie: {NAME}={route}")
        wire.send(b"0\r\n\r\n")
        wait_for_connections(route, 2)
        remains_true(lambda: not held.done, "its worker is busy", 0.3)
        os.kill(int(pid), signal.SIGKILL)
        answer = wire.answer("POST")
    assert (answer.status, answer.body) == (200, b"")
    assert held.result().status == 502


def test_an_upload_of_which_some_is_gone_cannot_be_given_to_another_one(server: CheckedHttpd, probe: AppFolder) -> None:
    server.configuration.sites[-1].body = "PassengerBufferUpload off"
    routes = both_workers(started(server), probe)
    server.logs.allow("JS3|JS2045")
    server.logs.expect("JS2132")
    route, pid = next(iter(routes.items()))
    held = hold(server, probe, "mine", route)
    with Wire(server.port) as wire:
        wire.head("POST /echo HTTP/1.1", "Content-Length: 10", f"Cookie: {NAME}={route}")
        wire.send(b"12345")
        wait_for_connections(route, 2)
        remains_true(lambda: not held.done, "its worker is busy", 0.3)
        os.kill(int(pid), signal.SIGKILL)
        assert wire.answer("POST").status == 502
    line = server.logs.wait_for("JS2132", LOG)
    assert f"app {probe.root} (production), POST /echo, worker {route}; error id " in line
    assert held.result().status == 502


def test_the_log_names_the_worker_that_died(server: CheckedHttpd) -> None:
    server.logs.allow("JS3")
    server.logs.expect("JS2045")
    route = route_of(started(server).get("/pid"))
    assert server.get("/end?how=kill", **shown(route)).status == 502
    assert f"GET /end, worker {route}; error id " in server.logs.wait_for("JS2045", LOG)


def test_after_a_restart_a_client_goes_to_a_new_worker(server: CheckedHttpd, probe: AppFolder) -> None:
    routes = both_workers(started(server), probe)
    probe.touch_restart()
    for route, pid in routes.items():
        eventually(lambda route=route, pid=pid: server.get("/pid", **shown(route)).text != pid, "a new worker")


def test_no_request_is_lost_at_a_restart_under_sessions(server: CheckedHttpd, probe: AppFolder) -> None:
    routes = list(both_workers(started(server), probe))
    statuses: list[int] = []
    for _ in range(5):
        probe.touch_restart()
        for turn in range(20):
            with server.client() as client:
                answer = client.get("/pid", cookie=f"{NAME}={routes[turn % 2]}")
                statuses.append(answer.status)
                if cookies(answer):
                    routes[turn % 2] = route_of(answer)
    assert set(statuses) == {200}


def test_a_full_queue_of_ones_own_worker_is_a_503(server: CheckedHttpd, probe: AppFolder) -> None:
    server.add("PassengerMaxRequestQueueSize 1")
    routes = both_workers(started(server), probe)
    server.logs.expect("JS2120")
    route = next(iter(routes))
    held = hold(server, probe, "mine", route)
    others = [Background(lambda: server.get("/pid", **shown(route))) for _ in range(6)]
    refused = eventually(lambda: [other.result() for other in others if other.done], "one to be refused")
    assert (refused[0].status, refused[0].header("Retry-After")) == (503, "1")
    assert server.get("/pid").status == 200  # by the other worker
    probe.open_gate("mine")
    assert held.result().status == 200
    assert {other.result().status for other in others} == {200, 503}
