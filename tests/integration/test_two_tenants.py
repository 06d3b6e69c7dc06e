"""Two tenants on one server: what one puts in the place of its files, and what it stops, holds up nobody else."""

from __future__ import annotations

import os
import shutil
import signal
import socket
from pathlib import Path
from typing import Callable, Iterator

import psutil
import pytest

from support.applications import AppFolder, AppFolders, give
from support.serving import CheckedHttpd
from support.waiting import eventually

pytestmark = pytest.mark.needs_root

TENANT, OTHER = "daemon", "backup"
APP = """
    import os, signal
    def application(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        if environ["PATH_INFO"] == "/stop-preloader":
            os.kill(os.getppid(), signal.SIGSTOP)
        yield str(os.getpid()).encode()
"""


@pytest.fixture(scope="module")
def server(shared_httpd: CheckedHttpd, tenant: AppFolder, neighbour: AppFolder) -> CheckedHttpd:
    """Allows the tenant all that makes httpd or the spawner look for a file of it."""
    options = f"""
        PassengerStartTimeout 2
        PassengerAppLogFile app.log
        PassengerPython "{tenant.root}/bin/python"
    """
    shared_httpd.site("tenant.example", tenant.public, options)
    shared_httpd.site("neighbour.example", neighbour.public)
    shared_httpd.start()
    return shared_httpd


@pytest.fixture(scope="module")
def tenant(shared_apps: AppFolders) -> AppFolder:
    app = shared_apps.create(name="tenant", entry=APP, owner=TENANT)
    (app.root / "bin").mkdir()
    (app.root / "bin" / "python").symlink_to("/usr/bin/python3")
    for path in (app.root / "bin", app.root / "bin" / "python"):
        give(path, TENANT)
    return app


@pytest.fixture(scope="module")
def neighbour(shared_apps: AppFolders) -> AppFolder:
    return shared_apps.create(name="neighbour", entry=APP, owner=OTHER)


def make_loop(path: Path) -> None:
    path.symlink_to(path.name)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def make_zero(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.fixture
def place(tenant: AppFolder, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A path of the tenant's app at which nothing is until the test ends; what is there comes back then."""
    path: Path = tenant.root / request.param
    kept = tenant.root / "kept"
    if os.path.lexists(path):
        path.rename(kept)
    yield path
    if os.path.lexists(path):
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    if os.path.lexists(kept):
        kept.rename(path)


@pytest.mark.parametrize("make", [os.mkfifo, make_loop, make_socket, make_zero, Path.mkdir])
@pytest.mark.parametrize(
    "place",
    ["passenger_wsgi.py", "bin/python", "app.log", "public", "public/page.html", "tmp", "tmp/restart.txt",
     "tmp/always_restart.txt", "tmp/restart.error.txt"],
    indirect=True,
)  # fmt: skip
def test_what_is_no_file_in_a_files_place_holds_up_its_owner_alone(
    server: CheckedHttpd, tenant: AppFolder, neighbour: AppFolder, place: Path, make: Callable[[Path], None]
) -> None:
    server.logs.allow("JS|AH000")
    make(place)
    give(place, TENANT)
    if place.name != "tmp" and place.name != "restart.txt":
        tenant.touch_restart()
    server.get("/page", "tenant.example")
    check_neighbour(server, neighbour)


def check_neighbour(server: CheckedHttpd, neighbour: AppFolder) -> None:
    """The other tenant's app is served and restarted, by the same spawner."""
    spawner = server.spawner_pid()
    before = server.get("/", "neighbour.example").text
    neighbour.touch_restart()
    eventually(lambda: server.get("/", "neighbour.example").text != before, "the neighbour's restart")
    assert server.spawner_pid() == spawner
    assert server.logs.count("JS1031") == 0


def test_one_that_stops_its_processes_holds_nobody_up_and_is_restarted(
    server: CheckedHttpd, tenant: AppFolder, neighbour: AppFolder
) -> None:
    server.logs.allow("JS")
    tenant.touch_restart()
    worker = int(server.get("/stop-preloader", "tenant.example").text)
    os.kill(worker, signal.SIGSTOP)
    check_neighbour(server, neighbour)
    tenant.touch_restart()
    assert int(server.get("/", "tenant.example").text) != worker


def test_httpd_stops_while_processes_of_a_tenant_are_stopped(server: CheckedHttpd, tenant: AppFolder) -> None:
    """Last in the file: the server is stopped, and checked, behind it."""
    worker = int(server.get("/stop-preloader", "tenant.example").text)
    os.kill(worker, signal.SIGSTOP)
    server.logs.allow("JS")
    server.stop()
    assert not psutil.pid_exists(worker)
