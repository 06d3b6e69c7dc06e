"""Answers that would deceive the client or httpd: none of them is passed on, and the next request is right."""

from __future__ import annotations

import http.client

import pytest

from support.applications import AppFolder
from support.client import Answer
from support.paths import exact, path
from support.serving import CheckedHttpd

#: The line in the log names the fault; by the app's process or by the module.
REFUSED = "JS|App "


@pytest.fixture(scope="module")
def server(shared_httpd: CheckedHttpd, shared_probe: AppFolder) -> CheckedHttpd:
    shared_probe.write("public/secret.shtml", "never by itself")
    shared_httpd.site(document_root=shared_probe.public, body="AddHandler cgi-script .cgi\nAddType text/x-handled .odd")
    shared_httpd.start()
    return shared_httpd


@pytest.fixture(autouse=True)
def refusals_are_wanted(server: CheckedHttpd) -> None:
    """Also those of the test before, whose client may have had its answer first."""
    server.logs.allow(REFUSED)


def ask_then_go_on(server: CheckedHttpd, **spec: object) -> Answer:
    """Ask for a hostile answer, then check that the same connection (or a fresh one) still answers rightly."""
    with server.client() as client:
        answer = client.get(exact(**spec))
        following = client.get("/")
    assert (following.status, following.text) == (200, "the probe's front page")
    return answer


@pytest.mark.parametrize(
    "headers",
    [
        [["X-Split", "a\r\nX-Injected: yes"]],
        [["X-Split", "a\nX-Injected: yes"]],
        [["X-Split", "a\rX-Injected: yes"]],
        [["X-Split", "a\0b"]],
        [["X-Spl\r\nX-Injected", "yes"]],
        [["X Space", "a"]],
        [["", "a"]],
        [["X:Colon", "a"]],
        [["Content-Type", "text/plain\r\nX-Injected: yes"]],
        [["Location", "/x\r\nX-Injected: yes"]],
        [["Content-Length", "-1"]],
        [["Content-Length", "1x"]],
        [["Content-Length", "+1"]],
        [["Content-Length", "1_0"]],
        [["Content-Length", "1"], ["Content-Length", "2"]],
        [["Content-Length", "1, 2"]],
        [["Content-Length", "9" * 30]],
    ],
    ids=repr,
)
def test_a_bad_header_is_an_error_and_nothing_of_it_is_passed_on(
    server: CheckedHttpd, headers: list[list[str]]
) -> None:
    answer = ask_then_go_on(server, headers=headers, body=["x"])
    assert answer.status in (500, 502)
    assert answer.header("X-Injected") is None


@pytest.mark.parametrize(
    "status",
    [
        "200 OK\r\nX-Injected: yes",
        "200 OK\nX-Injected: yes",
        "200 a\0b",
        "OK",
        "",
        "20 Short",
        "2000 Long",
        "abc OK",
        "099 Low",
        "100 Continue",
        "101 Switching Protocols",
        "102 Processing",
        "000 None",
    ],
    ids=repr,
)
def test_a_bad_status_is_an_error_and_nothing_of_it_is_passed_on(server: CheckedHttpd, status: str) -> None:
    answer = ask_then_go_on(server, status=status, body=["x"])
    assert answer.status in (500, 502)
    assert answer.header("X-Injected") is None


@pytest.mark.parametrize(
    "header",
    [
        ["Transfer-Encoding", "chunked"],
        ["Transfer-Encoding", "identity"],
        ["Upgrade", "websocket"],
        ["Trailer", "X-T"],
        ["TE", "trailers"],
        ["Proxy-Authenticate", "Basic"],
    ],
    ids=repr,
)
def test_a_header_that_would_change_how_the_answer_is_read_is_refused(server: CheckedHttpd, header: list[str]) -> None:
    answer = ask_then_go_on(server, headers=[header], body=["abc"])
    assert answer.status in (500, 502)
    assert answer.header(header[0]) in (None, "chunked")


@pytest.mark.parametrize(
    "header", [["Connection", "close"], ["Connection", "X-Kept"], ["Keep-Alive", "timeout=1"]], ids=repr
)
def test_a_header_about_the_connection_is_dropped(server: CheckedHttpd, header: list[str]) -> None:
    answer = ask_then_go_on(server, headers=[header, ["X-Kept", "yes"]], body=["abc"])
    assert (answer.status, answer.text, answer.header("X-Kept")) == (200, "abc", "yes")
    assert header[1] not in answer.all(header[0])


def test_the_line_in_the_log_names_the_bad_header(server: CheckedHttpd) -> None:
    ask_then_go_on(server, headers=[["X-Named-Culprit", "a\r\nb"]])
    server.logs.wait_for("X-Named-Culprit", "site.example.log")


def test_the_line_in_the_log_names_the_bad_status(server: CheckedHttpd) -> None:
    ask_then_go_on(server, status="777777 Culprit")
    server.logs.wait_for("777777 Culprit", "site.example.log")


def test_a_body_beyond_its_length_is_not_passed_on(server: CheckedHttpd) -> None:
    with server.client() as client:
        try:
            answer = client.get(exact(headers=[["Content-Length", "3"]], body=["abcHTTP/1.1 200 OK\r\n\r\n"]))
            assert answer.text == "abc" or answer.status in (500, 502)
        except http.client.HTTPException:
            pass
    assert server.get("/").text == "the probe's front page"


def test_the_bytes_after_a_body_with_a_length_never_become_the_next_answer(server: CheckedHttpd) -> None:
    forged = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"
    with server.client() as client:
        try:
            client.get(exact(headers=[["Content-Length", "3"]], body=["abc", forged]))
        except http.client.HTTPException:
            client.close()
        assert client.get("/").text == "the probe's front page"


def test_a_body_below_its_length_is_seen_as_cut(server: CheckedHttpd) -> None:
    assert outcome(server, exact(headers=[["Content-Length", "10"]], body=["abc"])) in ("cut", "500", "502")


def outcome(server: CheckedHttpd, target: str) -> str:
    try:
        return str(server.get(target).status)
    except http.client.IncompleteRead:
        return "cut"


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_a_body_where_none_may_be_is_not_passed_on(server: CheckedHttpd, status: str) -> None:
    answer = ask_then_go_on(server, status=status, body=["smuggled"])
    assert answer.status in (int(status[:3]), 500, 502)


def test_a_body_on_head_is_not_passed_on(server: CheckedHttpd) -> None:
    with server.client() as client:
        client.request("HEAD", exact(body=["smuggled"]))
        assert client.get("/").text == "the probe's front page"


def test_a_location_does_not_make_httpd_redirect_inside(server: CheckedHttpd) -> None:
    answer = ask_then_go_on(server, headers=[["Location", "/secret.shtml"]], body=["the app's own"])
    assert (answer.status, answer.text) == (200, "the app's own")


@pytest.mark.parametrize(
    "kind",
    [
        "cgi-script",
        "application/x-httpd-cgi",
        "server-status",
        "proxy:http://127.0.0.1:1/",
        "text/x-server-parsed-html",
    ],
)
def test_a_content_type_never_selects_a_handler(server: CheckedHttpd, kind: str) -> None:
    answer = ask_then_go_on(server, headers=[["Content-Type", kind]], body=["the app's own"])
    assert (answer.status, answer.text, answer.header("Content-Type")) == (200, "the app's own", kind)


def test_a_status_header_of_the_app_does_not_change_the_status(server: CheckedHttpd) -> None:
    answer = ask_then_go_on(server, headers=[["Status", "404 Not Found"]], body=["x"])
    assert answer.status in (200, 500, 502)


def test_a_head_beyond_all_limits_is_an_error(server: CheckedHttpd) -> None:
    assert server.get(path("/huge-head", size=2 << 20)).status in (500, 502)
