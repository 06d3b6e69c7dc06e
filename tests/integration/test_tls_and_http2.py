"""TLS variables, and HTTP/2 with and without TLS."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from support.applications import AppFolder
from support.certificates import tls_lines
from support.curl import curl, start_curl
from support.paths import exact, path
from support.serving import CheckedHttpd
from support.waiting import TIMEOUT, eventually

MEGABYTE = 1 << 20


@pytest.fixture(scope="module")
def tls_port(shared_httpd: CheckedHttpd) -> int:
    return shared_httpd.another_port()


@pytest.fixture(scope="module")
def server(shared_httpd: CheckedHttpd, shared_probe: AppFolder, tls_port: int) -> CheckedHttpd:
    shared_httpd.module("ssl", "socache_shmcb", "http2")
    shared_httpd.logs.allow("AH01882")  # Debian builds mod_ssl with a later OpenSSL than it may run with
    shared_httpd.add(f"Listen 127.0.0.1:{tls_port}\nProtocols h2 h2c http/1.1\nH2Direct on")
    shared_httpd.add(f"SSLSessionCache shmcb:{shared_httpd.folder}/sessions(65536)")
    shared_httpd.site(document_root=shared_probe.public)
    shared_httpd.site(
        "tls.example",
        shared_probe.public,
        tls_lines() + "<Location /environ/all>\nSSLOptions +StdEnvVars\n</Location>",
        port=tls_port,
    )
    shared_httpd.start()
    return shared_httpd


def fetch(server: CheckedHttpd, path: str, *options: str, stdin: bytes = b"") -> bytes:
    """One exchange over h2c, checked to be HTTP/2 and 200."""
    answer = curl(
        f"http://127.0.0.1:{server.port}{path}",
        "--http2-prior-knowledge",
        "-H",
        "Host: site.example",
        *options,
        stdin=stdin,
    )
    assert (answer.status, answer.protocol) == (200, "2"), answer.head
    return answer.body


def tls_texts(tls_port: int, path: str) -> Any:
    answer = curl(f"https://127.0.0.1:{tls_port}{path}", "--http1.1", "-H", "Host: tls.example")
    return json.loads(answer.body)["texts"]


def test_https_is_on_over_tls(server: CheckedHttpd, tls_port: int) -> None:
    found = tls_texts(tls_port, "/environ")
    assert (found["HTTPS"], found["wsgi.url_scheme"]) == ("on", "https")


def test_https_is_absent_without_tls(server: CheckedHttpd) -> None:
    found = server.get("/environ").json()["texts"]
    assert ("HTTPS" in found, found["wsgi.url_scheme"]) == (False, "http")


def test_a_client_cannot_pretend_to_use_tls(server: CheckedHttpd) -> None:
    found = server.get("/environ", https="on", x_forwarded_proto="https").json()["texts"]
    assert ("HTTPS" in found, found["wsgi.url_scheme"]) == (False, "http")


def test_tls_variables_are_in_the_environ_where_they_are_asked_for(server: CheckedHttpd, tls_port: int) -> None:
    found = tls_texts(tls_port, "/environ/all")
    assert found["SSL_PROTOCOL"].startswith("TLSv1")
    assert "CN=site.example" in found["SSL_SERVER_S_DN"]


def test_tls_variables_are_absent_where_they_are_not_asked_for(server: CheckedHttpd, tls_port: int) -> None:
    assert "SSL_SERVER_S_DN" not in tls_texts(tls_port, "/environ")


def test_tls_variables_of_a_request_do_not_reach_the_process(server: CheckedHttpd, tls_port: int) -> None:
    tls_texts(tls_port, "/environ/all")
    assert not [name for name in server.get("/process").json()["environ"] if name.startswith("SSL_")]


def test_the_port_over_tls_is_that_of_the_site(server: CheckedHttpd, tls_port: int) -> None:
    answer = curl(f"https://127.0.0.1:{tls_port}/environ", "--http1.1", "-H", f"Host: tls.example:{tls_port}")
    assert json.loads(answer.body)["texts"]["SERVER_PORT"] == str(tls_port)


def test_the_app_answers_over_http2(server: CheckedHttpd) -> None:
    assert fetch(server, "/") == b"the probe's front page"


def test_the_app_answers_over_http2_with_tls(server: CheckedHttpd, tls_port: int) -> None:
    answer = curl(f"https://127.0.0.1:{tls_port}/", "--http2", "-H", "Host: tls.example")
    assert (answer.status, answer.protocol, answer.body) == (200, "2", b"the probe's front page")


def test_the_environ_of_a_request_over_http2_names_the_protocol(server: CheckedHttpd) -> None:
    found = json.loads(fetch(server, "/environ?a=b"))["texts"]
    assert (found["SERVER_PROTOCOL"], found["HTTP_HOST"], found["QUERY_STRING"]) == ("HTTP/2.0", "site.example", "a=b")


def test_cookies_that_come_apart_over_http2_are_joined_as_cookies(server: CheckedHttpd) -> None:
    found = json.loads(fetch(server, "/environ", "-H", "Cookie: a=1", "-H", "Cookie: b=2"))["texts"]
    assert found["HTTP_COOKIE"].replace(" ", "") == "a=1;b=2"


def test_a_body_over_http2_with_a_length_arrives_whole(server: CheckedHttpd) -> None:
    body = bytes(range(256)) * 4096
    told = json.loads(fetch(server, "/digest", "--data-binary", "@-", "-H", "Expect:", stdin=body))
    assert (told["length"], told["sha256"]) == (len(body), hashlib.sha256(body).hexdigest())


def test_a_body_over_http2_without_a_length_arrives_whole(server: CheckedHttpd) -> None:
    body = bytes(range(256)) * 4096
    told = json.loads(fetch(server, "/digest", "-X", "POST", "--upload-file", "-", stdin=body))
    assert (told["length"], told["sha256"]) == (len(body), hashlib.sha256(body).hexdigest())


def test_a_big_answer_over_http2_arrives_whole(server: CheckedHttpd) -> None:
    assert len(fetch(server, path("/big", size=5 * MEGABYTE))) == 5 * MEGABYTE


def test_a_streamed_answer_over_http2_arrives_part_by_part(server: CheckedHttpd, shared_probe: AppFolder) -> None:
    output = server.folder / "streamed"
    with start_curl(
        f"http://127.0.0.1:{server.port}{path('/stream', parts=3)}",
        "--http2-prior-knowledge",
        "-H",
        "Host: site.example",
        output=output,
    ) as client:
        for number in range(3):
            expected = "".join(f"part {index}\n" for index in range(number + 1))
            eventually(lambda text=expected: output.read_text() == text, f"part {number}")
            shared_probe.open_gate(str(number + 1))
        assert client.wait(TIMEOUT) == 0


def test_the_reason_is_dropped_and_the_status_kept_over_http2(server: CheckedHttpd) -> None:
    answer = curl(
        f"http://127.0.0.1:{server.port}{exact(status='404 My Own Words', body=['none'])}",
        "--http2-prior-knowledge",
        "-H",
        "Host: site.example",
    )
    assert (answer.status, answer.body) == (404, b"none")


def test_a_response_that_is_cut_is_an_error_over_http2(server: CheckedHttpd, shared_probe: AppFolder) -> None:
    server.logs.allow("JS20")
    output = server.folder / "cut"
    target = f"http://127.0.0.1:{server.port}{path('/fail', when='second part')}"
    with start_curl(target, "--http2-prior-knowledge", "-H", "Host: site.example", output=output) as client:
        eventually(lambda: output.read_text() == "first part\n", "the first part")
        shared_probe.open_gate("fail")
        assert client.wait(TIMEOUT) != 0
