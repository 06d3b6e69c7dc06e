"""How an app's process is started: environment, login shell, user, and what is said when it cannot be."""

from __future__ import annotations

import os
import pwd
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from spawner.options import AppOptions, ServerOptions
from spawner.pool.registration import Registration
from spawner.processes.app_environment import (
    build_command,
    build_environment,
    kept_names,
    login_shell,
)
from spawner.processes.launcher import LaunchedProcess, Launcher, StartError, interpreter_of
from spawner.shared import start_steps
from spawner.system.linux import Identity
from spawner.system.process_limits import current_limits
from tests.open_folders import APP_PYTHON

ALICE = Identity("alice", 1001, 2001, (2001,), "/home/alice", "/bin/bash")
AS_ROOT = os.geteuid() == 0

# Stands in for the loader: tells what it is, and holds its line until it ends.
PROBE = """
import json, os, socket, sys
line = socket.socket(fileno=int(sys.argv[1]))
line.send(json.dumps({
    "uid": os.getuid(), "gid": os.getgid(), "groups": sorted(os.getgroups()), "cwd": os.getcwd(),
    "env": dict(os.environ), "sid": os.getsid(0) == os.getpid(), "umask": os.umask(0o22),
    "fds": sorted(int(fd) for fd in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + fd)),
    "stdin": os.readlink("/proc/self/fd/0"), "argv": sys.argv,
    "caps": [l for l in open("/proc/self/status") if l.startswith(("CapEff", "CapPrm"))],
}).encode())
print("out", flush=True)
print("err", file=sys.stderr, flush=True)
line.recv(1)
"""


def environment(**changed: Any) -> dict[str, str]:
    arguments: dict[str, Any] = {
        "identity": ALICE, "app_root": "/srv/app", "app_env": "staging", "base_uri": "",
        "server_software": "Apache", "configured": {}, **changed,
    }  # fmt: skip
    return build_environment(**arguments)


def test_the_environment_is_built_from_scratch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_HTTPD", "x")
    found = environment()
    assert found["HOME"] == "/home/alice"
    assert (found["USER"], found["LOGNAME"], found["SHELL"], found["PWD"]) == (
        "alice", "alice", "/bin/bash", "/srv/app",
    )  # fmt: skip
    assert {found[n] for n in ("WSGI_ENV", "RACK_ENV", "RAILS_ENV", "NODE_ENV", "PASSENGER_APP_ENV")} == {"staging"}
    assert (found["IN_PASSENGER"], found["PYTHONUNBUFFERED"], found["SERVER_SOFTWARE"]) == ("1", "1", "Apache")
    assert "SECRET_OF_HTTPD" not in found


def test_the_mount_point_is_told_below_the_root_only() -> None:
    assert environment(base_uri="/shop")["PASSENGER_BASE_URI"] == "/shop"
    assert "PASSENGER_BASE_URI" not in environment(base_uri="/")


def test_configured_variables_win_over_everything() -> None:
    found = environment(configured={"PATH": "/opt/bin", "WSGI_ENV": "mine"})
    assert (found["PATH"], found["WSGI_ENV"], found["RACK_ENV"]) == ("/opt/bin", "mine", "staging")


def interpreter(app_root: Path, app_type: str = "wsgi", **configured: str) -> str:
    entry = Registration("a", str(app_root), app_type, "x", "/", "", "a", "", AppOptions(**configured), 1)
    return interpreter_of(entry, ServerOptions(default_ruby="/opt/ruby"))


@pytest.mark.parametrize("folder", ["venv", ".venv"])
def test_the_app_s_own_virtual_environment_is_taken_where_no_interpreter_is_named(tmp_path: Path, folder: str) -> None:
    assert interpreter(tmp_path) == "python3"
    (tmp_path / folder / "bin").mkdir(parents=True)
    (tmp_path / folder / "bin" / "python").touch()
    assert interpreter(tmp_path) == str(tmp_path / folder / "bin" / "python")
    assert interpreter(tmp_path, python="/usr/bin/python3.9") == "/usr/bin/python3.9"
    assert interpreter(tmp_path, "rack") == "/opt/ruby"


def test_an_environment_whose_interpreter_has_gone_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    (tmp_path / "venv" / "bin" / "python").symlink_to("/usr/bin/python3.99")
    assert interpreter(tmp_path) == str(tmp_path / "venv" / "bin" / "python")


def test_each_type_of_app_has_its_own_interpreter(tmp_path: Path) -> None:
    assert interpreter(tmp_path, "rack", ruby="/usr/bin/ruby3", python="/x") == "/usr/bin/ruby3"
    assert interpreter(tmp_path, "node") == "node"
    assert interpreter(tmp_path, "node", nodejs="/usr/bin/node20") == "/usr/bin/node20"
    assert interpreter(tmp_path, "program", nodejs="/x", ruby="/x", python="/x") == ""


@pytest.mark.parametrize(
    ("shell", "used"),
    [("/bin/bash", True), ("/bin/sh", True), ("/usr/sbin/nologin", False), ("", False), ("sh", False)],
)
def test_a_login_shell_is_used_if_it_is_one(shell: str, used: bool) -> None:
    identity = Identity("a", 1, 1, (), "/", shell)
    assert login_shell(identity, True) == (shell if used else None)
    assert login_shell(identity, False) is None


@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash"])
def test_a_profile_sets_variables_but_not_those_that_are_promised_or_configured(tmp_path: Path, shell: str) -> None:
    profile = "export FROM_PROFILE=yes WSGI_ENV=wrong MINE=wrong 'UID=3' 2>/dev/null\ncd /\n"
    (tmp_path / ".profile").write_text(profile)
    app = tmp_path / "app root"
    app.mkdir()
    configured = {"MINE": 'it\'s "right"\n$HOME', "not a name": "x", "UID": "7"}
    identity = Identity("a", os.getuid(), os.getgid(), (), str(tmp_path), shell)
    variables = build_environment(identity, str(app), "staging", "", "Apache", configured)
    probe = "import json, os, sys; print(json.dumps([dict(os.environ), os.getcwd(), sys.argv[1:]]))"
    arguments = [sys.executable, "-c", probe, "$HOME", "a b"]
    command = build_command(arguments, variables, kept_names("staging", "", "Apache", configured), str(app), shell)
    import json

    ended = subprocess.run(command.argv, env=command.environment, check=True, capture_output=True)
    found, cwd, argv = json.loads(ended.stdout)
    assert ended.stderr == b""
    assert found["FROM_PROFILE"] == "yes"
    assert found["WSGI_ENV"] == "staging"
    assert found["MINE"] == configured["MINE"]
    assert cwd == str(app)
    assert argv == ["$HOME", "a b"]
    assert not [name for name in found if name.startswith("JUMPSEAT_")]


def test_configured_values_are_in_no_command_line() -> None:
    configured = {"PASSWORD": "geheim"}
    command = build_command(["python"], environment(configured=configured), ["PASSWORD"], "/srv/app", "/bin/sh")
    assert "geheim" not in " ".join(command.argv)
    assert "geheim" in command.environment.values()


def launcher(folder: Path) -> Launcher:
    program = folder / "loaders" / "python" / "start.py"
    program.parent.mkdir(parents=True)
    program.write_text(PROBE)
    os.chmod(program, 0o644)
    return Launcher(str(folder / "loaders"), "Apache", current_limits())


def app(folder: Path, owner: int = 0, mode: int = 0o755, **options: str) -> Registration:
    root = folder / "app"
    root.mkdir(exist_ok=True)
    (root / "passenger_wsgi.py").touch()
    if AS_ROOT:
        for path in (root, root / "passenger_wsgi.py"):
            os.chown(path, owner, owner)
    os.chmod(root, mode)
    wire = {"python": APP_PYTHON, "load_shell_envvars": "0", **options}
    return Registration("app", str(root), "wsgi", "passenger_wsgi.py", "", "", "", "", AppOptions.from_wire(wire), 1)


def probe(launched: LaunchedProcess) -> dict[str, Any]:
    """What the started process says of itself; it has ended afterwards."""
    import json

    launched.line.setblocking(True)
    launched.line.settimeout(20)
    found: dict[str, Any] = json.loads(launched.line.recv(65536))
    launched.line.close()
    os.waitpid(launched.pid, 0)
    with os.fdopen(launched.output, "rb") as output:
        found["output"] = output.read()
    return found


def test_a_process_gets_its_line_its_output_and_nothing_else(tmp_path: Path) -> None:
    extra = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(extra, True)
    found = probe(launcher(tmp_path).launch(app(tmp_path), ServerOptions()))
    os.close(extra)
    assert found["fds"] == [0, 1, 2, int(found["argv"][1])]
    assert found["stdin"] == "/dev/null"
    assert found["output"] == b"out\nerr\n"
    assert found["cwd"] == str(tmp_path / "app")
    assert found["sid"]
    assert found["umask"] == 0o22
    assert "PYTEST_CURRENT_TEST" not in found["env"]


def test_a_program_that_is_started_directly_and_does_not_exist_fails_the_step_start(tmp_path: Path) -> None:
    descriptors = len(os.listdir("/proc/self/fd"))
    with pytest.raises(StartError) as caught:
        launcher(tmp_path).launch(app(tmp_path, python="/no/a=b/python"), ServerOptions())
    assert caught.value.failure.step == start_steps.EXECUTE
    assert "/no/a=b/python" in caught.value.failure.summary
    assert len(os.listdir("/proc/self/fd")) == descriptors, "a descriptor was left open"


def test_an_interpreter_behind_a_link_to_nothing_is_named_with_the_target(tmp_path: Path) -> None:
    python = tmp_path / "app" / "venv" / "bin" / "python"
    registration = app(tmp_path, python=str(python))
    python.parent.mkdir(parents=True)
    python.symlink_to("/usr/bin/python3.99")
    with pytest.raises(StartError) as caught:
        launcher(tmp_path).launch(registration, ServerOptions())
    assert caught.value.failure.step == start_steps.EXECUTE
    assert "%s, a link to /usr/bin/python3.99, cannot" % python in caught.value.failure.summary


def test_a_missing_entry_file_fails_the_first_step_and_is_named(tmp_path: Path) -> None:
    registration = app(tmp_path)
    os.unlink(tmp_path / "app" / "passenger_wsgi.py")
    with pytest.raises(StartError, match="passenger_wsgi.py") as caught:
        launcher(tmp_path).launch(registration, ServerOptions())
    assert caught.value.failure.step == start_steps.CHOOSE_USER


if AS_ROOT:
    NOBODY = pwd.getpwnam("nobody")
    DAEMON = pwd.getpwnam("daemon")

    def test_root_s_app_runs_as_the_default_user_with_no_capability(tmp_path: Path) -> None:
        found = probe(launcher(tmp_path).launch(app(tmp_path), ServerOptions()))
        assert (found["uid"], found["gid"]) == (NOBODY.pw_uid, NOBODY.pw_gid)
        assert 0 not in found["groups"]
        assert all(line.split()[1] == "0000000000000000" for line in found["caps"])

    def test_an_app_runs_as_its_owner(tmp_path: Path) -> None:
        found = probe(launcher(tmp_path).launch(app(tmp_path, owner=DAEMON.pw_uid), ServerOptions()))
        assert found["uid"] == DAEMON.pw_uid
        assert found["env"]["USER"] == "daemon"

    def test_an_app_root_that_only_its_owner_can_enter_is_no_hindrance(tmp_path: Path) -> None:
        found = probe(launcher(tmp_path).launch(app(tmp_path, DAEMON.pw_uid, 0o700), ServerOptions()))
        assert found["cwd"] == str(tmp_path / "app")

    def test_a_folder_that_the_user_cannot_enter_is_named_with_the_user(tmp_path: Path) -> None:
        (tmp_path / "closed").mkdir(mode=0o700)
        registration = app(tmp_path / "closed", DAEMON.pw_uid)
        with pytest.raises(StartError) as caught:
            launcher(tmp_path).launch(registration, ServerOptions())
        assert caught.value.failure.summary == "user daemon cannot enter the folder %s" % (tmp_path / "closed")

    def test_an_interpreter_behind_a_link_into_a_closed_home_is_named_with_target_and_folder(tmp_path: Path) -> None:
        home = tmp_path / "home"
        target = home / "uv" / "python3"
        target.parent.mkdir(parents=True)
        target.symlink_to("/usr/bin/python3")
        home.chmod(0o700)
        python = tmp_path / "app" / "venv" / "bin" / "python"
        registration = app(tmp_path, DAEMON.pw_uid, python=str(python))
        python.parent.mkdir(parents=True)
        python.symlink_to("python3")
        (python.parent / "python3").symlink_to(target)
        with pytest.raises(StartError) as caught:
            launcher(tmp_path).launch(registration, ServerOptions())
        failure = caught.value.failure
        assert failure.step == start_steps.EXECUTE
        assert failure.summary == (
            "%s, a link to %s, cannot be executed: user daemon cannot enter the folder %s" % (python, target, home)
        )

    def test_the_folder_is_entered_with_the_user_s_rights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        # It was closed since the look.
        monkeypatch.setattr("spawner.processes.launcher.first_unreachable", lambda path, identity: None)
        (tmp_path / "closed").mkdir(mode=0o700)
        with pytest.raises(StartError) as caught:
            launcher(tmp_path).launch(app(tmp_path / "closed", DAEMON.pw_uid), ServerOptions())
        assert caught.value.failure.step == start_steps.EXECUTE

    def test_the_spawner_s_own_rights_are_back_after_a_start(tmp_path: Path) -> None:
        groups = os.getgroups()
        probe(launcher(tmp_path).launch(app(tmp_path), ServerOptions()))
        with open("/proc/thread-self/status", encoding="ascii") as file:
            status = file.read()
        assert "Uid:\t0\t0\t0\t0\n" in status
        assert "Gid:\t0\t0\t0\t0\n" in status
        assert os.getgroups() == groups
        (tmp_path / "closed").mkdir(mode=0o700)
        os.listdir(tmp_path / "closed")


def test_a_control_line_names_its_senders(tmp_path: Path) -> None:
    launched = launcher(tmp_path).launch(app(tmp_path), ServerOptions())
    assert launched.line.getsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED) == 1
    probe(launched)
