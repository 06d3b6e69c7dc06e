"""wsgi.file_wrapper: plain files are passed, everything else is read; the bytes are the same."""

from __future__ import annotations

import gzip

import pytest

from tests.conformance.harness.loader_process import Process
from tests.unit.loaders.conftest import Starter

CONTENT = b"0123456789" * 30_000
APP = """
import gzip, io, os, sys, tempfile

closed = []

class Noted(object):
    def __init__(self, file): self.file = file
    def read(self, size): return self.file.read(size)
    def close(self): closed.append("closed"); self.file.close()

def buffered(): return open("content", "rb")
def unbuffered(): return open("content", "rb", 0)
def read_write(): return open("content", "r+b")
def part_read():
    file = open("content", "rb"); file.read(100); return file
def at_end():
    file = open("content", "rb"); file.seek(0, 2); return file
def empty(): return open(os.devnull, "rb")
def empty_file(): return open("empty", "rb")
def named_temporary():
    file = tempfile.NamedTemporaryFile(); file.write(open("content", "rb").read()); file.seek(0); return file
def spooled_temporary():
    file = tempfile.SpooledTemporaryFile(); file.write(open("content", "rb").read()); file.seek(0); return file
def memory(): return io.BytesIO(open("content", "rb").read())
def gzipped(): return gzip.open("content.gz", "rb")
def noted(): return Noted(open("content", "rb"))
def pipe():
    reading, writing = os.pipe(); os.write(writing, b"through a pipe"); os.close(writing)
    return os.fdopen(reading, "rb")
def of_the_kernel(): return open("/proc/self/status", "rb")
import io
def text(): return io.open("content", "r", encoding="latin-1", newline="")
def far(): return io.StringIO(u"\\u20ac")

def application(environ, start_response):
    headers = [("Content-Length", environ["QUERY_STRING"])] if environ["QUERY_STRING"] else []
    start_response("200 OK", headers)
    if environ["PATH_INFO"] == "/closed":
        answer, closed[:] = repr(closed).encode(), []
        return [answer]
    file = globals()[environ["PATH_INFO"][1:]]()
    return environ["wsgi.file_wrapper"](file, 4096)
"""


@pytest.fixture(scope="module")
def probe(python: str, tmp_path_factory: pytest.TempPathFactory) -> object:
    from contextlib import ExitStack

    with ExitStack() as stack:
        starter = Starter(python, tmp_path_factory.mktemp("files"), stack)
        (starter.folder / "content").write_bytes(CONTENT)
        (starter.folder / "empty").write_bytes(b"")
        with gzip.open(starter.folder / "content.gz", "wb") as file:
            file.write(CONTENT)
        yield starter.worker(APP)


@pytest.mark.parametrize("path", ["/buffered", "/unbuffered", "/read_write", "/named_temporary"])
def test_a_plain_file_is_passed_with_its_length(probe: Process, path: str) -> None:
    answer = probe.get(path)
    assert (answer.frames, answer.complete) == ([("file", len(CONTENT))], True)
    assert (answer.header("Content-Length"), answer.body == CONTENT) == (str(len(CONTENT)), True)


def test_a_file_is_passed_from_where_the_app_has_read_to(probe: Process) -> None:
    answer = probe.get("/part_read")
    assert (answer.frames, answer.body == CONTENT[100:]) == ([("file", len(CONTENT) - 100)], True)


@pytest.mark.parametrize("path", ["/at_end", "/empty_file"])
def test_nothing_left_of_a_file_is_an_empty_answer(probe: Process, path: str) -> None:
    answer = probe.get(path)
    assert (answer.header("Content-Length"), answer.frames, answer.complete) == ("0", [], True)


@pytest.mark.parametrize("path", ["/spooled_temporary", "/memory", "/gzipped", "/noted"])
def test_what_only_looks_like_a_file_is_read(probe: Process, path: str) -> None:
    answer = probe.get(path)
    assert {kind for kind, _ in answer.frames} == {"data"}
    assert (answer.body == CONTENT, answer.complete) == (True, True)


def test_a_pipe_is_read(probe: Process) -> None:
    assert probe.get("/pipe").text == "through a pipe"
    assert probe.get("/empty").complete


def test_a_file_of_the_kernel_is_read_although_its_size_is_told_as_0(probe: Process) -> None:
    assert probe.get("/of_the_kernel").text.startswith("Name:")


def test_a_plain_peer_gets_the_bytes(probe: Process) -> None:
    assert probe.get("/buffered", framed=False).body == CONTENT


def test_no_more_than_content_length_is_passed(probe: Process) -> None:
    answer = probe.get("/buffered?1000")
    assert (answer.frames, answer.body, answer.complete) == ([("file", 1000)], CONTENT[:1000], True)


def test_a_file_shorter_than_content_length_is_a_cut_answer(probe: Process) -> None:
    answer = probe.get("/part_read?300000")
    assert (answer.body == CONTENT[100:], answer.complete) == (True, False)
    probe.output.wait_for("100 bytes shorter than its Content-Length")


def test_head_passes_no_file_but_its_length(probe: Process) -> None:
    answer = probe.get("/buffered", method="HEAD")
    assert (answer.header("Content-Length"), answer.frames, answer.complete) == (str(len(CONTENT)), [], True)


def test_a_file_that_was_opened_as_text_is_sent_as_latin_1(probe: Process) -> None:
    answer = probe.get("/text")
    assert (answer.status, answer.body, answer.complete) == ("200 OK", CONTENT, True)


def test_a_text_file_with_characters_beyond_latin_1_is_refused(probe: Process) -> None:
    assert probe.get("/far").status == "500 Internal Server Error"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("framed", [True, False])
def test_the_file_is_closed_once(probe: Process, method: str, framed: bool) -> None:
    probe.get("/closed")
    probe.get("/noted", method=method, framed=framed)
    assert probe.get("/closed").text == "['closed']"
