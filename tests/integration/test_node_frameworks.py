"""Apps of real frameworks of Node.js: each listens in its own way, and all are served alike."""

from __future__ import annotations

import json

import pytest

from support.applications import AppFolders
from support.environments import node_modules
from support.serving import CheckedHttpd

ENTRIES = {"express": "express.js", "koa": "koa.js", "fastify": "fastify.mjs"}

pytestmark = [pytest.mark.deadline(300), pytest.mark.parametrize("framework", ENTRIES)]


@pytest.fixture(scope="module")
def server(shared_httpd: CheckedHttpd, shared_apps: AppFolders) -> CheckedHttpd:
    app = shared_apps.create("node_frameworks")
    (app.root / "node_modules").symlink_to(node_modules())
    for framework, entry in ENTRIES.items():
        body = f"PassengerStartupFile {entry}\nPassengerAppGroupName {framework}"
        shared_httpd.site(f"{framework}.example", app.public, body)
    shared_httpd.start()
    return shared_httpd


def test_a_framework_reads_a_body_and_knows_the_client(server: CheckedHttpd, framework: str) -> None:
    headers = {"Content-Type": "application/json"}
    answer = server.post("/echo", b'{"a": [1, "\xc3\xa9"]}', f"{framework}.example", headers)
    assert answer.status == 200
    told = {"sent": {"a": [1, "é"]}, "ip": "127.0.0.1", "host": f"{framework}.example"}
    assert json.loads(answer.body) == told


def test_a_framework_streams_and_answers_its_own_errors(server: CheckedHttpd, framework: str) -> None:
    assert server.get("/stream", f"{framework}.example").text == "first\nlast\n"
    assert server.get("/fail", f"{framework}.example").status == 500
    assert server.get("/stream", f"{framework}.example").status == 200
