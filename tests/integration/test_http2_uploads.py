"""Uploads over HTTP/2 that are streamed: httpd cannot wait for such a client and the worker together."""

from __future__ import annotations

import hashlib
import json
import time

import pytest

from support.applications import AppFolder
from support.curl import curl
from support.serving import CheckedHttpd

MEGABYTE = 1 << 20


@pytest.mark.parametrize(
    "form", [["--data-binary", "@-"], ["--data-binary", "@-", "-H", "Content-Length:"]], ids=["length", "no length"]
)
def test_a_streamed_upload_over_http2_goes_as_fast_as_it_is_taken(
    httpd: CheckedHttpd, probe: AppFolder, form: list[str]
) -> None:
    httpd.module("http2")
    httpd.add("Protocols h2c http/1.1")
    httpd.site(document_root=probe.public, body="PassengerBufferUpload off")
    httpd.start()
    assert httpd.get("/").status == 200
    body = bytes(range(256)) * 4096 * 24
    begin = time.monotonic()
    assert httpd.post("/digest", body).json()["length"] == 24 * MEGABYTE
    as_fast_as_http1 = time.monotonic() - begin  # what this machine can do at this moment
    begin = time.monotonic()
    url = f"http://127.0.0.1:{httpd.port}/digest"
    options = ["--http2-prior-knowledge", "-H", "Host: site.example", "-H", "Expect:", *form]
    answer = curl(url, *options, stdin=body, seconds=100)
    assert time.monotonic() - begin < 10 + 8 * as_fast_as_http1
    told = json.loads(answer.body)
    assert (answer.protocol, told["length"]) == ("2", 24 * MEGABYTE)
    assert told["sha256"] == hashlib.sha256(body).hexdigest()
