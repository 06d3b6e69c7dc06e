"""Files of apps are opened with their user's rights."""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path

import pytest

from spawner.logs.app_logs import AppLogs
from spawner.logs.log import Log
from spawner.logs.log_writer import LogWriter
from spawner.processes.users import own_identity
from spawner.system.linux import Identity
from spawner.system.open_as_user import first_unreachable, open_log, read_file


def someone() -> Identity:
    """A user that is not root; whoever runs the tests, where that is not root."""
    if os.geteuid() != 0:
        return own_identity()
    entry = pwd.getpwnam("daemon")
    return Identity(entry.pw_name, entry.pw_uid, entry.pw_gid, (entry.pw_gid,), "/", "/bin/sh")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder of that user's."""
    folder = tmp_path / "home"
    folder.mkdir()
    os.chown(folder, someone().uid, someone().gid)
    return folder


def test_a_log_is_made_by_the_user_and_appended_to(home: Path) -> None:
    for line in (b"1\n", b"2\n"):
        descriptor = open_log(str(home / "log"), someone())
        os.write(descriptor, line)
        os.close(descriptor)
    status = (home / "log").stat()
    assert (home / "log").read_bytes() == b"1\n2\n"
    assert status.st_uid == someone().uid
    assert stat.S_IMODE(status.st_mode) == 0o640


def test_a_log_that_is_a_link_is_refused(home: Path) -> None:
    (home / "log").symlink_to("other")
    with pytest.raises(OSError, match="log"):
        open_log(str(home / "log"), someone())
    assert not (home / "other").exists()


def test_a_log_that_is_a_folder_is_refused(home: Path) -> None:
    with pytest.raises(OSError, match="home"):
        open_log(str(home), someone())


def test_a_pipe_in_the_log_s_place_does_not_hang(home: Path) -> None:
    os.mkfifo(home / "log", 0o666)
    with pytest.raises(OSError, match="log"):
        open_log(str(home / "log"), someone())


def test_a_page_is_read_up_to_a_limit(home: Path) -> None:
    (home / "page").write_bytes(b"x" * 10)
    os.chmod(home / "page", 0o644)
    assert read_file(str(home / "page"), someone(), 10) == b"x" * 10
    with pytest.raises(OSError, match="longer"):
        read_file(str(home / "page"), someone(), 9)


@pytest.mark.parametrize("special", ["fifo", "link", "folder"])
def test_a_page_that_is_no_file_is_refused(home: Path, special: str) -> None:
    path = home / "page"
    if special == "fifo":
        os.mkfifo(path)
    elif special == "link":
        path.symlink_to("/etc/hostname")
    else:
        path.mkdir()
    with pytest.raises(OSError, match="page"):
        read_file(str(path), someone(), 10)


def test_a_way_that_can_be_gone_is_no_objection(home: Path) -> None:
    assert first_unreachable(str(home), someone()) is None


def test_the_first_folder_that_is_missing_is_named(home: Path) -> None:
    assert first_unreachable(str(home / "a" / "b"), someone()) == str(home / "a")


def app_logs(home: Path) -> AppLogs:
    log = Log(LogWriter.open(str(home.parent / "own")))
    log.set_error_log("site", os.open(home.parent / "site", os.O_WRONLY | os.O_CREAT | os.O_APPEND))
    return AppLogs(log)


def say(logs: AppLogs, home: Path, line: bytes, own: "str | None") -> None:
    writer = logs.writer(own, str(home), "site", someone())
    assert writer is not None
    writer.write(line)


def test_output_goes_to_the_app_s_own_log_or_the_site_s_or_the_main_one(home: Path) -> None:
    logs = app_logs(home)
    say(logs, home, b"own\n", "app.log")
    say(logs, home, b"site\n", None)
    logs.configure(3, main_file=True)
    say(logs, home, b"main\n", None)
    found = [path.read_bytes() for path in (home / "app.log", home.parent / "site", home.parent / "own")]
    assert found == [b"own\n", b"site\n", b"main\n"]


def test_a_log_that_was_moved_away_is_made_anew(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spawner.logs.app_logs._CHECK_INTERVAL", 0.0)
    logs = app_logs(home)
    say(logs, home, b"1\n", "app.log")
    (home / "app.log").rename(home / "app.log.1")
    say(logs, home, b"2\n", "app.log")
    assert ((home / "app.log.1").read_bytes(), (home / "app.log").read_bytes()) == (b"1\n", b"2\n")


def test_an_own_log_that_cannot_be_opened_is_told_once_and_the_site_s_taken(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spawner.logs.app_logs._CHECK_INTERVAL", 0.0)
    logs = app_logs(home)
    for line in (b"1\n", b"2\n"):
        say(logs, home, line, "no/such/app.log")
    told, *output = (home.parent / "site").read_bytes().splitlines()
    assert output == [b"1", b"2"]
    assert b"PassengerAppLogFile" in told
    assert (home.parent / "own").read_text().count("PassengerAppLogFile") == 1


if os.geteuid() == 0:

    def test_root_s_rights_do_not_help_the_user(tmp_path: Path, home: Path) -> None:
        secret = tmp_path / "secret"
        secret.write_bytes(b"x")
        os.chmod(secret, 0o600)
        with pytest.raises(PermissionError):
            read_file(str(secret), someone(), 10)
        with pytest.raises(PermissionError):
            open_log(str(tmp_path / "log"), someone())
        assert secret.read_bytes() == b"x", "afterwards they are back"

    def test_the_user_s_groups_count_and_root_s_do_not(tmp_path: Path, home: Path) -> None:
        page = tmp_path / "page"
        page.write_bytes(b"x")
        os.chmod(page, 0o640)
        os.chown(page, 0, 4242)
        plain = someone()
        member = Identity(plain.user, plain.uid, plain.gid, (plain.gid, 4242), "/", "/bin/sh")
        assert read_file(str(page), member, 10) == b"x"
        with pytest.raises(PermissionError):
            read_file(str(page), plain, 10)
        os.chown(page, 0, 0)
        with pytest.raises(PermissionError):
            read_file(str(page), plain, 10)

    def test_a_folder_that_only_root_can_enter_is_named(tmp_path: Path, home: Path) -> None:
        (tmp_path / "closed" / "app").mkdir(parents=True)
        os.chmod(tmp_path / "closed", 0o700)
        assert first_unreachable(str(tmp_path / "closed" / "app"), someone()) == str(tmp_path / "closed")
