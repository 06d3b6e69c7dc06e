"""What a client is answered whose request the app could not: a short page, a friendly one, JSON."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.conformance.harness.loader_process import Process
from tests.unit.loaders.conftest import Starter

APP = """
    import os
    os.environ["DATABASE_URL"] = "postgres://shop:hunter2@db/shop"
    os.environ["SHOP_SECRET"] = "open sesame"
    def application(environ, start_response):
        API_KEY = "k-123456"; look_up({}, "<price>")
    def look_up(prices, name):
        try:
            return prices[name]
        except KeyError as error:
            raise LookupError("no <price>") from error
    """


def worker(starter: Starter, source: str = APP, **fields: str) -> Process:
    preloader = starter.start(source)
    preloader.load(**fields)
    return preloader.fork()


def error_id_in_log(process: Process, what: str = "the app failed") -> str:
    found = re.search(rf"GET /: {what} \(error id ([0-9a-f]{{8}})\)", process.output.wait_for("(error id "))
    assert found
    return found.group(1)


def test_the_page_names_an_id_that_stands_in_the_log_and_no_cause(starter: Starter) -> None:
    process = worker(starter)
    answer = process.get()
    assert answer.status == "500 Internal Server Error"
    assert f"<code>{error_id_in_log(process)}</code>" in answer.text
    for cause in ("LookupError", "price", "passenger_wsgi"):
        assert cause not in answer.text
    assert answer.header("Cache-Control") == "no-store"


def test_a_peer_that_knows_frames_and_no_other_is_told_the_id_apart_from_the_headers(starter: Starter) -> None:
    process = worker(starter)
    heads = []
    for framed in (True, False):
        with process.group.client().open(framed=framed) as exchange:
            heads.append(exchange.read_until(b"\r\n\r\n").split(b"\r\n"))
    assert heads[0][0] == heads[1][0] == b"Status: 500 Internal Server Error"
    assert heads[0][1] == b"Error id: " + error_id_in_log(process).encode()
    assert not any(line.startswith(b"Error") for line in heads[1])


@pytest.mark.parametrize("name", ["Error id", "error id", "Error id: 1f2e3d4c\r\nX"])
def test_an_app_cannot_tell_an_id_of_its_own(starter: Starter, name: str) -> None:
    process = worker(
        starter,
        f"""
        def application(environ, start_response):
            start_response("500 No", [({name!r}, "1f2e3d4c")])
            return [b"mine"]
        """,
    )
    answer = process.get()
    assert "mine" not in answer.text
    assert answer.error_id == error_id_in_log(process, "an invalid response") != "1f2e3d4c"


def test_the_friendly_page_shows_the_apps_source_around_the_failing_lines(starter: Starter) -> None:
    text = worker(starter, friendly="1").get().text
    assert "<strong>LookupError: no &lt;price&gt;</strong>" in text
    assert re.search(r"<mark> +[0-9]+ +raise LookupError\(&quot;no &lt;price&gt;&quot;\) from error</mark>", text)
    assert re.search(r"<mark> +[0-9]+ +return prices\[name\]</mark>", text)
    assert re.search(r" +[0-9]+ +def look_up.prices, name.:$", text, re.MULTILINE)
    assert "This was the direct cause of:" in text
    assert "<price>" not in text


def test_the_friendly_page_hides_secrets_of_environment_and_source(starter: Starter) -> None:
    text = worker(starter, friendly="1").get("/?token=t-abcdef-987").text
    assert "postgres://shop:[hidden]@db/shop" in text
    assert "SHOP_SECRET" in text
    assert "API_KEY = &quot;[hidden]&quot;" in text
    for secret in ("hunter2", "open sesame", "k-123456", "t-abcdef-987"):
        assert secret not in text


def test_frames_of_libraries_are_folded(starter: Starter) -> None:
    text = worker(starter, "import textwrap\ndef application(e, s):\n    textwrap.dedent(5)\n", friendly="1").get().text
    assert re.search(r"<details><summary>[0-9] frames? in libraries, the last in [^<]*/textwrap.py</summary>", text)
    assert '<p class="app"><code>' in text


def test_the_page_of_a_deep_recursion_is_bounded(starter: Starter) -> None:
    text = worker(starter, "def application(e, s):\n    return application(e, s)\n", friendly="1").get().text
    assert "frames in the middle are left out" in text
    assert len(text) < 100_000


def test_an_exception_that_cannot_be_shown_gets_the_short_page(starter: Starter) -> None:
    source = """
        class Odd(Exception):
            exceptions = property(lambda self: 1 / 0)
        def application(environ, start_response):
            raise Odd
        """
    process = worker(starter, source, friendly="1")
    answer = process.get()
    assert "Odd" not in answer.text
    assert error_id_in_log(process) in answer.text


def as_json(answer: Any) -> dict[str, Any]:
    assert answer.header("Content-Type") == "application/json"
    error = json.loads(answer.text)
    assert list(error) == ["error"]
    return dict(error["error"])


@pytest.mark.parametrize("friendly", ["0", "1"])
def test_a_client_that_asks_for_json_gets_json(starter: Starter, friendly: str) -> None:
    process = worker(starter, friendly=friendly)
    error = as_json(process.get(variables={"HTTP_ACCEPT": "application/json"}))
    assert error["status"] == 500
    assert error["id"] == error_id_in_log(process)
    assert error["retry_after"] is None
    assert ("traceback" in error) == (friendly == "1")
    assert "k-123456" not in json.dumps(error)


def test_an_app_that_spoils_the_environ_is_answered_all_the_same(starter: Starter) -> None:
    source = """
        def application(environ, start_response):
            environ.update(HTTP_ACCEPT=5, CONTENT_TYPE=None, PATH_INFO=b"x", SCRIPT_NAME=None)
            raise ValueError
        """
    assert worker(starter, source, friendly="1").get().status == "500 Internal Server Error"
