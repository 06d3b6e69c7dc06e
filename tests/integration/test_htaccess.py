"""Apps that .htaccess files choose, and what a tenant who writes such a file cannot reach."""

from __future__ import annotations

import os
import pwd
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support.applications import AppFolder, AppFolders, give, give_all
from support.paths import path
from support.serving import CheckedHttpd
from support.waiting import eventually

pytestmark = pytest.mark.needs_root

#: Two users that every Debian has, as tenants.
ADA, BOB = "daemon", "backup"
SWITCH = "PassengerAllowHtaccess"


class Hosting:
    """A server for tenants: a virtual host for each, whose DocumentRoot lies in a folder of the tenant's own."""

    def __init__(self, httpd: CheckedHttpd) -> None:
        self.httpd = httpd
        self.homes = httpd.folder / "home"
        self.homes.mkdir()

    def home(self, owner: str) -> Path:
        return self.homes / owner

    def public(self, owner: str) -> Path:
        return self.home(owner) / "public_html"

    def tenant(self, owner: str, body: str = f"{SWITCH} on") -> Path:
        """Give a tenant a site; returns its DocumentRoot."""
        public = self.public(owner)
        public.mkdir(parents=True)
        (public / "file.txt").write_text("a file")
        give_all(self.home(owner), owner)
        allowed = f'<Directory "{self.homes}">\nAllowOverride All\nOptions FollowSymLinks\n</Directory>\n'
        self.httpd.site(f"{owner}.example", public, allowed + body)
        return public

    def app(self, owner: str, name: str = "app") -> AppFolder:
        return AppFolders(self.home(owner)).create("probe", name, owner=owner)

    def write(self, owner: str, *lines: str, folder: str = "") -> Path:
        """A tenant writes its .htaccess."""
        target = self.public(owner) / folder / ".htaccess"
        target.parent.mkdir(exist_ok=True)
        give(target.parent, owner)
        fresh = target.with_name(".new")
        fresh.write_text("\n".join([*lines, ""]))
        give(fresh, owner)
        fresh.rename(target)
        return target

    def process(self, owner: str, target: str = "/process") -> Any:
        return self.httpd.get(target, f"{owner}.example").json()

    def refused(self, owner: str, reason: str, target: str = "/process") -> None:
        """A request of the tenant's site is a 500, and the log says why."""
        self.httpd.logs.expect("JS2080|JS3004")
        assert self.httpd.get(target, f"{owner}.example").status == 500
        self.httpd.logs.wait_for(reason)


@pytest.fixture
def hosting(httpd: CheckedHttpd) -> Hosting:
    return Hosting(httpd)


@contextmanager
def nobody_listens(listener: Path) -> Iterator[None]:
    """Put a socket at which nobody listens in a socket's place; the name is never missing, so nobody mends it."""
    kept = listener.with_name("kept.sock")
    dead = listener.with_name("dead.sock")
    os.link(listener, kept)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as unused:
        unused.bind(str(dead))
    os.replace(dead, listener)
    try:
        yield
    finally:
        os.replace(kept, listener)


def uid(name: str) -> int:
    return pwd.getpwnam(name).pw_uid


@pytest.fixture
def ada(hosting: Hosting) -> AppFolder:
    """The app of a tenant who may choose it, and has done so; the server runs, with a site of another tenant, too."""
    for owner in (ADA, BOB):
        hosting.tenant(owner)
    app = hosting.app(ADA)
    hosting.write(ADA, f"PassengerAppRoot {app.root}")
    hosting.httpd.start()
    return app


# What is allowed


def test_an_htaccess_chooses_an_app_that_runs_as_its_owner(hosting: Hosting, ada: AppFolder) -> None:
    told = hosting.process(ADA)
    assert (told["user"], told["euid"]) == (ADA, uid(ADA))


def test_files_beside_the_htaccess_are_served(hosting: Hosting, ada: AppFolder) -> None:
    assert hosting.httpd.get("/file.txt", f"{ADA}.example").text == "a file"


def test_what_a_control_panel_writes_works(hosting: Hosting) -> None:
    """As panels do, in the folder of the mount, with an interpreter and a log that Apache's user cannot see."""
    hosting.tenant(ADA)
    app = hosting.app(ADA)
    private = hosting.home(ADA) / "private"
    private.mkdir(mode=0o700)
    (private / "python").symlink_to("/usr/bin/python3")
    give_all(private, ADA)
    hosting.write(
        ADA,
        f'PassengerAppRoot "{app.root}"',
        'PassengerBaseURI "/shop"',
        f'PassengerPython "{private}/python"',
        "PassengerAppType wsgi",
        "PassengerStartupFile passenger_wsgi.py",
        f'PassengerAppLogFile "{private}/app.log"',
        "SetEnv FROM_PANEL yes",
        folder="shop",
    )
    hosting.httpd.start()
    told = hosting.process(ADA, "/shop/process")
    assert (told["user"], told["environ"]["FROM_PANEL"]) == (ADA, "yes")
    assert hosting.httpd.get("/shop/log?out=hello", f"{ADA}.example").status == 200
    written = private / "app.log"
    eventually(lambda: written.exists() and "hello" in written.read_text(), "the line in the app's log")
    assert written.stat().st_uid == uid(ADA)


def test_a_change_of_the_htaccess_restarts_the_app_without_a_reload_of_httpd(hosting: Hosting, ada: AppFolder) -> None:
    before = hosting.httpd.get("/pid", f"{ADA}.example").text
    ada.write("other.py", ada.entry.read_bytes())
    hosting.write(ADA, f"PassengerAppRoot {ada.root}", "PassengerStartupFile other.py")
    hosting.httpd.logs.allow("JS3502")
    eventually(lambda: hosting.httpd.get("/pid", f"{ADA}.example").text != before, "a new process")


def test_the_switch_may_stand_in_a_directory(hosting: Hosting) -> None:
    public = hosting.tenant(ADA, "")
    app = hosting.app(ADA)
    hosting.write(ADA, f"PassengerAppRoot {app.root}")
    hosting.httpd.add(f'<Directory "{public}">\n{SWITCH} on\n</Directory>')
    hosting.httpd.start()
    assert hosting.process(ADA)["user"] == ADA


def test_the_switch_is_refused_in_a_location(hosting: Hosting) -> None:
    hosting.tenant(ADA, f"<Location />\n{SWITCH} on\n</Location>")
    answer = hosting.httpd.test_configuration()
    assert answer.returncode != 0
    assert SWITCH in answer.stdout


# What is refused while httpd reads the file


@pytest.mark.parametrize("target", ["/process", "/file.txt"])
def test_without_the_switch_every_request_fails_and_the_log_names_the_switch(hosting: Hosting, target: str) -> None:
    hosting.tenant(ADA, "")
    written = hosting.write(ADA, f"PassengerAppRoot {hosting.app(ADA).root}")
    hosting.httpd.start()
    hosting.httpd.logs.expect("JS2002")
    assert hosting.httpd.get(target, f"{ADA}.example").status == 500
    hosting.httpd.logs.wait_for(
        f"{written}:1: PassengerAppRoot is not allowed .* because {SWITCH} is off", f"{ADA}.example.log"
    )


@pytest.mark.parametrize(
    "line",
    [
        f"{SWITCH} on",
        f"PassengerUser {BOB}",
        "PassengerGroup root",
        "PassengerAppGroupName shared",
        "PassengerAppEnv staging",
        "PassengerMaxInstances 100",
        "PassengerMemoryLimit 0",
        "PassengerRestartDir /etc",
        "PassengerCustomErrorPage /etc/shadow",
        "PassengerFriendlyErrorPages on",
    ],
)
def test_what_a_tenant_may_not_say_is_refused_with_the_switch_too(hosting: Hosting, line: str) -> None:
    hosting.tenant(ADA)
    written = hosting.write(ADA, line)
    hosting.httpd.start()
    hosting.httpd.logs.expect(rf"{written}: {line.split()[0]} not allowed here")
    assert hosting.httpd.get("/file.txt", f"{ADA}.example").status == 500


@pytest.mark.parametrize(
    "line",
    [
        "PassengerAppRoot app",
        "PassengerAppRoot /srv/../etc",
        "PassengerAppRoot //srv",
        "PassengerAppLogFile logs/app.log",
        "PassengerPython ./python",
        "PassengerStartupFile /etc/passwd",
    ],
)
def test_a_path_that_is_not_plain_is_refused(hosting: Hosting, line: str) -> None:
    hosting.tenant(ADA)
    written = hosting.write(ADA, line)
    hosting.httpd.start()
    hosting.httpd.logs.expect(rf"{written}: {line.split()[0]}: must be")
    assert hosting.httpd.get("/file.txt", f"{ADA}.example").status == 500


# What is refused when the owners are looked at


def test_the_app_of_another_tenant_is_refused(hosting: Hosting, ada: AppFolder) -> None:
    """Also while it runs: nothing of the request reaches its processes."""
    assert hosting.process(ADA)["user"] == ADA
    hosting.write(BOB, f"PassengerAppRoot {ada.root}", "SetEnv LD_PRELOAD /tmp/evil.so")
    hosting.refused(BOB, f"the app root {ada.root} belongs to user {ADA}")


def test_the_exact_text_of_another_tenants_htaccess_is_refused(hosting: Hosting, ada: AppFolder) -> None:
    """In the same virtual host, where the child of httpd knows this text as admitted."""
    assert hosting.process(ADA)["user"] == ADA
    folder = hosting.public(ADA) / "bob"
    folder.mkdir()
    copy = folder / ".htaccess"
    copy.write_text(f"PassengerAppRoot {ada.root}\n")
    give_all(folder, BOB)
    hosting.refused(ADA, "give both the same owner", "/bob/process")


def test_a_link_to_another_tenants_htaccess_is_refused(hosting: Hosting, ada: AppFolder) -> None:
    public = hosting.public(BOB)
    (public / ".htaccess").symlink_to(hosting.public(ADA) / ".htaccess")
    give(public / ".htaccess", BOB)
    hosting.refused(BOB, "is no regular file")


def test_a_link_to_another_tenants_folder_does_not_bring_its_app(hosting: Hosting, ada: AppFolder) -> None:
    public = hosting.public(BOB)
    (public / "in").symlink_to(hosting.public(ADA))
    give(public / "in", BOB)
    hosting.refused(BOB, f"belongs to user {BOB} ", "/in/process")


def test_a_hard_link_to_another_tenants_htaccess_is_refused(hosting: Hosting, ada: AppFolder) -> None:
    """Its text would be served from a site whose log is another tenant's."""
    public = hosting.public(BOB)
    os.link(hosting.public(ADA) / ".htaccess", public / ".htaccess")
    hosting.refused(BOB, f"belongs to user {BOB} ")


def test_a_link_in_the_place_of_an_app_root_is_refused(hosting: Hosting, ada: AppFolder) -> None:
    link = hosting.home(BOB) / "app"
    link.symlink_to(ada.root)
    give(link, BOB)
    hosting.write(BOB, f"PassengerAppRoot {link}")
    hosting.refused(BOB, f"{ada.root} belongs to user {ADA}")


def test_an_entry_file_of_another_tenant_is_refused(hosting: Hosting, ada: AppFolder) -> None:
    own = hosting.app(BOB)
    own.entry.unlink()
    own.entry.symlink_to(ada.entry)
    give(own.entry, BOB)
    hosting.write(BOB, f"PassengerAppRoot {own.root}")
    hosting.refused(BOB, f"the entry file .* belongs to user {ADA}")


@pytest.mark.parametrize("owner", ["root", "www-data", "nobody"])
def test_a_user_who_can_do_more_than_a_tenant_chooses_no_app(hosting: Hosting, owner: str) -> None:
    hosting.tenant(owner)
    hosting.write(owner, f"PassengerAppRoot {hosting.app(owner).root}")
    hosting.httpd.start()
    hosting.refused(owner, "only a user who is not root")


def test_an_htaccess_that_everybody_may_write_is_refused(hosting: Hosting, ada: AppFolder) -> None:
    (hosting.public(ADA) / ".htaccess").chmod(0o666)
    hosting.refused(ADA, "everybody may write to it: run chmod o-w")


def test_a_folder_that_everybody_may_write_to_is_refused(hosting: Hosting, ada: AppFolder) -> None:
    hosting.public(ADA).chmod(0o777)
    hosting.refused(ADA, "everybody may write to the folder")


def test_the_administrators_user_does_not_run_what_a_tenant_chooses(hosting: Hosting) -> None:
    hosting.tenant(ADA, f"{SWITCH} on\nPassengerUser {BOB}")
    hosting.write(ADA, f"PassengerAppRoot {hosting.app(ADA).root}")
    hosting.httpd.start()
    hosting.refused(ADA, f"PassengerUser {BOB} is in force here")


def test_the_administrators_user_may_be_the_tenant(hosting: Hosting) -> None:
    hosting.tenant(ADA, f"{SWITCH} on\nPassengerUser {ADA}")
    hosting.write(ADA, f"PassengerAppRoot {hosting.app(ADA).root}")
    hosting.httpd.start()
    assert hosting.process(ADA)["user"] == ADA


def test_without_user_switching_nothing_is_chosen(hosting: Hosting) -> None:
    hosting.httpd.add("PassengerUserSwitching off")
    hosting.tenant(ADA)
    hosting.write(ADA, f"PassengerAppRoot {hosting.app(ADA).root}")
    hosting.httpd.start()
    hosting.refused(ADA, "PassengerUserSwitching is off")


def test_a_tenants_interpreter_does_not_run_the_administrators_app(hosting: Hosting) -> None:
    """The app stands in the administrator's configuration, its site's folder is the tenant's."""
    shop = hosting.app(BOB)
    hosting.tenant(ADA, f"{SWITCH} on\nPassengerAppRoot {shop.root}\nPassengerUser {BOB}")
    hosting.write(ADA, "PassengerPython /usr/bin/python3")
    hosting.httpd.start()
    hosting.refused(ADA, f"PassengerUser {BOB} is in force here")


def test_an_app_of_the_administrator_and_one_of_an_htaccess_share_nothing(hosting: Hosting) -> None:
    hosting.tenant(ADA)
    app = hosting.app(ADA)
    hosting.httpd.site("admins.example", app.public, f"PassengerAppRoot {app.root}\nPassengerUser {BOB}")
    hosting.write(ADA, f"PassengerAppRoot {app.root}", "SetEnv FROM_TENANT yes")
    hosting.httpd.start()
    assert hosting.process(ADA)["user"] == ADA
    told = hosting.httpd.get("/process", "admins.example").json()
    assert (told["user"], told["environ"].get("FROM_TENANT")) == (BOB, None)


# Files that the options name


def test_a_log_is_not_written_through_a_link_to_another_tenants_file(hosting: Hosting, ada: AppFolder) -> None:
    app = hosting.app(BOB)
    victim = hosting.home(ADA) / "victim.log"
    victim.write_text("")
    victim.chmod(0o666)
    give(victim, ADA)
    link = hosting.home(BOB) / "app.log"
    link.symlink_to(victim)
    give(link, BOB)
    hosting.write(BOB, f"PassengerAppRoot {app.root}", f"PassengerAppLogFile {link}")
    hosting.httpd.logs.expect("JS3008")
    assert hosting.httpd.get("/log?out=hello", f"{BOB}.example").status == 200
    hosting.httpd.logs.wait_for("output: hello", f"{BOB}.example.log")
    assert victim.read_text() == ""


def test_an_interpreter_runs_as_the_tenant_only(hosting: Hosting, ada: AppFolder) -> None:
    seen = hosting.home(ADA) / "seen"
    program = hosting.home(ADA) / "python"
    program.write_text(f'#!/bin/sh\nid -u >> {seen}\nexec /usr/bin/python3 "$@"\n')
    program.chmod(0o755)
    give(program, ADA)
    hosting.write(ADA, f"PassengerAppRoot {ada.root}", f"PassengerPython {program}")
    assert hosting.process(ADA)["user"] == ADA
    assert set(seen.read_text().split()) == {str(uid(ADA))}


# Bounds


def test_one_user_cannot_have_more_apps_than_the_administrator_allows(hosting: Hosting) -> None:
    settings = hosting.httpd.folder / "spawner.conf"
    settings.write_text("[apps]\nhtaccess_apps = 2\n")
    hosting.httpd.add(f"PassengerSpawnerConfigFile {settings}")
    hosting.tenant(ADA)
    for name in ("one", "two", "three"):
        app = hosting.app(ADA, name)
        hosting.write(ADA, f"PassengerAppRoot {app.root}", f"PassengerBaseURI /{name}", folder=name)
    hosting.httpd.start()
    for name in ("one", "two"):
        assert hosting.process(ADA, f"/{name}/process")["user"] == ADA
    hosting.refused(ADA, "has 2 such apps already", "/three/process")
    assert hosting.process(ADA, "/one/process")["user"] == ADA


def test_a_child_of_httpd_registers_an_unchanged_htaccess_once(hosting: Hosting) -> None:
    """The answer of the spawner is kept, so a socket at which nobody listens is not noticed."""
    hosting.httpd.add("ServerLimit 1\nStartServers 1\nThreadsPerChild 8\nMaxRequestWorkers 8\nThreadLimit 8")
    hosting.tenant(ADA)
    hosting.write(ADA, f"PassengerAppRoot {hosting.app(ADA).root}")
    hosting.httpd.logs.allow("AH10159")
    hosting.httpd.start()
    assert hosting.process(ADA)["user"] == ADA
    with nobody_listens(hosting.httpd.instance_folder() / "spawner.sock"):
        assert hosting.httpd.get(path("/process"), f"{ADA}.example").json()["user"] == ADA


def test_a_tenant_who_changes_its_htaccess_with_each_request_is_slowed_down_alone(
    hosting: Hosting, ada: AppFolder
) -> None:
    own = hosting.app(BOB)
    hosting.httpd.logs.expect("JS2085")

    def ask(number: int) -> int:
        hosting.write(BOB, f"PassengerAppRoot {own.root}", f"SetEnv NUMBER {number}")
        return hosting.httpd.get("/process", f"{BOB}.example").status

    statuses = [ask(number) for number in range(200)]
    assert set(statuses) == {200, 503}
    assert statuses.index(503) >= 100
    assert hosting.process(ADA)["user"] == ADA


# Later


def test_variables_of_another_users_htaccess_are_refused(hosting: Hosting, ada: AppFolder) -> None:
    folder = hosting.public(ADA) / "bob"
    folder.mkdir()
    (folder / ".htaccess").write_text("SetEnv LD_PRELOAD /tmp/evil.so\n")
    give_all(folder, BOB)
    hosting.refused(ADA, "give both the same owner", "/bob/process")


def test_an_app_whose_owner_has_changed_is_not_started_again(hosting: Hosting, ada: AppFolder) -> None:
    assert hosting.process(ADA)["user"] == ADA
    hosting.httpd.logs.expect("JS3513")
    give_all(ada.root, BOB)
    ada.touch_restart()
    hosting.httpd.logs.wait_for(f"step choose the user: .*the app root {ada.root} belongs to user {BOB}")
    assert {process.username() for process in hosting.httpd.app_processes()} <= {ADA}


def test_an_app_lives_on_with_its_tenant_when_the_spawner_dies(hosting: Hosting, ada: AppFolder) -> None:
    worker = hosting.httpd.get("/pid", f"{ADA}.example").text
    old = hosting.httpd.spawner_pid()
    hosting.httpd.logs.allow("JS10")
    os.kill(old, signal.SIGKILL)
    eventually(lambda: hosting.httpd.spawner_pid() not in (0, old), "another spawner")
    assert hosting.httpd.get("/pid", f"{ADA}.example").text == worker
    ada.touch_restart()
    eventually(lambda: hosting.httpd.get("/pid", f"{ADA}.example").text != worker, "a new process")
    assert hosting.process(ADA)["user"] == ADA
