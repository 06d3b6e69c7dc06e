"""Who may choose an app in .htaccess files: the rules over made-up owners, then real files."""

from __future__ import annotations

import dataclasses
import os
import pwd
import stat
from pathlib import Path
from typing import Optional, Sequence

import pytest

from spawner.options import AppOptions
from spawner.pool.registration import Registration
from spawner.processes.tenants import (
    HtaccessFile,
    TenantRules,
    htaccess_files,
    require_tenants_app,
    require_tenants_identity,
    tenant_of,
)
from spawner.processes.users import UserPolicy, UserRefused, file_owners
from spawner.system.linux import Identity
from spawner.system.paths import PathComponent

ALICE, BOB, WWW, NOBODY = 1001, 1002, 33, 65534
PATH = "/home/alice/www/.htaccess"


class Users:
    """A machine with two tenants."""

    uids = {"root": 0, "www-data": WWW, "alice": ALICE, "bob": BOB, "nobody": NOBODY}

    def user_by_name(self, name: str) -> Optional[pwd.struct_passwd]:
        return self._entry(name) if name in self.uids else None

    def user_by_uid(self, uid: int) -> Optional[pwd.struct_passwd]:
        return next((self._entry(name) for name, number in self.uids.items() if number == uid), None)

    def group_id(self, name: str) -> Optional[int]:
        return None

    def supplementary_groups(self, user: str, gid: int) -> Sequence[int]:
        return [gid, 4000]

    def _entry(self, name: str) -> pwd.struct_passwd:
        return pwd.struct_passwd((name, "x", self.uids[name], self.uids[name], "", "/", "/bin/sh"))


def found(
    owner: int = ALICE,
    mode: int = stat.S_IFREG | 0o644,
    folder: int = ALICE,
    folder_mode: int = stat.S_IFDIR | 0o755,
    path: str = PATH,
) -> HtaccessFile:
    way = [PathComponent("/home", 0, 0, mode=stat.S_IFDIR | 0o755)]
    way.append(PathComponent(os.path.dirname(path), folder, 0, stat.S_ISLNK(folder_mode), folder_mode))
    return HtaccessFile(PathComponent(path, owner, owner, stat.S_ISLNK(mode), mode), way)


def tenant(*files: HtaccessFile, spawner_uid: int = 0, **policy: object) -> int:
    rules = TenantRules(spawner_uid, WWW, dataclasses.replace(UserPolicy(), **policy))
    return tenant_of(files or [found()], rules, Users())


def refused(reason: str, *files: HtaccessFile, spawner_uid: int = 0, **policy: object) -> None:
    with pytest.raises(UserRefused, match=reason):
        tenant(*files, spawner_uid=spawner_uid, **policy)


def test_the_owner_of_the_file_is_the_tenant() -> None:
    assert tenant() == ALICE


def test_a_folder_of_root_on_the_way_is_no_objection() -> None:
    assert tenant(found(folder=0)) == ALICE


def test_a_folder_with_the_sticky_bit_is_no_objection() -> None:
    assert tenant(found(folder=0, folder_mode=stat.S_IFDIR | 0o1777)) == ALICE


def test_several_files_of_one_user_are_no_objection() -> None:
    assert tenant(found(), found(path="/home/alice/www/shop/.htaccess")) == ALICE


def test_a_second_file_of_another_user_is_refused() -> None:
    refused("/home/alice/www/b/.htaccess belongs", found(), found(BOB, path="/home/alice/www/b/.htaccess"))


@pytest.mark.parametrize("kind", [stat.S_IFDIR, stat.S_IFLNK], ids=["folder", "link"])
def test_a_folder_or_link_of_another_user_on_the_way_is_refused(kind: int) -> None:
    refused("/home/alice/www belongs to user bob", found(folder=BOB, folder_mode=kind | 0o755))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_what_is_no_regular_file_is_refused(kind: int) -> None:
    refused("is no regular file", found(mode=kind | 0o644))


def test_a_file_that_everybody_may_write_is_refused() -> None:
    refused("everybody may write to it", found(mode=stat.S_IFREG | 0o646))


def test_a_folder_that_everybody_may_write_to_is_refused() -> None:
    refused("everybody may write to the folder /home/alice/www", found(folder_mode=stat.S_IFDIR | 0o757))


@pytest.mark.parametrize("owner", [0, WWW, NOBODY], ids=["root", "Apache's user", "the default user"])
def test_a_user_who_is_more_than_a_tenant_is_refused(owner: int) -> None:
    refused("only a user who is not root", found(owner, folder=owner))


def test_a_uid_without_a_user_is_refused() -> None:
    refused("whom the system does not know", found(4711, folder=4711))


def test_passenger_user_of_the_tenant_is_no_objection() -> None:
    assert tenant(user="alice") == ALICE


@pytest.mark.parametrize("name", ["bob", "missing"])
def test_passenger_user_of_somebody_else_is_refused(name: str) -> None:
    refused("PassengerUser %s is in force" % name, user=name)


def test_without_user_switching_there_are_no_tenants() -> None:
    refused("PassengerUserSwitching is off", switching=False)


def test_where_nobody_is_root_the_only_user_is_the_tenant() -> None:
    assert tenant(spawner_uid=ALICE, switching=False) == ALICE
    refused("Apache and all apps run as user bob", spawner_uid=BOB)


# The app


def registration(app_root: Path, uid: Optional[int], group: str = "") -> Registration:
    options = dataclasses.replace(AppOptions(), group=group or None)
    return Registration(
        "app", str(app_root), "wsgi", "passenger_wsgi.py", "", "", "", "", options, 1, htaccess=(PATH,), tenant=uid
    )


@pytest.fixture
def app(tmp_path: Path) -> Path:
    root = tmp_path / "app"
    root.mkdir()
    (root / "passenger_wsgi.py").touch()
    return root


def check_app(root: Path, uid: Optional[int]) -> None:
    require_tenants_app(registration(root, uid), file_owners(str(root), "passenger_wsgi.py"), Users())


def test_an_app_of_the_tenant_is_admitted(app: Path) -> None:
    check_app(app, os.geteuid())


@pytest.mark.parametrize("uid", [os.geteuid() + 1, None], ids=["another user", "nobody"])
def test_an_app_of_another_user_is_refused(app: Path, uid: Optional[int]) -> None:
    with pytest.raises(UserRefused, match="the app root %s belongs to" % app):
        check_app(app, uid)


def test_an_app_root_that_does_not_exist_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        check_app(tmp_path / "missing", os.geteuid())


def identity(uid: int, gid: int) -> Identity:
    return Identity("alice", uid, gid, (gid,), "/", "/bin/sh")


def test_a_tenants_app_runs_as_the_tenant() -> None:
    require_tenants_identity(registration(Path("/srv"), ALICE), identity(ALICE, ALICE), Users())


@pytest.mark.parametrize("tenant_uid", [BOB, None])
def test_a_tenants_app_never_runs_as_somebody_else(tenant_uid: Optional[int]) -> None:
    with pytest.raises(UserRefused, match="would run as user alice"):
        require_tenants_identity(registration(Path("/srv"), tenant_uid), identity(ALICE, ALICE), Users())


def test_the_entry_files_group_counts_only_if_it_is_the_tenants() -> None:
    asked = registration(Path("/srv"), ALICE, "!STARTUP_FILE!")
    require_tenants_identity(asked, identity(ALICE, 4000), Users())
    with pytest.raises(UserRefused, match="none of user alice: run chgrp"):
        require_tenants_identity(asked, identity(ALICE, 4001), Users())


def test_the_way_of_a_file_names_every_folder_and_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / ".htaccess").touch()
    (tmp_path / "link").symlink_to("real")
    [seen] = htaccess_files([str(tmp_path / "link" / ".htaccess")])
    ours = [(c.path, c.is_link) for c in seen.way if c.path.startswith(str(tmp_path))]
    assert ours == [(str(tmp_path), False), (str(tmp_path / "link"), True), (str(tmp_path / "real"), False)]
    assert seen.file.path == str(tmp_path / "real" / ".htaccess")


def test_a_file_that_is_a_link_is_seen_as_one(tmp_path: Path) -> None:
    (tmp_path / "text").touch()
    (tmp_path / ".htaccess").symlink_to("text")
    assert htaccess_files([str(tmp_path / ".htaccess")])[0].file.is_link


def test_many_files_on_a_long_way_are_refused_before_all_are_looked_at(tmp_path: Path) -> None:
    folders = [tmp_path.joinpath(*"a" * depth) for depth in range(40)]
    folders[-1].mkdir(parents=True)
    paths = [str(folder / ".htaccess") for folder in folders]  # none of them exists
    with pytest.raises(UserRefused, match="and 39 more choose an app"):
        htaccess_files(paths)


def test_links_that_lead_a_long_way_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("./" * 5 + "b/../" * 300)
    (tmp_path / "b").mkdir()
    (tmp_path / ".htaccess").touch()
    with pytest.raises(UserRefused, match="too many"):
        htaccess_files([str(tmp_path / "a" / ".htaccess")] * 3)
