"""Bodies that go both ways at once: an app that answers while it reads, and clients that do not read meanwhile."""

from __future__ import annotations

import threading

import pytest

from support.applications import AppFolder, AppFolders
from support.client import Wire
from support.serving import CheckedHttpd

MEGABYTE = 1024 * 1024
LENGTH = 24 * MEGABYTE

ENTRY = """\
    def application(environ, start_response):
        body = environ["wsgi.input"]
        start_response("200 OK", [("Content-Type", "application/octet-stream")])
        return iter(lambda: body.read(4096), b"")
    """


@pytest.fixture
def echo(httpd: CheckedHttpd, apps: AppFolders) -> AppFolder:
    app: AppFolder = apps.create(name="echo", entry=ENTRY)
    httpd.site(document_root=app.public, body="PassengerBufferUpload off")
    return app


def send_all(wire: Wire, content: bytes) -> threading.Thread:
    sender = threading.Thread(target=wire.socket.sendall, args=(content,))
    sender.start()
    return sender


@pytest.mark.parametrize("mark", [1, 300_000, MEGABYTE])
def test_what_comes_back_to_a_client_that_only_sends_is_whole(httpd: CheckedHttpd, echo: AppFolder, mark: int) -> None:
    """The response has no room any more while the worker still takes the request: neither may be lost for that."""
    httpd.add(f"PassengerResponseBufferHighWatermark {mark}")
    httpd.start()
    content = bytes(range(256)) * (LENGTH // 256)
    wire = Wire(httpd.port, receive_buffer=4096)
    wire.head("POST / HTTP/1.1", f"Content-Length: {LENGTH}")
    sender = send_all(wire, content)
    # As long as something moves, the client does not read.
    sender.join(2.0)
    assert wire.answer().body == content
    sender.join()
    wire.close()
