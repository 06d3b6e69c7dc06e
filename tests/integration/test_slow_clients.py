"""Clients that read slowly, or not at all, hold no worker; what waits for them is bounded, whole and in order."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import http.client
import os
import re
import subprocess
import time
from contextlib import ExitStack
from typing import Callable, Iterator

import pytest

from support.applications import AppFolder, AppFolders
from support.certificates import tls_lines
from support.client import Wire
from support.http2 import StreamEnded
from support.memory import PeakMemory
from support.sanitizers import MEMORY_FACTOR
from support.serving import CheckedHttpd
from support.slow_clients import SlowClient, SlowHttp, SlowHttp2, SlowTls
from support.status import group, workers
from support.waiting import eventually, remains_true

MEGABYTE = 1 << 20
SIZE = 8 * MEGABYTE
CLIENTS = 6


def expected(size: int) -> bytes:
    block = b"".join(hashlib.sha256(b"%d" % number).digest() for number in range(2048))
    return (block * (size // len(block) + 1))[:size]


@pytest.fixture
def app(apps: AppFolders) -> AppFolder:
    return apps.create("slow_clients")


@pytest.fixture
def tls_port(httpd: CheckedHttpd) -> int:
    return httpd.another_port()


@pytest.fixture
def server(httpd: CheckedHttpd, app: AppFolder, tls_port: int) -> CheckedHttpd:
    """One worker; sockets that take little."""
    httpd.module("ssl", "socache_shmcb", "http2")
    httpd.logs.allow("AH01882")  # Debian builds mod_ssl with a later OpenSSL than it may run with
    httpd.add(f"Listen 127.0.0.1:{tls_port}\nProtocols h2c http/1.1\nH2Direct on\nSendBufferSize 65536")
    httpd.add(f"SSLSessionCache shmcb:{httpd.folder}/sessions(65536)")
    lines = "PassengerMaxInstances 1\n"
    httpd.site(document_root=app.public, body=lines)
    httpd.site("tls.example", app.public, lines + tls_lines(), port=tls_port)
    return httpd


Ask = Callable[[str], SlowClient]


@pytest.fixture
def held() -> Iterator[list[SlowClient]]:
    """Clients that are closed at the end."""
    clients: list[SlowClient] = []
    yield clients
    for client in clients:
        client.close()


@pytest.fixture(params=["http", "https", "http2"])
def ask(request: pytest.FixtureRequest, server: CheckedHttpd, tls_port: int, held: list[SlowClient]) -> Ask:
    def make(target: str) -> SlowClient:
        kinds = {"http": SlowHttp, "https": SlowTls, "http2": SlowHttp2}
        held.append(kinds[request.param](tls_port if request.param == "https" else server.port, target))
        return held[-1]

    return make


def test_the_only_worker_serves_others_while_clients_do_not_read(
    server: CheckedHttpd, app: AppFolder, ask: Ask
) -> None:
    server.start()
    clients = [ask(f"/big/{SIZE}/65536") for _ in range(CLIENTS)]
    eventually(lambda: len(app.wait_for_event(f"given-{SIZE}").splitlines()) == CLIENTS, "all answers to be given")
    assert server.get("/").body == b"hello"
    for client in clients:
        assert client.read_body() == expected(SIZE)


def test_a_slow_client_loses_nothing_of_bytes_and_files_in_turn(server: CheckedHttpd, ask: Ask) -> None:
    server.start()
    client = ask(f"/mixed/{MEGABYTE}")
    assert client.read_body() == expected(5 * MEGABYTE)


def test_what_waits_takes_little_memory(server: CheckedHttpd, app: AppFolder, ask: Ask) -> None:
    server.start()
    server.get("/")
    memory = PeakMemory(server.children("apache2"))
    many = 4 * CLIENTS
    clients = [ask(f"/big/{SIZE}/65536") for _ in range(many)]
    eventually(lambda: len(app.wait_for_event(f"given-{SIZE}").splitlines()) == many, "all answers to be given")
    assert memory.growth() < many * MEGABYTE * MEMORY_FACTOR
    assert clients[-1].read_body() == expected(SIZE)


def kept_in_files(server: CheckedHttpd) -> int:
    """Bytes in the files without names that httpd's processes hold, each counted once."""
    found = {}
    for process in server.processes():
        with contextlib.suppress(OSError):
            for number in os.listdir(f"/proc/{process.pid}/fd"):
                with contextlib.suppress(OSError):
                    path = f"/proc/{process.pid}/fd/{number}"
                    if "/jumpseat-response-" in os.readlink(path):
                        facts = os.stat(path)
                        found[facts.st_ino] = facts.st_blocks * 512
    return sum(found.values())


def test_beyond_the_watermark_the_worker_waits(server: CheckedHttpd, app: AppFolder, ask: Ask) -> None:
    mark = 2 * MEGABYTE
    server.add(f"PassengerResponseBufferHighWatermark {mark}")
    server.start()
    client = ask(f"/big/{SIZE}/65536")
    eventually(lambda: kept_in_files(server) > mark - MEGABYTE, lambda: f"{kept_in_files(server)} bytes kept")
    remains_true(lambda: kept_in_files(server) <= mark and not app.event_names(), "the worker to wait", 0.5)
    assert client.read_body() == expected(SIZE)
    app.wait_for_event(f"given-{SIZE}")
    assert server.get("/").body == b"hello"


@pytest.fixture
def full_folder(server: CheckedHttpd) -> Iterator[None]:
    """A file system of half a megabyte as PassengerDataBufferDir."""
    folder = server.folder / "small"
    folder.mkdir()
    server.add(f'PassengerDataBufferDir "{folder}"')
    with ExitStack() as stack:
        command = ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTE // 2},mode=1777", "none", str(folder)]
        subprocess.run(command, check=True)
        stack.callback(subprocess.run, ["umount", "--lazy", str(folder)], check=True)
        yield


@pytest.mark.needs_root
def test_on_a_full_disk_the_worker_waits_with_one_warning_and_nothing_is_lost(
    server: CheckedHttpd, app: AppFolder, full_folder: None, ask: Ask
) -> None:
    server.logs.allow("JS220[04]")
    server.start()
    client = ask(f"/big/{SIZE}/65536")
    eventually(lambda: len(buffer_files(server)) > 0, "a file to be begun")
    remains_true(lambda: not app.event_names(), "the worker to wait", 0.5)
    assert client.read_body() == expected(SIZE)
    app.wait_for_event(f"given-{SIZE}")
    eventually(lambda: len(re.findall("JS220[04]", all_logs(server))) == 1, lambda: all_logs(server))
    assert server.get("/").body == b"hello"


def buffer_files(server: CheckedHttpd) -> list[str]:
    found = []
    for process in server.processes():
        with contextlib.suppress(OSError):
            for number in os.listdir(f"/proc/{process.pid}/fd"):
                with contextlib.suppress(OSError):
                    found.append(os.readlink(f"/proc/{process.pid}/fd/{number}"))
    return [path for path in found if "/jumpseat-response-" in path]


def all_logs(server: CheckedHttpd) -> str:
    return "".join(path.read_text() for path in (server.folder / "logs").iterdir())


def test_without_the_folder_the_worker_waits_and_nothing_is_lost(
    server: CheckedHttpd, app: AppFolder, ask: Ask
) -> None:
    server.logs.allow("JS220[04]")
    server.start()
    server.get("/")
    (server.folder / "buffer").rmdir()
    client = ask(f"/big/{SIZE}/65536")
    assert client.read_body() == expected(SIZE)
    (server.folder / "buffer").mkdir()


def test_an_answer_that_is_cut_stays_cut(server: CheckedHttpd, app: AppFolder, ask: Ask) -> None:
    server.logs.allow("JS|AH0")
    server.start()
    client = ask(f"/cut/{4 * MEGABYTE}")
    app.wait_for_event("cut")
    with pytest.raises((http.client.IncompleteRead, StreamEnded, ConnectionResetError)):
        client.read_body()


def test_files_go_when_the_clients_leave(server: CheckedHttpd, app: AppFolder, ask: Ask) -> None:
    server.logs.allow("JS|AH0")
    server.start()
    clients = [ask(f"/big/{SIZE}/65536") for _ in range(CLIENTS)]
    eventually(lambda: len(app.wait_for_event(f"given-{SIZE}").splitlines()) == CLIENTS, "all answers to be given")
    assert buffer_files(server)
    for client in clients:
        client.close()
    eventually(lambda: not buffer_files(server), lambda: str(buffer_files(server)))


@pytest.mark.parametrize("size", [0, 100000], ids=["little", "much"])
def test_an_app_is_told_within_a_second_that_the_client_has_left_and_is_busy_until_it_returns(
    server: CheckedHttpd, app: AppFolder, ask: Ask, size: int
) -> None:
    server.logs.allow("JS|AH0")
    server.start()
    server.get("/")
    client = ask(f"/tick/{size}")
    eventually(lambda: busy(server), lambda: f"the worker to be busy: {group(server)}\n{all_logs(server)[-3000:]}")
    time.sleep(1)
    client.close()
    left = time.monotonic()
    app.wait_for_event("closed")
    assert time.monotonic() - left < 5  # a second, and what a busy machine adds
    remains_true(lambda: busy(server), "the worker to count as busy", 0.5)
    app.open_gate("close")
    eventually(lambda: not busy(server), "the worker to be idle")
    assert len((app.events / "closed").read_text().splitlines()) == 1
    assert server.get("/").body == b"hello"


def busy(server: CheckedHttpd) -> bool:
    return any(worker["busy"] for worker in workers(server))


def test_more_slow_clients_than_threads_leave_a_thread_for_others(
    server: CheckedHttpd, app: AppFolder, held: list[SlowClient]
) -> None:
    server.add("ServerLimit 1\nThreadsPerChild 4\nMaxRequestWorkers 4\nMinSpareThreads 1\nMaxSpareThreads 4")
    server.add("AsyncRequestWorkerFactor 10")
    server.logs.allow("AH00484")  # for a moment all threads are busy
    server.start()
    for number in range(CLIENTS):
        held.append(SlowHttp(server.port, f"/big/{SIZE}/65536"))
        eventually(
            lambda wanted=number + 1: len(app.wait_for_event(f"given-{SIZE}").splitlines()) == wanted, "the answer"
        )
    assert server.get("/").body == b"hello"
    for client in held:
        assert client.read_body() == expected(SIZE)


def test_what_little_waits_in_memory_leaves_the_thread_too(
    server: CheckedHttpd, app: AppFolder, held: list[SlowClient]
) -> None:
    server.add("ServerLimit 1\nThreadsPerChild 2\nMaxRequestWorkers 2\nMinSpareThreads 1\nMaxSpareThreads 2")
    server.add("AsyncRequestWorkerFactor 10")
    server.logs.allow("AH00484")  # for a moment all threads are busy
    server.start()
    size = 300000
    held.extend(SlowHttp(server.port, f"/big/{size}/65536") for _ in range(CLIENTS))
    eventually(lambda: len(app.wait_for_event(f"given-{size}").splitlines()) == CLIENTS, "all answers to be given")
    assert server.get("/").body == b"hello"
    for client in held:
        assert client.read_body() == expected(size)


def test_a_slow_client_gets_a_compressed_answer_whole(server: CheckedHttpd, app: AppFolder) -> None:
    server.module("filter", "deflate")
    server.add("SetOutputFilter DEFLATE")
    server.start()
    with Wire(server.port, receive_buffer=4096) as wire:
        wire.head(f"GET /big/{SIZE}/65536 HTTP/1.1", "Accept-Encoding: gzip")
        app.wait_for_event(f"given-{SIZE}")
        assert gzip.decompress(wire.answer().body) == expected(SIZE)


@pytest.mark.parametrize("mpm", ["prefork", "worker"])
def test_under_the_other_mpms_the_worker_is_free_too(make_httpd: Callable[..., CheckedHttpd], mpm: str) -> None:
    server = make_httpd(mpm=mpm)
    app = AppFolders(server.folder / "apps").create("slow_clients")
    server.add("SendBufferSize 65536")
    server.site(document_root=app.public, body="PassengerMaxInstances 1")
    server.start()
    client = SlowHttp(server.port, f"/big/{SIZE}/65536")
    app.wait_for_event(f"given-{SIZE}")
    assert server.get("/").body == b"hello"
    assert client.read_body() == expected(SIZE)
    client.close()


def test_a_client_that_takes_nothing_for_as_long_as_timeout_allows_is_left(
    server: CheckedHttpd, app: AppFolder
) -> None:
    server.logs.allow("JS|AH0")
    server.add("Timeout 1")
    server.add(f"PassengerResponseBufferHighWatermark {MEGABYTE}")
    server.start()
    client = SlowHttp(server.port, f"/big/{SIZE}/65536")
    server.logs.wait_for("JS2202", "site.example.log")
    app.wait_for_event(f"given-{SIZE}")
    client.close()


def test_a_client_that_takes_nothing_for_too_long_and_goes_on_learns_that_something_is_missing(
    server: CheckedHttpd, app: AppFolder
) -> None:
    """HTTP/1.0: the end of the answer is the end of the connection."""
    server.logs.allow("JS|AH0")
    server.add(f"Timeout 1\nPassengerResponseBufferHighWatermark {MEGABYTE}")
    server.start()
    with Wire(server.port, receive_buffer=4096) as wire:
        wire.head(f"GET /big/{SIZE}/65536 HTTP/1.0")
        server.logs.wait_for("JS2202", "site.example.log")
        with pytest.raises(ConnectionResetError):
            wire.read_to_end()


def test_a_stream_of_http2_of_which_nothing_is_taken_for_too_long_is_reset(
    server: CheckedHttpd, app: AppFolder
) -> None:
    server.logs.allow("JS|AH0")
    server.add("Timeout 1")
    server.start()
    client = SlowHttp2(server.port, f"/big/{SIZE}/65536")

    def is_left() -> bool:
        client.connection.ping()  # without any word of the client, mod_http2 ends the connection
        return "JS2202" in all_logs(server)

    eventually(is_left, "the client to be left")
    app.wait_for_event(f"given-{SIZE}")
    with pytest.raises(StreamEnded):
        client.read_body()
    client.close()
