"""Programs in Go, Java and Rust, of the standard library each, behind httpd. `make languages-test` runs them."""

from __future__ import annotations

import os
import subprocess

import psutil
import pytest

from support.applications import AppFolders
from support.serving import CheckedHttpd
from support.waiting import eventually

#: Name, how the program is made, how it is started.
PROGRAMS = {
    "go": (["go", "build", "-o", "server", "server.go"], "./server"),
    "java-port": ([], "exec java Server.java $PORT"),
    "java-socket": ([], "exec java Server.java $PASSENGER_SOCKET"),
    "rust": (["rustc", "--edition", "2021", "-o", "server", "server.rs"], "./server"),
    "rust-port": (["rustc", "--edition", "2021", "-o", "server", "server.rs"], "./server $PORT"),
}

pytestmark = [pytest.mark.deadline(300), pytest.mark.parametrize("name", PROGRAMS)]


@pytest.fixture(scope="module")
def server(shared_httpd: CheckedHttpd, shared_apps: AppFolders) -> CheckedHttpd:
    for name, (build, command) in PROGRAMS.items():
        app = shared_apps.create("programs", name)
        caches = {"GOCACHE": str(shared_apps.folder / "go-cache"), "GO111MODULE": "off"}
        if build:
            subprocess.run(build, cwd=app.root, check=True, env={**os.environ, **caches}, timeout=120)
        body = f'PassengerAppRoot {app.root}\nPassengerAppStartCommand "{command}"\nPassengerStartTimeout 60'
        shared_httpd.site(f"{name}.example", app.public, body)
    return shared_httpd.start()  # type: ignore[return-value]


def test_a_program_is_asked_by_http_and_gets_bodies(server: CheckedHttpd, name: str) -> None:
    pid, *rest = server.get("/a/b", f"{name}.example").text.split()
    assert rest == ["GET", "/a/b", "0"]
    assert server.post("/c", b"x" * 300_000, f"{name}.example").text.split() == [pid, "POST", "/c", "300000"]


def test_a_restart_swaps_the_processes_and_loses_no_request(
    server: CheckedHttpd, shared_apps: AppFolders, name: str
) -> None:
    before = server.get("/", f"{name}.example").text.split()[0]
    (shared_apps.folder / name / "tmp" / "restart.txt").touch()
    answers = []

    def is_new() -> bool:
        answers.append(server.get("/", f"{name}.example"))
        return answers[-1].status != 200 or answers[-1].text.split()[0] != before

    eventually(is_new, "an answer of the new process")
    eventually(lambda: not psutil.pid_exists(int(before)), "the end of the old process")
    answers += [server.get("/", f"{name}.example") for _ in range(3)]
    assert {answer.status for answer in answers} == {200}
