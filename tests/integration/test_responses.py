"""What an app answers, as the client gets it: status, headers, bodies of every kind, errors of the app."""

from __future__ import annotations

import http.client
import zlib

import pytest

from support.applications import AppFolder
from support.client import Answer, Wire
from support.paths import exact, path
from support.serving import CheckedHttpd
from support.waiting import eventually

MEGABYTE = 1 << 20


@pytest.fixture(scope="module")
def server(shared_httpd: CheckedHttpd, shared_probe: AppFolder) -> CheckedHttpd:
    shared_httpd.site(document_root=shared_probe.public)
    shared_httpd.start()
    return shared_httpd


def ask(server: CheckedHttpd, **spec: object) -> Answer:
    return server.get(exact(**spec))


@pytest.mark.parametrize(
    "status",
    [
        "200 OK",
        "201 Made",
        "299 Odd But Fine",
        "302 Found",
        "404 Not Found",
        "418 Teapot",
        "451 Because",
        "500 Own Fault",
        "503 Not Now",
        "599 Far Out",
    ],
)
def test_status_and_reason_are_the_apps(server: CheckedHttpd, status: str) -> None:
    answer = ask(server, status=status, body=["x"])
    assert (f"{answer.status} {answer.reason}", answer.text) == (status, "x")


def test_the_status_header_repeats_the_status(server: CheckedHttpd) -> None:
    assert ask(server, status="404 Not Found", body=["x"]).header("Status") == "404 Not Found"


def test_a_header_of_the_app_passes_through(server: CheckedHttpd) -> None:
    assert (
        ask(server, headers=[["X-Some-Thing", "its value; with=parts"]]).header("X-Some-Thing")
        == "its value; with=parts"
    )


def test_a_header_of_the_app_may_hold_latin_1(server: CheckedHttpd) -> None:
    assert ask(server, headers=[["X-Name", "Jürgen"]]).header("X-Name") == "Jürgen"


def test_an_empty_header_value_is_kept(server: CheckedHttpd) -> None:
    assert ask(server, headers=[["X-Empty", ""]]).header("X-Empty") == ""


def test_repeated_headers_stay_apart_and_in_order(server: CheckedHttpd) -> None:
    answer = ask(server, headers=[["Set-Cookie", "a=1"], ["Link", "<x>"], ["Set-Cookie", "b=2"], ["Link", "<y>"]])
    assert (answer.all("Set-Cookie"), answer.all("Link")) == (["a=1", "b=2"], ["<x>", "<y>"])


def test_the_content_type_is_the_apps(server: CheckedHttpd) -> None:
    assert ask(server, headers=[["Content-Type", "text/x-odd; charset=utf-8"]]).header("Content-Type") == (
        "text/x-odd; charset=utf-8"
    )


def test_an_answer_without_a_content_type_gets_none(server: CheckedHttpd) -> None:
    assert ask(server, headers=[], body=["x"]).header("Content-Type") is None


def test_there_is_one_date(server: CheckedHttpd) -> None:
    assert ask(server).header("Date")


def test_the_date_of_the_app_is_kept_or_replaced_but_never_doubled(server: CheckedHttpd) -> None:
    assert ask(server, headers=[["Date", "Thu, 01 Jan 1970 00:00:00 GMT"]]).header("Date")


def test_powered_by_names_the_product_and_its_version(server: CheckedHttpd) -> None:
    assert any(any(character.isdigit() for character in value) for value in ask(server).all("X-Powered-By"))


def test_powered_by_does_not_replace_the_apps_own(server: CheckedHttpd) -> None:
    assert "Something" in ", ".join(ask(server, headers=[["X-Powered-By", "Something"]]).all("X-Powered-By"))


def test_an_answer_with_a_length_keeps_it(server: CheckedHttpd) -> None:
    answer = ask(server, headers=[["Content-Length", "5"]], body=["12", "345"])
    assert (answer.header("Content-Length"), answer.text) == ("5", "12345")


def test_an_answer_without_a_length_is_chunked(server: CheckedHttpd) -> None:
    answer = server.get(path("/big", size=100000))
    assert (answer.header("Transfer-Encoding"), len(answer.body)) == ("chunked", 100000)


def test_an_app_that_chunks_a_short_body_itself_is_answered_in_chunks(server: CheckedHttpd) -> None:
    server.logs.expect("the app sets Transfer-Encoding and chunks its body itself")
    answer = ask(server, headers=[["Transfer-Encoding", "chunked"]], body=["3\r\none\r\n0\r\n\r\n"])
    assert (answer.header("Transfer-Encoding"), answer.header("Content-Length")) == ("chunked", None)
    assert answer.text == "one"


def test_an_old_client_gets_an_answer_without_chunks(server: CheckedHttpd) -> None:
    with Wire(server.port) as wire:
        wire.head(f"GET {path('/big', size=100000)} HTTP/1.0")
        answer = wire.answer()
    assert (answer.header("Transfer-Encoding"), len(answer.body)) == (None, 100000)


def test_an_empty_answer_is_complete(server: CheckedHttpd) -> None:
    assert ask(server, body=[]).body == b""


def test_empty_parts_of_a_body_change_nothing(server: CheckedHttpd) -> None:
    assert ask(server, body=["", "a", "", "b", ""]).text == "ab"


def test_what_is_written_comes_before_what_is_returned(server: CheckedHttpd) -> None:
    assert ask(server, write=["one ", "two "], body=["three"]).text == "one two three"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_connection_is_kept_after_an_answer(server: CheckedHttpd, method: str) -> None:
    with server.client() as client:
        client.request(method, exact(body=["x"]))
        port = client.local_port
        client.request(method, path("/big", size=70000))
        client.request(method, exact(status="404 None", body=["x"]))
        assert client.local_port == port


def test_the_connection_header_is_not_the_apps_affair(server: CheckedHttpd) -> None:
    assert (ask(server).header("Connection") or "keep-alive").lower() == "keep-alive"


@pytest.mark.parametrize(
    "spec",
    [
        {"headers": [["Content-Length", "3"]], "body": ["abc"]},
        {"body": ["abc"]},
        {"body": []},
    ],
)
def test_head_has_no_body_and_the_connection_goes_on(server: CheckedHttpd, spec: dict[str, object]) -> None:
    with Wire(server.port) as wire:
        wire.head(f"HEAD {exact(**spec)} HTTP/1.1")
        assert wire.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 200 OK\r\n")
        wire.head("GET / HTTP/1.1")
        assert wire.answer().text == "the probe's front page"


def test_head_tells_the_length_that_the_app_has_told(server: CheckedHttpd) -> None:
    answer = server.request("HEAD", exact(headers=[["Content-Length", "12345"]], body=[]))
    assert answer.header("Content-Length") == "12345"


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_a_status_without_a_body_has_none_and_the_connection_goes_on(server: CheckedHttpd, status: str) -> None:
    with Wire(server.port) as wire:
        wire.head(f"GET {exact(status=status, headers=[['X-Kept', 'yes']])} HTTP/1.1")
        head = wire.read_until(b"\r\n\r\n")
        wire.head("GET / HTTP/1.1")
        assert wire.answer().text == "the probe's front page"
    assert b"X-Kept: yes" in head
    assert b"chunked" not in head


def test_a_304_keeps_its_tag(server: CheckedHttpd) -> None:
    assert ask(server, status="304 Not Modified", headers=[["ETag", '"tag"']]).header("ETag") == '"tag"'


def test_a_location_of_the_app_is_a_redirect_for_the_client(server: CheckedHttpd) -> None:
    answer = ask(server, status="302 Found", headers=[["Location", "/elsewhere"]])
    assert (answer.status, answer.header("Location")) == (302, "/elsewhere")


def test_a_location_with_status_200_is_passed_on_as_it_is(server: CheckedHttpd) -> None:
    answer = ask(server, status="200 OK", headers=[["Location", "/pid"]], body=["not followed"])
    assert (answer.status, answer.text) == (200, "not followed")


def test_a_big_answer_is_whole(server: CheckedHttpd) -> None:
    answer = server.get(path("/big", size=30 * MEGABYTE + 1, length=1))
    assert len(answer.body) == 30 * MEGABYTE + 1
    assert answer.body[:512] == bytes(range(256)) * 2


def test_many_headers_of_the_app_all_arrive(server: CheckedHttpd) -> None:
    answer = server.get(path("/many-headers", count=60, size=500))
    assert [answer.header(f"X-{number}") for number in range(60)] == ["v" * 500] * 60


def test_an_exception_before_the_headers_is_a_500(server: CheckedHttpd) -> None:
    server.logs.allow("raised <at once>|JS")
    answer = server.get(path("/fail", when="at once"))
    assert answer.status == 500
    assert "raised" not in answer.text


def test_an_exception_before_the_headers_is_in_the_sites_log_with_its_traceback(server: CheckedHttpd) -> None:
    server.logs.allow("JS")
    server.get(path("/fail", when="at once"))
    server.logs.wait_for("RuntimeError: raised <at once>", "site.example.log")
    server.logs.wait_for('probe_responses.py", line', "site.example.log")


@pytest.mark.parametrize("when", ["after start_response", "first part"])
def test_an_exception_before_the_first_byte_is_a_500(server: CheckedHttpd, when: str) -> None:
    server.logs.allow("JS")
    assert server.get(path("/fail", when=when)).status == 500


def test_an_answer_replaced_through_exc_info_is_the_one_that_is_sent(server: CheckedHttpd) -> None:
    answer = server.get(path("/fail", when="replaced"))
    assert (answer.status, answer.reason, answer.text) == (503, "Handled", "handled")


@pytest.mark.parametrize("when", ["second part", "exc_info too late"])
def test_an_exception_amid_the_body_is_seen_as_a_cut_answer(
    server: CheckedHttpd, shared_probe: AppFolder, when: str
) -> None:
    server.logs.allow("JS")
    (shared_probe.events / "gate-fail").unlink(missing_ok=True)
    with Wire(server.port) as wire:
        wire.head(f"GET {path('/fail', when=when)} HTTP/1.1")
        response = wire.open_answer()
        assert response.read1(100) == b"first part\n"
        shared_probe.open_gate("fail")
        with pytest.raises(http.client.IncompleteRead):
            response.read()


@pytest.mark.parametrize("when", ["second part", "exc_info too late"])
def test_an_exception_amid_the_body_is_never_a_complete_answer(
    server: CheckedHttpd, shared_probe: AppFolder, when: str
) -> None:
    server.logs.allow("JS")
    shared_probe.open_gate("fail")
    try:
        assert server.get(path("/fail", when=when)).status in (500, 502)
    except http.client.IncompleteRead:
        pass


def test_the_worker_goes_on_after_an_exception(server: CheckedHttpd) -> None:
    server.logs.allow("JS")
    before = server.get("/pid").text
    server.get(path("/fail", when="at once"))
    assert server.get("/pid").text == before


@pytest.mark.parametrize("how", ["sys.exit", "interrupt"])
def test_an_app_that_raises_an_exit_loses_that_request_only(server: CheckedHttpd, how: str) -> None:
    server.logs.allow("JS")
    assert server.get(path("/end", how=how)).status == 500
    assert server.get("/").status == 200


@pytest.mark.parametrize("how", ["kill", "_exit"])
def test_a_worker_that_ends_amid_a_request_is_a_502_and_is_replaced(server: CheckedHttpd, how: str) -> None:
    server.logs.allow("JS")
    server.logs.expect("JS3503")
    before = server.logs.count("JS3503")
    assert server.get(path("/end", how=how)).status == 502
    eventually(lambda: server.logs.count("JS3503") > before, "the line that says so")
    assert server.get("/").status == 200


@pytest.mark.parametrize("how", ["no start_response", "twice", "returns none"])
def test_an_app_that_breaks_the_wsgi_rules_is_a_500(server: CheckedHttpd, how: str) -> None:
    server.logs.allow("JS")
    assert server.get(path("/misuse", how=how)).status == 500


def test_a_body_of_text_is_sent_with_one_warning(server: CheckedHttpd) -> None:
    server.logs.expect("JS3013: .*: a block of the body is of type str, not bytes as PEP 3333 asks")
    assert server.get(path("/misuse", how="text body")).status == 200


def test_an_app_may_call_start_response_in_its_first_step(server: CheckedHttpd) -> None:
    assert server.get(path("/misuse", how="late start_response")).text == "started in the first step"


@pytest.mark.parametrize(
    "route",
    [
        path("/stream", parts=1),
        path("/fail", when="second part"),
        exact(body=["x"]),
        path("/fail", when="first part"),
        path("/big", size=1000, length=1),
    ],
)
def test_close_is_called_exactly_once(server: CheckedHttpd, shared_probe: AppFolder, route: str) -> None:
    server.logs.allow("JS")
    shared_probe.open_gate("fail")
    name = f"closed-{zlib.crc32(route.encode())}"
    with Wire(server.port) as wire:
        wire.head(f"GET {route}&closing={name} HTTP/1.1", "Connection: close")
        wire.read_to_end()
    assert len(shared_probe.wait_for_event(name).splitlines()) == 1
    assert server.get("/").status == 200
    assert len(shared_probe.wait_for_event(name).splitlines()) == 1


def test_the_version_is_hidden_where_that_is_asked_for(httpd: CheckedHttpd, probe: AppFolder) -> None:
    httpd.add("PassengerShowVersionInHeader off")
    httpd.site(document_root=probe.public)
    httpd.start()
    powered_by = httpd.get("/").header("X-Powered-By") or ""
    assert powered_by
    assert not any(character.isdigit() for character in powered_by)
