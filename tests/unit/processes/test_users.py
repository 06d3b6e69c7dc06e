"""The user that an app runs as: the rules over made-up owners, then those of real files."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import Any, Callable, Optional, Sequence

import pytest

from spawner.processes.users import FileOwners, UserPolicy, UserRefused, choose_identity, file_owners
from spawner.system.paths import PathComponent

ALICE, BOB, NOBODY = 1001, 1002, 65534


def user(name: str, uid: int, gid: int) -> pwd.struct_passwd:
    return pwd.struct_passwd((name, "x", uid, gid, "", "/home/" + name, "/bin/bash"))


class Users:
    """A machine with three tenants."""

    names = {
        "root": user("root", 0, 0),
        "alice": user("alice", ALICE, 2001),
        "bob": user("bob", BOB, 2002),
        "nobody": user("nobody", NOBODY, 65534),
        "wheeled": user("wheeled", 1003, 0),
    }
    groups = {"root": 0, "web": 3000, "nogroup": 65534}

    def user_by_name(self, name: str) -> Optional[pwd.struct_passwd]:
        return self.names.get(name)

    def user_by_uid(self, uid: int) -> Optional[pwd.struct_passwd]:
        return next((entry for entry in self.names.values() if entry.pw_uid == uid), None)

    def group_id(self, name: str) -> Optional[int]:
        return self.groups.get(name)

    def supplementary_groups(self, user: str, gid: int) -> Sequence[int]:
        return [gid, 0, 4000]


def files(
    owner: int, target: Optional[int] = None, root: Optional[int] = None, link: Optional[int] = None
) -> FileOwners:
    entry = PathComponent("/srv/app/passenger_wsgi.py", owner, 2500, target is not None)
    components = [PathComponent("/srv/current", link, 0, True)] if link is not None else []
    components.append(PathComponent("/srv/app", owner if root is None else root, 0))
    return FileOwners(entry, PathComponent(entry.path, owner if target is None else target, 2500), components)


def chosen(policy: UserPolicy, found: FileOwners) -> tuple[str, int]:
    identity = choose_identity(policy, found, Users())
    return identity.user, identity.gid


def test_an_app_runs_as_the_owner_of_its_entry_file_in_that_user_s_group() -> None:
    assert chosen(UserPolicy(), files(ALICE)) == ("alice", 2001)


def test_root_s_group_is_no_supplementary_group() -> None:
    assert choose_identity(UserPolicy(), files(ALICE), Users()).groups == (2001, 4000)


@pytest.mark.parametrize("owner", [0, 4711], ids=["root", "a uid without a user"])
def test_an_app_of_root_or_of_nobody_known_runs_as_the_default_user(owner: int) -> None:
    assert chosen(UserPolicy(default_user="bob"), files(owner)) == ("bob", 2002)


def test_the_default_user_alone_runs_apps_without_user_switching() -> None:
    assert chosen(UserPolicy(user="alice", group="web", switching=False), files(ALICE)) == ("nobody", 65534)


def test_passenger_user_wins_over_whatever_the_files_say() -> None:
    assert chosen(UserPolicy(user="bob"), files(ALICE, target=NOBODY, root=NOBODY)) == ("bob", 2002)


@pytest.mark.parametrize("name", ["root", "missing"])
def test_a_passenger_user_that_is_root_or_unknown_gives_the_default_user(name: str) -> None:
    assert chosen(UserPolicy(user=name), files(ALICE)) == ("nobody", 65534)


@pytest.mark.parametrize("name", ["root", "missing"])
def test_a_default_user_that_is_root_or_unknown_refuses_the_start(name: str) -> None:
    with pytest.raises(UserRefused, match="PassengerDefaultUser"):
        choose_identity(UserPolicy(default_user=name), files(0), Users())


@pytest.mark.parametrize(
    ("group", "default_group", "expected"),
    [
        ("", "", 2001),
        ("web", "", 3000),
        ("!STARTUP_FILE!", "", 2500),
        ("missing", "", 65534),
        ("root", "", 65534),
        ("missing", "web", 3000),
    ],
)
def test_the_group_is_the_named_one_or_the_user_s_or_the_default(group: str, default_group: str, expected: int) -> None:
    assert chosen(UserPolicy(group=group, default_group=default_group), files(ALICE)) == ("alice", expected)


def test_a_user_whose_primary_group_is_root_s_gets_the_default_group() -> None:
    assert chosen(UserPolicy(), files(1003)) == ("wheeled", 65534)


def test_no_group_but_root_s_refuses_the_start() -> None:
    with pytest.raises(UserRefused, match="PassengerDefaultGroup"):
        choose_identity(UserPolicy(group="root", default_group="root"), files(ALICE), Users())


def test_an_entry_file_that_links_to_another_user_s_file_is_refused() -> None:
    with pytest.raises(UserRefused, match="link of user alice .uid 1001. to a file of user bob .uid 1002."):
        choose_identity(UserPolicy(), files(ALICE, target=BOB), Users())


def test_another_user_s_entry_file_in_one_s_own_app_root_is_refused() -> None:
    with pytest.raises(UserRefused, match="folder /srv/app to user bob"):
        choose_identity(UserPolicy(), files(ALICE, root=BOB), Users())


def test_an_app_root_that_belongs_to_root_is_no_objection() -> None:
    assert chosen(UserPolicy(), files(ALICE, root=0)) == ("alice", 2001)


def test_an_app_root_reached_by_another_user_s_link_is_refused() -> None:
    with pytest.raises(UserRefused, match="link /srv/current to user bob"):
        choose_identity(UserPolicy(), files(ALICE, link=BOB), Users())


@pytest.mark.parametrize("link", [0, ALICE], ids=["root", "the owner"])
def test_an_app_root_reached_by_a_link_of_root_or_the_owner_is_fine(link: int) -> None:
    assert chosen(UserPolicy(), files(ALICE, link=link)) == ("alice", 2001)


def test_the_components_of_an_app_name_every_link_and_the_real_folders(tmp_path: Path) -> None:
    release = tmp_path / "releases" / "1"
    (release / "web").mkdir(parents=True)
    (release / "web" / "real.py").touch()
    (release / "web" / "entry.py").symlink_to("real.py")
    (tmp_path / "current").symlink_to("releases/1")
    found = file_owners(str(tmp_path / "current"), "web/entry.py")
    assert found.entry.is_link
    assert not found.entry_target.is_link
    ours = [component for component in found.components if component.path.startswith(f"{tmp_path}/")]
    assert [(os.path.relpath(component.path, tmp_path), component.is_link) for component in ours] == [
        ("current", True),
        ("releases", False),
        ("releases/1", False),
        ("releases/1/web", False),
        ("releases/1/web/entry.py", True),
    ]


def test_a_subfolder_that_is_a_link_is_followed_to_the_folder_it_names(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "entry.py").touch()
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "web").symlink_to("../elsewhere")
    found = file_owners(str(tmp_path / "app"), "web/entry.py")
    assert [component.path for component in found.components if component.path.startswith(f"{tmp_path}/")] == [
        str(tmp_path / "app"),
        str(tmp_path / "app" / "web"),
        str(tmp_path / "elsewhere"),
    ]


@pytest.mark.needs_root
def test_a_tenant_that_exchanges_folders_between_two_looks_never_becomes_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each look there is a folder of the tenant, or a link of it to a folder of the other: in all orders."""
    homes = {owner: tmp_path / str(owner) for owner in (ALICE, BOB)}
    for home in homes.values():
        (home / "sites" / "shop").mkdir(parents=True)
        (home / "sites" / "shop" / "passenger_wsgi.py").touch()
    (homes[ALICE] / "link").symlink_to(homes[BOB] / "sites")
    for owner, home in homes.items():
        for path in (home, *home.rglob("*")):
            os.chown(path, owner, owner, follow_symlinks=False)
    folder = Exchanged(homes[ALICE] / "sites", homes[ALICE] / "link")
    monkeypatch.setattr("spawner.system.paths.os", folder)
    for looks in range(1 << 8):
        folder.looks = looks
        try:
            user = chosen(UserPolicy(), file_owners(str(homes[ALICE] / "sites" / "shop"), "passenger_wsgi.py"))[0]
        except (OSError, UserRefused):
            continue
        assert user == "alice"


class Exchanged:
    """In place of the module `os`: two names are exchanged before looks at what lies below one of them.

    :ivar looks: a bit for each of the next looks, the lowest first: whether the second is then in the place of the
        first.
    """

    def __init__(self, first: Path, second: Path) -> None:
        self._first, self._second = first, second
        self._is_exchanged = False
        self.looks = 0

    def __getattr__(self, name: str) -> Any:
        original = getattr(os, name)
        return self._look(original) if name in ("lstat", "stat", "readlink") else original

    def _look(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def look(path: str) -> Any:
            if path.startswith(str(self._first)):
                self._exchange(bool(self.looks & 1))
                self.looks >>= 1
            return function(path)

        return look

    def _exchange(self, wanted: bool) -> None:
        if wanted != self._is_exchanged:
            away = self._first.with_name("away")
            self._first.rename(away)
            self._second.rename(self._first)
            away.rename(self._second)
            self._is_exchanged = wanted


def test_a_missing_entry_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="passenger_wsgi.py"):
        file_owners(str(tmp_path), "passenger_wsgi.py")


def test_links_in_a_circle_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="symbolic links"):
        file_owners(str(tmp_path / "a"), "passenger_wsgi.py")
