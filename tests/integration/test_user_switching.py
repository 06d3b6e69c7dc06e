"""As whom an app runs, and what it cannot reach."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from pathlib import Path
from typing import Any

import pytest

from support.applications import AppFolder, AppFolders, give
from support.paths import path
from support.serving import CheckedHttpd

pytestmark = pytest.mark.needs_root

#: Two users that every Debian has, as tenants.
ADA, BOB = "daemon", "backup"


def identity(httpd: CheckedHttpd, app: AppFolder, body: str = "") -> Any:
    """Serve the app and return what its process says of itself."""
    httpd.site(document_root=app.public, body=body)
    httpd.start()
    return httpd.get("/process").json()


def refused(httpd: CheckedHttpd, app: AppFolder, body: str = "") -> None:
    httpd.logs.allow("JS")
    httpd.site(document_root=app.public, body=body)
    httpd.start()
    assert httpd.get("/process").status == 500


@pytest.fixture(scope="module")
def tenants(shared_httpd: CheckedHttpd, shared_apps: AppFolders) -> CheckedHttpd:
    """A site for each tenant, and two whose app runs in another group."""
    for owner in (ADA, BOB):
        shared_httpd.site(f"{owner}.example", shared_apps.create("probe", owner, owner=owner).public)
    games = shared_apps.create("probe", "games", owner=ADA)
    shared_httpd.site("games.example", games.public, "PassengerGroup games")
    of_file = shared_apps.create("probe", "of-file", owner=ADA)
    os.chown(of_file.entry, pwd.getpwnam(ADA).pw_uid, grp.getgrnam("games").gr_gid)
    shared_httpd.site("of-file.example", of_file.public, "PassengerGroup !STARTUP_FILE!")
    shared_httpd.start()
    for owner in (ADA, BOB):
        assert shared_httpd.get("/process", f"{owner}.example").json()["user"] == owner
    return shared_httpd


def process_of(tenants: CheckedHttpd, name: str) -> Any:
    """What the process of a tenant's app says of itself."""
    return tenants.get("/process", f"{name}.example").json()


def test_an_app_runs_as_the_owner_of_its_entry_file(tenants: CheckedHttpd) -> None:
    told = process_of(tenants, ADA)
    assert (told["user"], told["euid"]) == (ADA, pwd.getpwnam(ADA).pw_uid)


def test_an_app_runs_with_the_primary_group_of_its_user(tenants: CheckedHttpd) -> None:
    assert process_of(tenants, BOB)["gid"] == pwd.getpwnam(BOB).pw_gid


def test_an_app_has_the_supplementary_groups_of_its_user_and_no_others(tenants: CheckedHttpd) -> None:
    told = process_of(tenants, ADA)
    entry = pwd.getpwnam(ADA)
    assert set(told["groups"]) == set(os.getgrouplist(ADA, entry.pw_gid))


def test_home_user_and_shell_are_the_users(tenants: CheckedHttpd) -> None:
    told = process_of(tenants, ADA)["environ"]
    entry = pwd.getpwnam(ADA)
    assert (told["USER"], told["LOGNAME"], told["HOME"], told["SHELL"]) == (ADA, ADA, entry.pw_dir, entry.pw_shell)


def test_an_app_has_no_capabilities(tenants: CheckedHttpd) -> None:
    assert int(process_of(tenants, ADA)["capabilities"], 16) == 0


def test_an_app_of_root_runs_as_the_default_user(httpd: CheckedHttpd, apps: AppFolders) -> None:
    assert identity(httpd, apps.create("probe", owner="root"))["user"] == "nobody"


def test_an_app_of_root_runs_as_the_default_user_that_is_given(httpd: CheckedHttpd, apps: AppFolders) -> None:
    httpd.add(f"PassengerDefaultUser {BOB}")
    assert identity(httpd, apps.create("probe", owner="root"))["user"] == BOB


@pytest.mark.parametrize(
    "directive", ["PassengerUser", "PassengerGroup", "PassengerDefaultUser", "PassengerDefaultGroup"]
)
@pytest.mark.parametrize("name", ["root", "0", "#0"])
def test_root_can_be_named_nowhere(httpd: CheckedHttpd, directive: str, name: str) -> None:
    httpd.add(f"{directive} {name}")
    answer = httpd.test_configuration()
    assert answer.returncode != 0
    assert directive in answer.stdout


def test_a_group_that_is_given_is_the_apps(tenants: CheckedHttpd) -> None:
    told = process_of(tenants, "games")
    assert (told["user"], told["group"]) == (ADA, "games")


def test_the_group_of_the_entry_file_can_be_the_apps(tenants: CheckedHttpd) -> None:
    assert process_of(tenants, "of-file")["group"] == "games"


def test_without_user_switching_an_app_runs_as_the_default_user(httpd: CheckedHttpd, apps: AppFolders) -> None:
    httpd.add("PassengerUserSwitching off")
    assert identity(httpd, apps.create("probe", owner=ADA))["user"] == "nobody"


def test_a_file_that_the_app_writes_belongs_to_its_user(tenants: CheckedHttpd, shared_apps: AppFolders) -> None:
    assert tenants.get("/write-file", f"{ADA}.example").status == 200
    facts = (shared_apps.existing(ADA).events / "written").stat()
    entry = pwd.getpwnam(ADA)
    assert (facts.st_uid, facts.st_gid) == (entry.pw_uid, entry.pw_gid)


def test_a_linked_entry_file_of_another_owner_is_refused(httpd: CheckedHttpd, apps: AppFolders) -> None:
    """Whoever may place a link must not run code as the owner of what it leads to."""
    victim = apps.create("probe", "victim", owner=BOB)
    app = apps.create("probe", "attacker", owner=ADA)
    app.entry.unlink()
    app.entry.symlink_to(victim.entry)
    give(app.entry, ADA)
    refused(httpd, app)


def test_a_linked_entry_file_of_the_same_owner_runs_as_that_owner(httpd: CheckedHttpd, apps: AppFolders) -> None:
    target = apps.create("probe", "target", owner=ADA)
    app = apps.create("probe", "linking", owner=ADA)
    app.entry.unlink()
    app.entry.symlink_to(target.entry)
    give(app.entry, ADA)
    assert identity(httpd, app)["user"] == ADA


def test_an_entry_file_moved_into_anothers_folder_is_refused(httpd: CheckedHttpd, apps: AppFolders) -> None:
    app = apps.create("probe", owner=ADA)
    give(app.entry, BOB)
    refused(httpd, app)


def test_an_entry_file_of_root_in_a_tenants_folder_does_not_run_as_root(httpd: CheckedHttpd, apps: AppFolders) -> None:
    httpd.logs.allow("JS")
    app = apps.create("probe", owner=ADA)
    give(app.entry, "root")
    httpd.site(document_root=app.public)
    httpd.start()
    answer = httpd.get("/process")
    assert answer.status == 500 or answer.json()["user"] in ("nobody", ADA)


def test_a_tenants_htaccess_cannot_choose_a_user_or_an_app(httpd: CheckedHttpd, apps: AppFolders) -> None:
    httpd.logs.expect("not allowed here")
    app = apps.create("probe", owner=ADA)
    app.write("public/.htaccess", f"PassengerUser {BOB}\n")
    httpd.site(document_root=app.public, body="<Directory />\nAllowOverride All\n</Directory>")
    httpd.start()
    assert httpd.get("/process").status == 500


def test_each_app_runs_as_its_own_owner(tenants: CheckedHttpd) -> None:
    owners = {process.username() for process in tenants.app_processes()}
    assert owners == {ADA, BOB}


def test_an_app_cannot_connect_to_the_socket_of_any_app(tenants: CheckedHttpd) -> None:
    for socket in (tenants.instance_folder() / "apps").glob("*.sock"):
        assert tenants.get(path("/reach", path=str(socket)), f"{ADA}.example").text == "PermissionError"


@pytest.mark.parametrize("name", ["spawner.sock", "apps"])
def test_an_app_cannot_reach_what_is_httpds(tenants: CheckedHttpd, name: str) -> None:
    target = str(tenants.instance_folder() / name)
    assert tenants.get(path("/reach", path=target), f"{ADA}.example").text == "PermissionError"


def test_an_app_cannot_read_the_logs_or_memory_of_the_server(tenants: CheckedHttpd) -> None:
    for target in (
        f"/proc/{tenants.pid}/mem",
        f"/proc/{tenants.spawner_pid()}/environ",
        f"/proc/{tenants.spawner_pid()}/fd",
    ):
        assert tenants.get(path("/reach", path=target), f"{ADA}.example").text == "PermissionError"


def test_an_app_cannot_look_into_anothers_processes(tenants: CheckedHttpd) -> None:
    other = tenants.get("/pid", f"{BOB}.example").text
    for target in (f"/proc/{other}/environ", f"/proc/{other}/fd"):
        assert tenants.get(path("/reach", path=target), f"{ADA}.example").text == "PermissionError"


@pytest.mark.parametrize(
    ("name", "mode", "owner"),
    [
        ("", 0o755, "root"),
        ("instance.json", 0o644, "root"),
        ("spawner.sock", 0o600, "www-data"),
        ("admin.sock", 0o666, "root"),
        ("apps", 0o711, "root"),
        ("loaders", 0o755, "root"),
        ("loaders/python", 0o755, "root"),
        ("shared", 0o755, "root"),
    ],
)
def test_the_instance_folder_has_the_owners_and_modes_of_the_protocol(
    tenants: CheckedHttpd, name: str, mode: int, owner: str
) -> None:
    facts = (tenants.instance_folder() / name).stat()
    assert (stat.S_IMODE(facts.st_mode), pwd.getpwuid(facts.st_uid).pw_name) == (mode, owner)


def test_the_sockets_of_apps_are_httpds_alone(tenants: CheckedHttpd) -> None:
    found = list((tenants.instance_folder() / "apps").iterdir())
    assert len(found) >= 2
    for socket in found:
        facts = socket.stat()
        assert (stat.S_IMODE(facts.st_mode), pwd.getpwuid(facts.st_uid).pw_name) == (0o600, "www-data")


def test_an_app_whose_folder_its_user_cannot_enter_is_a_500_that_names_the_folder(
    httpd: CheckedHttpd, apps: AppFolders
) -> None:
    httpd.logs.allow("JS")
    closed: Path = httpd.folder / "apps" / "closed"
    closed.mkdir(mode=0o750)
    os.chown(closed, 0, grp.getgrnam("www-data").gr_gid)
    app = AppFolders(closed).create("probe", owner=ADA)
    httpd.site(document_root=app.public)
    httpd.start()
    assert httpd.get("/process").status == 500
    httpd.logs.wait_for(str(closed))
