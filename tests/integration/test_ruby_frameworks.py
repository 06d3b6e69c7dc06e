"""Apps of real frameworks of Ruby: Sinatra, at the root of a virtual host and below a path, and Rails."""

from __future__ import annotations

import json
import re
import subprocess
from contextlib import contextmanager
from http.client import HTTPResponse
from typing import Iterator
from urllib.parse import urlencode, urlsplit

import pytest

from support.applications import AppFolder, AppFolders, give_all
from support.client import Answer, Wire
from support.serving import CheckedHttpd

PLACES = {"root": "", "below": "/shop"}

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
UPLOAD = {"Content-Type": "multipart/form-data; boundary=edge"}
PART = b'Content-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n' + bytes(300_000)
PICTURE = bytes(range(256)) * 1200

RAILS = "rails.example"
# `rails new` as the program of this name does it, in the working directory, without JavaScript: that would need npm.
NEW_RAILS_APP = """
require "rails"
require "rails/generators"
require "rails/generators/rails/app/app_generator"
Rails::Generators::AppGenerator.start(%w[. --skip --quiet --skip-bundle --skip-git --skip-javascript --skip-sprockets
  --skip-spring --skip-listen --skip-test --skip-action-mailbox --skip-action-text])
"""
UPGRADE = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    f"Origin: http://{RAILS}",
)

at_each_place = pytest.mark.parametrize("place", PLACES)


@pytest.fixture(scope="module")
def sinatra(shared_apps: AppFolders) -> AppFolder:
    return shared_apps.create("sinatra_app")


@pytest.fixture(scope="module")
def rails(shared_apps: AppFolders) -> AppFolder:
    app = shared_apps.create("rails_app")
    subprocess.run(["ruby", "-e", NEW_RAILS_APP], cwd=app.root, check=True)
    give_all(app.root, app.owner)
    return app


@pytest.fixture(scope="module")
def server(shared_httpd: CheckedHttpd, sinatra: AppFolder, rails: AppFolder) -> CheckedHttpd:
    website = shared_httpd.folder / "website"
    website.mkdir()
    (website / "shop").symlink_to(sinatra.public)
    shared_httpd.site("root.example", sinatra.public)
    shared_httpd.site("below.example", website, "PassengerBaseURI /shop\nPassengerAppGroupName below")
    shared_httpd.site(RAILS, rails.public, "PassengerMinInstances 2\nPassengerMaxInstances 2")
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


class Browser:
    """Follows links and sends forms of the Rails app, with its cookie."""

    def __init__(self, server: CheckedHttpd) -> None:
        self._server = server
        self._cookie = ""
        self._page = ""

    def get(self, path: str) -> Answer:
        return self._follow(self._server.get(path, RAILS, cookie=self._cookie))

    def send(self, path: str, body: bytes, content_type: str) -> Answer:
        headers = {"Content-Type": content_type, "Cookie": self._cookie, "X-CSRF-Token": self._token()}
        return self._follow(self._server.post(path, body, RAILS, headers))

    def log_in(self, password: str = "secret") -> Answer:
        self.get("/session/new")
        return self.send("/session", urlencode({"name": "Ada", "password": password}).encode(), FORM["Content-Type"])

    def _token(self) -> str:
        found = re.search('csrf-token" content="([^"]+)"', self._page)
        assert found, self._page
        return found[1]

    def _follow(self, answer: Answer) -> Answer:
        if answer.header("Set-Cookie"):
            self._cookie = str(answer.header("Set-Cookie")).split(";")[0]
        if answer.status == 302:
            return self.get(urlsplit(str(answer.header("Location"))).path)
        self._page = answer.body.decode(errors="replace")
        return answer


@pytest.fixture
def browser(server: CheckedHttpd) -> Browser:
    return Browser(server)


@contextmanager
def stream(server: CheckedHttpd, rails: AppFolder, gate: str) -> Iterator[tuple[HTTPResponse, str]]:
    """A stream that goes on when the gate is open, at the latest at the end; and the pid of the worker in it."""
    with Wire(server.port) as wire:
        wire.head(f"GET /stream?gate={gate} HTTP/1.1", host=RAILS)
        try:
            response = wire.open_answer()
            yield response, response.read1(100).decode().strip()
        finally:
            rails.open_gate(gate)


def test_a_live_stream_reaches_the_client_piece_by_piece(server: CheckedHttpd, rails: AppFolder) -> None:
    with stream(server, rails, "pieces") as (response, pid):
        assert pid.isdigit()
        rails.open_gate("pieces")
        assert response.read() == b"last\n"


def test_a_user_of_a_rails_app_logs_in_and_is_known_to_all_workers(
    server: CheckedHttpd, rails: AppFolder, browser: Browser
) -> None:
    with stream(server, rails, "first") as (first, busy):
        assert browser.log_in("wrong").status == 422
        page = browser.log_in().text
        with stream(server, rails, "second") as (_, other):
            assert f"Worker {other}, user Ada" in page
            rails.open_gate("first")
            first.read()
            assert f"Worker {busy}, user Ada" in browser.get("/").text


def test_a_picture_that_a_form_has_brought_is_stored_and_sent(browser: Browser) -> None:
    browser.log_in()
    parts = [b'name="item[name]"\r\n\r\nLamp', b'name="item[picture]"; filename="l.bin"\r\n\r\n' + PICTURE]
    body = b"".join(b"--edge\r\nContent-Disposition: form-data; %s\r\n" % part for part in parts) + b"--edge--\r\n"
    assert browser.send("/items", body, UPLOAD["Content-Type"]).body == PICTURE


def test_a_live_stream_hears_that_its_client_has_left(server: CheckedHttpd, rails: AppFolder) -> None:
    with Wire(server.port) as wire:
        wire.head("GET /endless HTTP/1.1", host=RAILS)
        assert wire.open_answer().read1(6) == b"again\n"
    rails.wait_for_event("client-left")


def test_action_cable_refuses_a_websocket_and_says_why_in_the_log(server: CheckedHttpd, rails: AppFolder) -> None:
    with Wire(server.port) as wire:
        wire.head("GET /cable HTTP/1.1", *UPGRADE, host=RAILS)
        assert wire.answer().status == 404
        wire.head("GET /session/new HTTP/1.1", host=RAILS)
        assert wire.answer().status == 200
    assert "Failed to upgrade to WebSocket" in (rails.root / "log/production.log").read_text()


def test_an_error_of_a_rails_app_is_answered_with_its_own_page(browser: Browser, rails: AppFolder) -> None:
    browser.log_in()
    answer = browser.get("/fail")
    assert (answer.status, answer.body) == (500, (rails.public / "500.html").read_bytes())
