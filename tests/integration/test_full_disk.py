"""No room in PassengerDataBufferDir for a body: an answer that says so, nothing that hangs, nothing left open."""

from __future__ import annotations

import re
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Iterator

import pytest

from support.applications import AppFolder
from support.client import Wire, spelled
from support.curl import curl
from support.descriptors import growth, open_descriptors
from support.serving import CheckedHttpd
from support.waiting import eventually

pytestmark = pytest.mark.needs_root  # mounts a file system
MEGABYTE = 1 << 20
ROOM = 512 * 1024
BODY = b"x" * (3 * MEGABYTE)
LOG = "site.example.log"


@pytest.fixture
def folder(httpd: CheckedHttpd) -> Iterator[Path]:
    """A file system of half a megabyte, as PassengerDataBufferDir."""
    folder = httpd.folder / "small"
    folder.mkdir()
    with ExitStack() as stack:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM},mode=1777", "none", str(folder)], check=True)
        stack.callback(subprocess.run, ["umount", "--lazy", str(folder)], check=True)
        yield folder


@pytest.fixture
def server(httpd: CheckedHttpd, probe: AppFolder, folder: Path) -> CheckedHttpd:
    httpd.add(f'PassengerDataBufferDir "{folder}"')
    httpd.site(document_root=probe.public)
    httpd.logs.expect("JS2011")
    httpd.start()
    assert httpd.get("/").status == 200
    return httpd


def test_it_is_a_507_and_the_log_names_folder_directive_and_request(server: CheckedHttpd, folder: Path) -> None:
    answer = server.post("/digest?token=1", BODY)
    assert (answer.status, answer.header("Cache-Control")) == (507, "no-store")
    found = re.search(r"<code>([0-9a-f]{8})</code>", answer.text)
    assert found is not None
    line = server.logs.wait_for(f"JS2011: .*error id {found.group(1)}", LOG)
    assert "No space left on device" in line
    assert f"in {folder} (PassengerDataBufferDir)" in line
    assert "(POST /digest," in line


def test_a_program_gets_json(server: CheckedHttpd) -> None:
    answer = server.post("/digest", BODY, headers={"Accept": "application/json"})
    assert (answer.status, answer.header("Content-Type")) == (507, "application/json")


def test_a_client_in_the_middle_of_a_large_body_reads_the_answer(server: CheckedHttpd) -> None:
    url = f"http://127.0.0.1:{server.port}/digest"
    answer = curl(url, "-H", "Host: site.example", "-H", "Expect:", "--data-binary", "@-", stdin=BODY * 20)
    assert (answer.status, answer.body.endswith(b"</html>\n")) == (507, True)


def test_a_client_that_waits_amid_its_body_gets_the_answer_and_the_end_of_the_connection(server: CheckedHttpd) -> None:
    with Wire(server.port) as wire:
        wire.head("POST /digest HTTP/1.1", f"Content-Length: {len(BODY) * 20}")
        wire.send(BODY[:MEGABYTE])
        answer = wire.answer("POST")
        assert (answer.status, answer.header("Connection")) == (507, "close")


def test_a_chunked_body_that_finds_no_room_is_a_507_too(server: CheckedHttpd) -> None:
    answer = curl(
        f"http://127.0.0.1:{server.port}/digest",
        *("-H", "Host: site.example", "-H", "Expect:", "-H", "Transfer-Encoding: chunked", "--data-binary", "@-"),
        stdin=BODY,
    )
    assert answer.status == 507


def test_what_needs_no_room_is_served_and_so_is_everything_when_there_is_room_again(
    server: CheckedHttpd, folder: Path
) -> None:
    filler = folder / "filler"
    filler.write_bytes(b"x" * ROOM)
    assert server.post("/digest", BODY).status == 507
    assert server.get("/").status == 200
    assert server.post("/digest", b"x" * 1000).json()["length"] == 1000
    filler.unlink()
    assert server.post("/digest", b"x" * 300_000).json()["length"] == 300_000


def test_no_descriptor_and_no_room_is_kept_by_what_failed(server: CheckedHttpd, folder: Path) -> None:
    children = [process.pid for process in server.children("apache2")]
    assert server.post("/digest", BODY).status == 507
    before = {pid: open_descriptors(pid) for pid in children}
    for _ in range(10):
        assert server.request("POST", "/digest", body=BODY, headers=spelled({"connection": "close"})).status == 507
    for pid in children:
        eventually(lambda pid=pid: not growth(before[pid], open_descriptors(pid)), "the descriptors to be closed")
    free = subprocess.run(["df", "--output=used", str(folder)], capture_output=True, text=True, check=True)
    assert int(free.stdout.split()[-1]) == 0
