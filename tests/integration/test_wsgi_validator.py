"""The standard library's validator finds nothing to complain about, for any method, body and mount."""

from __future__ import annotations

import pytest

from support.applications import AppFolders
from support.serving import CheckedHttpd


@pytest.fixture(scope="module")
def server(shared_httpd: CheckedHttpd, shared_apps: AppFolders) -> CheckedHttpd:
    app = shared_apps.create("validated")
    shared_httpd.site(document_root=app.public)
    shared_httpd.site("streaming.example", app.public, "PassengerBufferUpload off")
    shared_httpd.site(
        "sub.example",
        shared_httpd.run_folder,
        f'Alias /sub "{app.public}"\n<Location /sub>\n'
        f'PassengerBaseURI /sub\nPassengerAppRoot "{app.root}"\n</Location>',
    )
    shared_httpd.start()
    return shared_httpd


METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "LOCK", "MKCOL", "BREW"]


@pytest.mark.parametrize("body", [None, b"", b"a body"], ids=["no body", "an empty body", "a body"])
@pytest.mark.parametrize("method", METHODS)
def test_a_request_passes_the_validator(server: CheckedHttpd, method: str, body: bytes | None) -> None:
    server.logs.allow("WSGIWarning|Unknown REQUEST_METHOD")
    answer = server.request(method, "/some/path?query", body=body)
    assert (answer.status, answer.text) == (200, f"written {method} {(body or b'').decode()}")


def test_head_passes_the_validator(server: CheckedHttpd) -> None:
    assert server.request("HEAD", "/").status == 200


@pytest.mark.parametrize("path", ["/", "/sub", "/sub/", "/sub/x"])
def test_a_mounted_app_passes_the_validator(server: CheckedHttpd, path: str) -> None:
    assert server.get(path, "sub.example" if path != "/" else "site.example").status == 200


def test_a_streamed_upload_passes_the_validator(server: CheckedHttpd) -> None:
    assert server.post("/", b"streamed", "streaming.example").text == "written POST streamed"


def test_a_chunked_upload_passes_the_validator(server: CheckedHttpd) -> None:
    with server.client() as client:
        assert client.request("POST", "/", iter([b"chu", b"nked"])).text == "written POST chunked"
