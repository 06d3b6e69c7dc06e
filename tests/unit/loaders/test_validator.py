"""The standard library's validator finds nothing to complain about, whatever the method."""

from __future__ import annotations

import pytest

from tests.conformance.harness.loader_process import Process
from tests.unit.loaders.conftest import Starter

APP = """
from wsgiref.validate import validator

def listed(environ, start_response):
    body = environ["wsgi.input"].read(100)
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Method", environ["REQUEST_METHOD"])])
    return [b"body: ", body]

def streamed(environ, start_response):
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    write(b"body: ")
    for line in environ["wsgi.input"]:
        yield line
    environ["wsgi.errors"].write("a line of errors\\n")
    environ["wsgi.errors"].writelines(["another\\n"])
    environ["wsgi.errors"].flush()

apps = {"/listed": validator(listed), "/streamed": validator(streamed)}

def application(environ, start_response):
    return apps[environ["PATH_INFO"]](environ, start_response)
"""


@pytest.fixture(scope="module")
def probe(python: str, tmp_path_factory: pytest.TempPathFactory) -> object:
    from contextlib import ExitStack

    with ExitStack() as stack:
        # Only errors of the app's are to be seen: the validator warns of methods that it does not know.
        yield Starter(python, tmp_path_factory.mktemp("validated"), stack).worker(APP)


@pytest.mark.parametrize("path", ["/listed", "/streamed"])
@pytest.mark.parametrize("framed", [True, False])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_the_validator_accepts_each_method(probe: Process, path: str, framed: bool, method: str) -> None:
    body = b"one\ntwo" if method in ("POST", "PUT", "PATCH") else None
    answer = probe.get(path, method=method, body=body, framed=framed)
    expected = b"" if method == "HEAD" else b"body: " + (body or b"")
    assert (answer.status, answer.body, answer.complete) == ("200 OK", expected, True), probe.output.text()
    assert "AssertionError" not in probe.output.text()
