"""PassengerStickySessions: each worker's own socket is there as long as the worker takes requests, and no longer."""

from __future__ import annotations

import os
import re
import signal
import stat
from pathlib import Path

import pytest

from support.applications import AppFolder
from support.background import Background
from support.paths import path
from support.serving import CheckedHttpd
from support.status import workers
from support.waiting import eventually

STICKY = "PassengerStickySessions on\nPassengerMinInstances 2\nPassengerMaxInstances 2"
NAME = re.compile(r"[0-9a-f]{16}\.[0-9a-f]{16}\.sock")


def own_sockets(httpd: CheckedHttpd) -> set[str]:
    """The names of the sockets that are no group's."""
    names = os.listdir(httpd.instance_folder() / "apps")
    return {name for name in names if name.count(".") > 1}


def apps_folder(httpd: CheckedHttpd) -> Path:
    return httpd.instance_folder() / "apps"


@pytest.fixture(params=["smart", "direct"])
def sticky(httpd: CheckedHttpd, probe: AppFolder, request: pytest.FixtureRequest) -> CheckedHttpd:
    """A server with two workers that each have a socket."""
    httpd.site(document_root=probe.public, body=f"{STICKY}\nPassengerSpawnMethod {request.param}")
    httpd.start()
    httpd.get("/")
    eventually(lambda: len(workers(httpd)) == 2, "two workers")
    return httpd


def settled(httpd: CheckedHttpd, before: set[str]) -> set[str]:
    """The sockets once two others have taken the place of those before."""
    return eventually(
        lambda: own_sockets(httpd) if len(own_sockets(httpd) - before) == 2 == len(own_sockets(httpd)) else set(),
        lambda: f"two other sockets than {before}: {own_sockets(httpd)}",
    )


def test_each_worker_has_one_that_only_apache_s_user_can_connect_to(sticky: CheckedHttpd) -> None:
    names = own_sockets(sticky)
    assert len(names) == 2
    assert all(NAME.fullmatch(name) for name in names)
    group_socket = next(path for path in apps_folder(sticky).iterdir() if path.name not in names)
    for name in names:
        status = (apps_folder(sticky) / name).stat()
        assert stat.S_IMODE(status.st_mode) == 0o600
        assert status.st_uid == group_socket.stat().st_uid
        assert name.startswith(group_socket.name[:16])


def test_without_sticky_sessions_there_is_none(httpd: CheckedHttpd, probe: AppFolder) -> None:
    httpd.site(document_root=probe.public)
    httpd.start()
    httpd.get("/")
    assert own_sockets(httpd) == set()


def test_a_restart_removes_the_old_ones(sticky: CheckedHttpd, probe: AppFolder) -> None:
    before = own_sockets(sticky)
    probe.touch_restart()
    assert not settled(sticky, before) & before


def test_a_worker_that_was_told_to_go_cannot_be_connected_to_while_it_finishes(
    sticky: CheckedHttpd, probe: AppFolder
) -> None:
    before = own_sockets(sticky)
    held = Background(lambda: sticky.get(path("/hold", gate="it", name="it")))
    probe.wait_for_event("holding-it")
    probe.touch_restart()
    settled(sticky, before)
    assert not held.done
    probe.open_gate("it")
    assert held.result().status == 200


def test_the_one_of_a_worker_that_was_killed_is_removed(sticky: CheckedHttpd) -> None:
    sticky.logs.allow("JS3503")
    before = own_sockets(sticky)
    for worker in workers(sticky):
        os.kill(worker["pid"], signal.SIGKILL)
    settled(sticky, before)


def test_they_outlive_the_spawner_and_are_removed_by_the_next_one(sticky: CheckedHttpd, probe: AppFolder) -> None:
    sticky.logs.allow("JS|AH0")
    before, old = own_sockets(sticky), sticky.spawner_pid()
    os.kill(old, signal.SIGKILL)
    eventually(lambda: sticky.spawner_pid() != old, "a new spawner")
    sticky.logs.wait_for("JS3046: took over 1 apps")
    probe.touch_restart()
    settled(sticky, before)


def test_switching_it_off_removes_them(sticky: CheckedHttpd) -> None:
    site = sticky.configuration.sites[0]
    site.body = site.body.replace("PassengerStickySessions on", "PassengerStickySessions off")
    sticky.graceful()

    def gone() -> bool:
        sticky.get("/")  # by a child of httpd that has the new configuration, as soon as there is one
        return own_sockets(sticky) == set()

    eventually(gone, lambda: f"no socket of a worker: {own_sockets(sticky)}")


def test_a_cleaner_that_takes_the_folder_leaves_an_app_that_serves(sticky: CheckedHttpd) -> None:
    sticky.logs.allow("JS|AH0")
    before = own_sockets(sticky)
    for socket_path in apps_folder(sticky).iterdir():
        socket_path.unlink(missing_ok=True)
    settled(sticky, before)
    assert sticky.get("/").status == 200
