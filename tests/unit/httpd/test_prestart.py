"""PassengerPreStart."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from spawner.httpd.prestart import prestart, request_for
from spawner.logs.log import Log
from spawner.logs.log_writer import LogWriter


def test_the_request_names_the_url_s_host_and_port() -> None:
    lines = request_for(urlsplit("http://shop.example:8080/a%20b?c=d#e")).decode().split("\r\n")
    assert lines[:2] == ["HEAD /a%20b?c=d HTTP/1.1", "Host: shop.example:8080"]
    assert lines[-2:] == ["", ""]


def test_a_url_without_path_means_the_root() -> None:
    assert request_for(urlsplit("http://x")).startswith(b"HEAD / HTTP/1.1\r\n")


def test_user_and_password_become_basic_authentication_and_not_part_of_the_host() -> None:
    request = request_for(urlsplit("http://us%40er:pa%3Ass@x/"))
    assert b"Authorization: Basic dXNAZXI6cGE6c3M=\r\n" in request
    assert b"Host: x\r\n" in request


def run(folder: Path, answer: bytes, timeout: float = 10.0, silent: bool = False) -> tuple[bytes, str]:
    """The request that came in and the log.

    :param silent: let the server say nothing until the client has given up.
    """

    async def main() -> bytes:
        done, served = asyncio.Event(), asyncio.get_running_loop().create_future()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                got = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError as error:  # it gave up before it could ask
                got = error.partial
            if silent:
                await done.wait()
            writer.write(answer)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            served.set_result(got)

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        log = Log(LogWriter.open(str(folder / "log")))
        log.level = 5
        await prestart("http://far.example:%d/up" % port, timeout, log)
        log.close()
        done.set()
        got: bytes = b"" if silent else await asyncio.wait_for(served, 20)
        server.close()
        await server.wait_closed()
        return got

    return asyncio.run(main()), (folder / "log").read_text()


def test_the_request_goes_to_this_machine_whatever_the_name(tmp_path: Path) -> None:
    got, log = run(tmp_path, b"HTTP/1.1 204 No Content\r\n\r\n")
    assert got.startswith(b"HEAD /up HTTP/1.1\r\nHost: far.example:")
    assert "far.example" in log
    assert "HTTP/1.1 204 No Content" in log


def test_no_answer_in_time_is_logged(tmp_path: Path) -> None:
    _, log = run(tmp_path, b"", timeout=0.2, silent=True)
    assert "PassengerPreStart got no answer within 0.2 s" in log


def test_a_connection_closed_without_answer_is_logged(tmp_path: Path) -> None:
    _, log = run(tmp_path, b"")
    assert "[passenger:warn]" in log


@pytest.mark.parametrize("url", ["ftp://x/", "nonsense", "http://", "http://x:99999/", "http://127.0.0.1:1/"])
def test_a_url_that_leads_nowhere_is_logged_and_nothing_else(tmp_path: Path, url: str) -> None:
    async def main() -> None:
        log = Log(LogWriter.open(str(tmp_path / "log")))
        await prestart(url, 5.0, log)
        log.close()

    asyncio.run(main())
    assert url in (tmp_path / "log").read_text()
