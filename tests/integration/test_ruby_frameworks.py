"""A real Sinatra app, at the root of a virtual host and below a path."""

from __future__ import annotations

import json

import pytest

from support.applications import AppFolder, AppFolders
from support.serving import CheckedHttpd

PLACES = {"root": "", "below": "/shop"}

pytestmark = pytest.mark.parametrize("place", PLACES)


@pytest.fixture(scope="module")
def app(shared_httpd: CheckedHttpd, shared_apps: AppFolders) -> AppFolder:
    app = shared_apps.create("sinatra_app")
    website = shared_httpd.folder / "website"
    website.mkdir()
    (website / "shop").symlink_to(app.public)
    shared_httpd.site("root.example", app.public)
    shared_httpd.site("below.example", website, "PassengerBaseURI /shop\nPassengerAppGroupName below")
    shared_httpd.start()
    return app


@pytest.fixture
def server(app: AppFolder, shared_httpd: CheckedHttpd) -> CheckedHttpd:
    return shared_httpd


def test_a_session_lasts_over_a_redirect(server: CheckedHttpd, place: str) -> None:
    host, mount = f"{place}.example", PLACES[place]
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = server.post(f"{mount}/login", b"name=Ada+L", host, form)
    assert (answer.status, answer.header("Location")) == (303, f"http://{host}{mount}/")
    cookie = str(answer.header("Set-Cookie")).split(";")[0]
    assert server.get(f"{mount}/", host, cookie=cookie).text == "Sinatra Ada L"


def test_an_upload_is_read_whole(server: CheckedHttpd, place: str) -> None:
    part = b'Content-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n' + bytes(300_000)
    body = b"--edge\r\n" + part + b"\r\n--edge--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=edge"}
    answer = server.post(f"{PLACES[place]}/upload", body, f"{place}.example", headers)
    assert json.loads(answer.body) == {"name": "a.bin", "size": 300_000}


def test_streams_and_files_come_whole(server: CheckedHttpd, app: AppFolder, place: str) -> None:
    host, mount = f"{place}.example", PLACES[place]
    assert server.get(f"{mount}/stream", host).text == "first\nlast\n"
    assert server.get(f"{mount}/file", host).body == (app.root / "app.rb").read_bytes()


def test_an_error_is_a_500_and_the_app_serves_on(server: CheckedHttpd, place: str) -> None:
    host, mount = f"{place}.example", PLACES[place]
    server.logs.allow("JS")
    assert server.get(f"{mount}/fail", host).status == 500
    assert server.get(f"{mount}/missing", host).status == 404
    assert server.get(f"{mount}/", host).status == 200
