"""Apps of real frameworks of Ruby, at the root of a virtual host and below a path: Sinatra and Rails."""

from __future__ import annotations

import json

import pytest

from support.applications import AppFolder, AppFolders
from support.serving import CheckedHttpd

PLACES = {"root": "", "below": "/shop"}

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
UPLOAD = {"Content-Type": "multipart/form-data; boundary=edge"}
PART = b'Content-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n' + bytes(300_000)

at_each_place = pytest.mark.parametrize("place", PLACES)


@pytest.fixture(scope="module")
def sinatra(shared_apps: AppFolders) -> AppFolder:
    return shared_apps.create("sinatra_app")


@pytest.fixture(scope="module")
def server(shared_httpd: CheckedHttpd, shared_apps: AppFolders, sinatra: AppFolder) -> CheckedHttpd:
    website = shared_httpd.folder / "website"
    website.mkdir()
    (website / "shop").symlink_to(sinatra.public)
    shared_httpd.site("root.example", sinatra.public)
    shared_httpd.site("below.example", website, "PassengerBaseURI /shop\nPassengerAppGroupName below")
    rails = shared_apps.create("rails_app")
    shared_httpd.site("rails.example", rails.public, "PassengerMinInstances 2")
    shared_httpd.start()
    return shared_httpd


@at_each_place
def test_a_session_lasts_over_a_redirect(server: CheckedHttpd, place: str) -> None:
    host, mount = f"{place}.example", PLACES[place]
    answer = server.post(f"{mount}/login", b"name=Ada+L", host, FORM)
    assert (answer.status, answer.header("Location")) == (303, f"http://{host}{mount}/")
    cookie = str(answer.header("Set-Cookie")).split(";")[0]
    assert server.get(f"{mount}/", host, cookie=cookie).text == "Sinatra Ada L"


@at_each_place
def test_an_upload_is_read_whole(server: CheckedHttpd, place: str) -> None:
    body = b"--edge\r\n" + PART + b"\r\n--edge--\r\n"
    answer = server.post(f"{PLACES[place]}/upload", body, f"{place}.example", UPLOAD)
    assert json.loads(answer.body) == {"name": "a.bin", "size": 300_000}


@at_each_place
def test_streams_and_files_come_whole(server: CheckedHttpd, sinatra: AppFolder, place: str) -> None:
    host, mount = f"{place}.example", PLACES[place]
    assert server.get(f"{mount}/stream", host).text == "first\nlast\n"
    assert server.get(f"{mount}/file", host).body == (sinatra.root / "app.rb").read_bytes()


@at_each_place
def test_an_error_is_a_500_and_the_app_serves_on(server: CheckedHttpd, place: str) -> None:
    host, mount = f"{place}.example", PLACES[place]
    server.logs.allow("JS")
    assert server.get(f"{mount}/fail", host).status == 500
    assert server.get(f"{mount}/missing", host).status == 404
    assert server.get(f"{mount}/", host).status == 200


def test_workers_of_a_rails_app_share_its_database_and_its_sessions(server: CheckedHttpd) -> None:
    first = server.get("/", "rails.example")
    assert first.text.startswith("Rails ")
    cookie = str(first.header("Set-Cookie")).split(";")[0]
    count = int(first.text.split()[1])
    assert server.get("/", "rails.example", cookie=cookie).text == f"Rails {count + 1} 2"


def test_a_rails_app_uploads_streams_and_shows_its_error_page(server: CheckedHttpd) -> None:
    answer = server.post("/upload", b"--edge\r\n" + PART + b"\r\n--edge--\r\n", "rails.example", UPLOAD)
    assert answer.json() == {"name": "a.bin", "size": 300_000}
    assert server.get("/stream", "rails.example").text == "first\nlast\n"
    assert server.get("/fail", "rails.example").status == 500
