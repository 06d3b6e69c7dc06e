"""The forms of a request's target (RFC 9112, section 3.2), as apps see them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.applications import AppFolders
from support.client import Wire
from support.serving import CheckedHttpd

SAYS_WHAT_IT_SEES = """
    import json
    NAMES = ("REQUEST_METHOD", "REQUEST_URI", "PATH_INFO", "QUERY_STRING", "HTTP_HOST")
    def application(environ, start_response):
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps([environ.get(name) for name in NAMES]).encode()]
    """


@pytest.fixture(scope="module")
def server(shared_httpd: CheckedHttpd, shared_apps: AppFolders) -> CheckedHttpd:
    shared_httpd.site(document_root=shared_apps.create(entry=SAYS_WHAT_IT_SEES).public)
    shared_httpd.start()
    return shared_httpd


def seen(server: CheckedHttpd, target: str) -> Any:
    with Wire(server.port) as wire:
        wire.head(f"GET {target} HTTP/1.1", "Connection: close")
        return json.loads(wire.answer().text)


@pytest.mark.parametrize(
    ("target", "uri", "path", "query"),
    [
        ("/a?x=1", "/a?x=1", "/a", "x=1"),
        ("http://site.example/a?x=1", "/a?x=1", "/a", "x=1"),
        ("http://site.example/", "/", "/", ""),
        ("http://site.example", "/", "/", ""),
        ("http://site.example?x=1", "/?x=1", "/", "x=1"),
        ("http://site.example?next=/admin", "/?next=/admin", "/", "next=/admin"),
        ("http://site.example?next=http://other/", "/?next=http://other/", "/", "next=http://other/"),
        ("/a?next=http://other/", "/a?next=http://other/", "/a", "next=http://other/"),
    ],
)
def test_the_uri_agrees_with_path_and_query(
    server: CheckedHttpd, target: str, uri: str, path: str, query: str
) -> None:
    assert seen(server, target)[1:4] == [uri, path, query]


@pytest.mark.parametrize("target", ["site.example:80", "127.0.0.1:22", "/"])
def test_connect_is_answered_by_httpd_for_an_app_is_no_tunnel(server: CheckedHttpd, target: str) -> None:
    with Wire(server.port) as wire:
        wire.head(f"CONNECT {target} HTTP/1.1", "Connection: close")
        answer = wire.answer()
    assert answer.status in (400, 405)
    assert '"CONNECT"' not in answer.text  # as the app answers


def test_options_of_the_whole_server_is_answered_by_httpd(server: CheckedHttpd) -> None:
    with Wire(server.port) as wire:
        wire.head("OPTIONS * HTTP/1.1", "Connection: close")
        assert '"OPTIONS"' not in wire.answer().text
