"""Apps that replace the library's calls by cooperative ones (gevent, eventlet): the loader's own are not replaced."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from support.applications import AppFolders
from support.environments import framework_environment
from support.serving import CheckedHttpd
from support.status import group, workers
from support.waiting import eventually

pytestmark = pytest.mark.deadline(300)

APPS = {
    "gevent": """
        from gevent import monkey
        monkey.patch_all()
        import gevent
        gevent.sleep(0.01)
        """,
    "eventlet": """
        import eventlet
        eventlet.monkey_patch()
        eventlet.sleep(0.01)
        """,
}
ANSWER = """
import os, time
def application(environ, start_response):
    time.sleep(0.001)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
"""


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


@pytest.mark.parametrize("library", APPS)
def test_forks_leak_no_descriptor_in_preloader_or_workers(
    httpd: CheckedHttpd, apps: AppFolders, library: str
) -> None:
    python = framework_environment() / "bin" / "python"
    lines = [line.strip() for line in APPS[library].strip().splitlines()]
    app = apps.create(entry="\n".join(lines) + ANSWER)
    limits = "PassengerMaxRequests 1\nPassengerMaxInstances 1"
    httpd.site(document_root=app.public, body=f'PassengerPython "{python}"\n{limits}')
    httpd.logs.allow("JS3011")
    httpd.start()
    pids = {httpd.get("/").text for _ in range(20)}
    (preloader,) = [one["pid"] for one in group(httpd)["processes"] if one["kind"] == "preloader"]
    held = descriptors(preloader)
    for _ in range(200):
        pids.add(httpd.get("/").text)
    assert len(pids) == 220
    # Two more while it forks the next worker.
    eventually(lambda: descriptors(preloader) <= held, lambda: f"{held} descriptors, not {descriptors(preloader)}")
    worker = eventually(lambda: workers(httpd), "a worker")[0]["pid"]
    assert descriptors(worker) <= held + 8, sorted(os.readlink(path) for path in Path(f"/proc/{worker}/fd").iterdir())
