"""Apps that .htaccess files choose, in the pool: whose they are, how many, and which text counts."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any, Callable

import pytest

from spawner.daemon.htaccess_apps import HtaccessApps
from spawner.errors import OperatorError
from spawner.pool import effects
from spawner.pool.policies.timeouts import LONGEST_QUIET
from spawner.pool.registration import Registration
from spawner.pool.states import GroupState
from tests.unit.pool.world import World

#: A user that every Debian has, for a test that runs as root; else the test's own.
TENANT = 1 if os.geteuid() == 0 else os.geteuid()
MOST = 2


class Server:
    """A pool with the part that admits apps, and the folders of one tenant."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.home.mkdir()
        self.world = World()
        self.closed: list[str] = []
        self.apps = HtaccessApps(self.world.pool, self.dispatch, 33, MOST, lambda: self.world.now)
        (self.home / ".htaccess").touch()
        self.give()

    def dispatch(self, event: Callable[..., Any], key: str) -> None:
        assert event == self.world.pool.close_group
        self.closed.append(key)

    def give(self) -> None:
        for path in (self.home, *self.home.rglob("*")):
            os.chown(path, TENANT, -1)

    def registration(self, name: str, read_at: int = 1, **options: Any) -> Registration:
        root = self.home / name
        root.mkdir(exist_ok=True)
        (root / "passenger_wsgi.py").touch()
        self.give()
        asked = self.world.registration(name, 1, **options)
        files = (str(self.home / ".htaccess"),)
        return dataclasses.replace(asked, app_root=str(root), htaccess=files, htaccess_read_at=read_at)

    def register(self, name: str, read_at: int = 1, **options: Any) -> Registration:
        admitted = self.apps.admit(self.registration(name, read_at, **options))
        self.world.step(self.world.pool.register, admitted)
        return admitted


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


def test_an_app_is_admitted_with_the_owner_of_its_files(server: Server) -> None:
    assert server.register("shop").tenant == TENANT


def test_what_httpd_says_of_the_tenant_does_not_count(server: Server) -> None:
    asked = dataclasses.replace(server.registration("shop"), tenant=4711)
    assert server.apps.admit(asked).tenant == TENANT
    assert server.apps.admit(dataclasses.replace(asked, htaccess=())).tenant is None


@pytest.mark.parametrize("missing", [".htaccess", "shop/passenger_wsgi.py"])
def test_a_file_that_is_gone_is_named(server: Server, missing: str) -> None:
    asked = server.registration("shop")
    (server.home / missing).unlink()
    with pytest.raises(OperatorError, match=missing):
        server.apps.admit(asked)


def test_a_name_of_the_administrators_app_is_refused(server: Server) -> None:
    server.world.register("shop")
    with pytest.raises(OperatorError, match="belongs to another app"):
        server.register("shop")


def test_one_app_more_than_allowed_is_refused_while_all_are_used(server: Server) -> None:
    server.register("one")
    server.register("two")
    with pytest.raises(OperatorError, match="has 2 such apps already"):
        server.register("three")
    server.register("one")
    assert server.closed == []


def test_one_app_more_than_allowed_takes_the_place_of_the_one_that_is_unused_for_longest(server: Server) -> None:
    server.register("one")
    server.world.now += 1
    server.register("two")
    server.world.now += 100
    server.register("three")
    assert server.closed == ["one"]


def test_apps_of_the_administrator_do_not_count(server: Server) -> None:
    for number in range(MOST):
        server.world.register("admin%d" % number)
    assert server.register("shop").tenant == TENANT


# Which text counts


def options_of(server: Server) -> tuple[Any, int]:
    registration = server.world.pool.groups["shop"].registration
    return registration.options.python, registration.htaccess_read_at


def test_the_options_that_were_read_last_count_without_a_new_configuration(server: Server) -> None:
    server.register("shop", 1, python="/a")
    server.register("shop", 2, python="/b")
    assert options_of(server) == ("/b", 2)


def test_options_that_were_read_earlier_do_not_come_back(server: Server) -> None:
    server.register("shop", 2, python="/b")
    server.register("shop", 1, python="/a")
    assert options_of(server) == ("/b", 2)


def test_the_same_options_read_later_still_hold_against_what_was_read_in_between(server: Server) -> None:
    server.register("shop", 1, python="/a")
    server.register("shop", 3, python="/a")
    server.register("shop", 2, python="/b")
    assert options_of(server) == ("/a", 3)


def test_another_text_is_no_conflict(server: Server) -> None:
    server.register("shop", 1, python="/a")
    server.register("shop", 2, python="/b")
    assert 3501 not in [line.number for line in server.world.effects_of(effects.LogLine)]


def test_another_tenant_of_the_same_folder_replaces_the_processes(server: Server) -> None:
    first = server.register("shop", 1)
    assert first.needs_respawn(dataclasses.replace(first, tenant=TENANT + 1))


def test_an_app_that_nobody_has_asked_for_in_two_weeks_ends_though_the_configuration_is_the_same(
    server: Server,
) -> None:
    server.register("shop")
    server.world.register("admins")
    server.world.now += LONGEST_QUIET + 1
    server.world.step(server.world.pool.tick)
    groups = server.world.pool.groups
    assert "shop" not in groups or groups["shop"].state is GroupState.CLOSING
    assert groups["admins"].state is not GroupState.CLOSING
