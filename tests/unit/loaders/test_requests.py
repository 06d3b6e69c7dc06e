"""What an app sees of a request, and what is no request."""

from __future__ import annotations

import json
import os
import socket

import pytest

from spawner.shared import wire
from tests.conformance.harness.loader_process import Process
from tests.unit.loaders.conftest import Starter

PROBE = "requests.py"


def environ(probe: Process, **options: object) -> dict[str, object]:
    return json.loads(probe.get(**options).body)  # type: ignore[no-any-return]


def test_the_environ_is_what_the_peer_sent_and_what_pep_3333_adds(probe: Process) -> None:
    seen = environ(probe, path="/?a=%20b", variables={"HTTP_X_THING": "its value", "REMOTE_USER": "me"})
    for name in ("wsgi.input", "wsgi.errors", "wsgi.file_wrapper", "passenger.request_oob_work"):
        assert seen.pop(name)
    assert seen == {
        "REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": "/", "QUERY_STRING": "a=%20b",
        "REQUEST_URI": "/?a=%20b",
        "SERVER_NAME": "app.example", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "192.0.2.7",
        "SERVER_SOFTWARE": "Apache/2.4", "HTTP_X_THING": "its value", "REMOTE_USER": "me",
        "wsgi.version": "(1, 0)", "wsgi.url_scheme": "http", "wsgi.multithread": False, "wsgi.multiprocess": True,
        "wsgi.run_once": False, "wsgi.input_terminated": True,
    }  # fmt: skip


def test_names_and_values_are_native_strings_in_a_plain_dict(probe: Process) -> None:
    assert environ(probe, path="/types") == ["dict", "str"]
    assert environ(probe, variables={"HTTP_X": "J\xfcrgen"})["HTTP_X"] == "J\xfcrgen"


def test_nothing_of_the_line_is_in_the_environ(probe: Process) -> None:
    seen = environ(probe, variables={"JUMPSEAT_LATER": "1", "HTTP_X": "about JUMPSEAT_TOKEN"})
    assert not [name for name in seen if name.startswith("JUMPSEAT_") or name == "SCGI"]
    assert seen["HTTP_X"] == "about JUMPSEAT_TOKEN"


def test_an_unknown_extension_of_a_plain_peer_is_hidden_too(probe: Process) -> None:
    seen = environ(probe, variables={"JUMPSEAT_LATER": "1"}, framed=False, kind="")
    assert not [name for name in seen if name.startswith("JUMPSEAT_")]


@pytest.mark.parametrize(("https", "scheme"), [
    (None, "http"), ("on", "https"), ("ON", "https"), ("1", "https"), ("true", "https"), ("off", "http"), ("", "http"),
    ("0", "http"),
])  # fmt: skip
def test_the_scheme_follows_https(probe: Process, https: str | None, scheme: str) -> None:
    variables = {} if https is None else {"HTTPS": https}
    assert environ(probe, variables=variables)["wsgi.url_scheme"] == scheme


def test_errors_is_the_processs_stderr(probe: Process) -> None:
    assert environ(probe, path="/stderr_is_errors") is True


def test_multiprocess_is_what_the_spawner_says(starter: Starter) -> None:
    preloader = starter.start("""
        def application(environ, start_response):
            start_response("200 OK", [])
            return [repr(environ["wsgi.multiprocess"]).encode()]
        """)
    preloader.load(multiprocess="0")
    assert preloader.fork().get().text == "False"


def test_the_peers_server_software_counts(probe: Process) -> None:
    assert environ(probe, variables={"SERVER_SOFTWARE": "nginx"})["SERVER_SOFTWARE"] == "nginx"


def test_content_length_is_absent_without_a_body(probe: Process) -> None:
    assert "CONTENT_LENGTH" not in environ(probe)


def test_content_length_is_there_with_a_body(probe: Process) -> None:
    assert environ(probe, method="POST", body=b"abc")["CONTENT_LENGTH"] == "3"
    assert environ(probe, method="POST", body=b"")["CONTENT_LENGTH"] == "0"


@pytest.mark.parametrize("token", ["", "wrong", "the-toke", "the-token-and-more", "th\xe9-token"])
@pytest.mark.parametrize("framed", [True, False])
def test_a_peer_without_the_groups_token_is_refused(probe: Process, token: str, framed: bool) -> None:
    answer = probe.get("/", token=token, framed=framed)
    assert (answer.status, answer.complete) == ("403 Forbidden", True)
    assert answer.header("Content-Type") == "text/html; charset=utf-8"
    probe.output.wait_for("does not know this group's token")


def test_any_peer_is_served_where_plain_scgi_is_accepted(starter: Starter) -> None:
    preloader = starter.start("""
        def application(environ, start_response):
            start_response("200 OK", [])
            return [b"served"]
        """, token="")  # fmt: skip
    preloader.load()
    worker = preloader.fork()
    assert worker.get(framed=False, kind="").text == "served"
    assert worker.get(token="whatever").text == "served"


def head(*pairs: tuple[str, str]) -> bytes:
    return wire.encode([(name.encode(), value.encode()) for name, value in pairs])


GOOD = (("CONTENT_LENGTH", "0"), ("SCGI", "1"), ("JUMPSEAT_TOKEN", "the-token"))


@pytest.mark.parametrize("data", [b"", b"5", b"30:CONTENT_LENGTH\0", head(*GOOD)[:-1]])
def test_a_peer_that_leaves_before_the_request_costs_nothing(probe: Process, data: bytes) -> None:
    before = probe.output.text()
    with probe.group.client().connect() as exchange:
        exchange.send(data)
        exchange.socket.shutdown(socket.SHUT_WR)
        assert exchange.socket.recv(100) == b""
    assert probe.output.text() == before
    assert probe.get("/types").status == "200 OK"


def test_a_head_of_half_a_mebibyte_is_read(probe: Process) -> None:
    assert environ(probe, variables={"HTTP_COOKIE": "x" * (1 << 19)})["HTTP_COOKIE"] == "x" * (1 << 19)


def test_a_repeated_variable_has_its_last_value(probe: Process) -> None:
    with probe.group.client().connect() as exchange:
        exchange.send(head(*GOOD, ("HTTP_X", "1"), ("HTTP_X", "2"), ("PATH_INFO", ""), ("JUMPSEAT_FRAMED", "1")))
        assert json.loads(exchange.answer().body)["HTTP_X"] == "2"


def test_a_descriptor_that_was_not_announced_is_closed(probe: Process) -> None:
    before = environ(probe, path="/descriptors")
    for count in (1, 3):
        descriptors = tuple(os.open("/dev/zero", os.O_RDONLY) for _ in range(count))
        assert probe.get("/types", descriptors=descriptors).status == "200 OK"
        for descriptor in descriptors:
            os.close(descriptor)
    assert environ(probe, path="/descriptors") == before
