"""Whether a client wants JSON: as the module in httpd decides (tests/c/accept_test.c)."""

from __future__ import annotations

import pytest

from spawner.shared.accept_header import wants_json


@pytest.mark.parametrize(
    ("accept", "content_type", "json"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", None, False),
        ("text/html, application/json;q=0.9", "application/json", False),
        ("application/json", None, True),
        ("Application/JSON ; charset=utf-8", None, True),
        ("application/json, text/plain, */*", None, True),
        ("application/vnd.api+json", None, True),
        ("text/html;q=0.5, application/json;q=0.6", None, True),
        ("application/json;q=0.5, text/html;q=0.6", None, False),
        ("application/json;q=0, */*", None, False),
        ("application/json;q=0", None, False),
        ("text/*;q=0.3, application/*;q=0.4", None, True),
        ("*/*;q=0.9, application/json;q=0.1", None, False),
        ("text/html;q=0.1, */*;q=0.9", None, True),
        ("application/json, text/html", None, True),
        ("text/html, application/json", None, False),
        (None, None, False),
        ("*/*", "text/html", False),
        (None, "application/json", True),
        ("*/*", "application/json; charset=utf-8", True),
        ("image/png", "application/vnd.api+json", True),
        (None, "application/jsonp", False),
        (",,;;==,q=1;", None, False),
        ("application/json;q=", None, True),
        ("+json", None, False),
    ],
)
def test_the_client_gets_what_it_would_rather_have(accept: str | None, content_type: str | None, json: bool) -> None:
    assert wants_json(accept, content_type) is json
