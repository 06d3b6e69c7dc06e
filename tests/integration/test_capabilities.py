"""Apps are served the same whatever their loader can do beyond plain SCGI: without each capability, and without all."""

from __future__ import annotations

import hashlib
import http.client
from contextlib import contextmanager
from typing import Iterator

import pytest

from support.applications import AppFolder, AppFolders
from support.client import Wire
from support.paths import path
from support.serving import CheckedHttpd, checked_httpd

CAPABILITIES = ("token", "frames", "body-file", "framed-body", "acknowledge", "expect", "cancel")
DISABLED = [(word,) for word in CAPABILITIES] + [CAPABILITIES]
#: More than what the module keeps in memory, so that it goes through a file.
SPOOLED = bytes(range(256)) * 4096
FILE = bytes(range(255)) * 1000


@contextmanager
def server_without(words: tuple[str, ...]) -> Iterator[CheckedHttpd]:
    """A server, not yet started, whose loader does not have these capabilities."""
    with checked_httpd() as server:
        configuration = server.folder / "spawner.conf"
        # Who does not get the token cannot show it.
        plain = "accept_plain_scgi = yes\n" if "token" in words else ""
        configuration.write_text(f"[apps]\n{plain}disabled_capabilities = {', '.join(words)},\n")
        server.add(f'PassengerSpawnerConfigFile "{configuration}"')
        yield server


@pytest.fixture(scope="module", params=DISABLED, ids=lambda words: "-".join(words) if len(words) == 1 else "all")
def served(request: pytest.FixtureRequest) -> Iterator[tuple[CheckedHttpd, AppFolder]]:
    with server_without(request.param) as server:
        folders = AppFolders(server.folder / "apps")
        probe = folders.create("probe")
        broken = folders.create(name="broken", entry="raise RuntimeError('does not start')\n")
        probe.write("big.bin", FILE)
        server.site(document_root=probe.public, body="PassengerMinInstances 2")
        server.site("streaming.example", probe.public, "PassengerMinInstances 2\nPassengerBufferUpload off")
        server.site("broken.example", broken.public)
        server.start()
        yield server, probe


@pytest.fixture
def server(served: tuple[CheckedHttpd, AppFolder]) -> CheckedHttpd:
    return served[0]


HOSTS = pytest.mark.parametrize("host", ["site.example", "streaming.example"])


def test_the_app_sees_no_name_of_ours(server: CheckedHttpd) -> None:
    told = server.get("/environ").json()
    assert [name for name in told["types"] if name.startswith("JUMPSEAT")] == []


def test_a_head_answer_has_its_length_and_no_body(server: CheckedHttpd) -> None:
    answer = server.request("HEAD", path("/big", size=100000, length=1))
    assert (answer.status, answer.header("Content-Length"), answer.body) == (200, "100000", b"")


@HOSTS
def test_a_small_body_comes_back_unchanged(server: CheckedHttpd, host: str) -> None:
    assert server.post("/echo", b"small\0body", host).body == b"small\0body"


@HOSTS
def test_a_request_without_a_body_has_none(server: CheckedHttpd, host: str) -> None:
    assert server.post("/echo", b"", host).body == b""
    assert server.get(path("/read", how="read"), host).json()["parts"] == [""]


@HOSTS
def test_a_big_body_arrives_whole(server: CheckedHttpd, host: str) -> None:
    told = server.post("/digest", SPOOLED, host).json()
    assert (told["length"], told["sha256"]) == (len(SPOOLED), hashlib.sha256(SPOOLED).hexdigest())


def test_a_big_body_is_sent_while_the_app_answers_with_it(server: CheckedHttpd) -> None:
    assert server.post("/duplex", SPOOLED).body == SPOOLED


@HOSTS
@pytest.mark.parametrize("size", [0, 5, len(SPOOLED)])
def test_a_chunked_body_arrives_whole(server: CheckedHttpd, host: str, size: int) -> None:
    body = SPOOLED[:size]
    blocks = (body[start : start + 10007] for start in range(0, size, 10007))
    with server.client(host) as client:
        told = client.request("POST", "/digest", blocks).json()
    assert (told["length"], told["sha256"]) == (size, hashlib.sha256(body).hexdigest())


@pytest.mark.parametrize("head", ["Content-Length: 5", "Transfer-Encoding: chunked"])
def test_a_client_that_waits_for_100_gets_it(server: CheckedHttpd, head: str) -> None:
    with Wire(server.port) as wire:
        wire.head("POST /echo HTTP/1.1", head, "Expect: 100-continue", host="streaming.example")
        assert wire.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
        wire.send(b"12345" if "Length" in head else b"5\r\n12345\r\n0\r\n\r\n")
        assert wire.answer("POST").text == "12345"


def test_an_answer_without_a_length_comes_whole(server: CheckedHttpd) -> None:
    answer = server.get(path("/big", size=300000))
    assert (answer.header("Transfer-Encoding"), answer.body) == ("chunked", (bytes(range(256)) * 1172)[:300000])


def test_the_connection_goes_on_after_an_answer_without_a_length(server: CheckedHttpd) -> None:
    with server.client() as client:
        client.get(path("/big", size=300000))
        port = client.local_port
        assert client.get("/").text == "the probe's front page"
        assert client.local_port == port


def test_an_answer_is_passed_on_as_it_comes(served: tuple[CheckedHttpd, AppFolder]) -> None:
    server, probe = served
    with Wire(server.port) as wire:
        wire.head("GET /waiting HTTP/1.1")
        answer = wire.open_answer()
        assert answer.read1() == b"first\n"
        probe.open_gate("waiting")
        assert answer.read() == b"second\n"


def test_an_answer_that_is_shorter_than_its_length_is_cut(served: tuple[CheckedHttpd, AppFolder]) -> None:
    server, probe = served
    server.logs.expect("JS204[27]")
    server.logs.allow("JS3")
    with Wire(server.port) as wire:
        wire.head(f"GET {path('/stream', parts=2, length=1000)} HTTP/1.1")
        answer = wire.open_answer()
        assert answer.read1() == b"part 0\n"
        probe.open_gate("1")
        with pytest.raises(http.client.IncompleteRead):
            answer.read()


def test_a_file_comes_whole(server: CheckedHttpd) -> None:
    assert server.get("/file").body == FILE


def test_a_part_of_a_file_comes_with_its_length(server: CheckedHttpd) -> None:
    answer = server.get(path("/file", offset=1000, length=len(FILE) - 1000))
    assert (answer.header("Content-Length"), answer.body) == (str(len(FILE) - 1000), FILE[1000:])


def test_an_error_of_the_app_is_a_500(server: CheckedHttpd) -> None:
    server.logs.allow("JS3")
    assert server.get(path("/fail", when="at once")).status == 500


def test_an_app_that_does_not_start_is_a_whole_error_page(server: CheckedHttpd) -> None:
    server.logs.allow("JS")
    answer = server.get("/", "broken.example")
    assert (answer.status, answer.text.rstrip()[-7:]) == (500, "</html>")
