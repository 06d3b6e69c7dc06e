"""What an app may have: each limit holds from its first instruction, and it cannot raise it again."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from spawner.options import AppOptions, ServerOptions
from spawner.pool.registration import Registration
from spawner.processes.app_environment import CommandLine
from spawner.processes.app_limits import StartLimits, limited_command, limits_in_force, why_ended
from spawner.processes.launcher import Launcher
from spawner.processes.users import own_identity
from spawner.system.process_limits import InheritedLimits
from tests.open_folders import APP_PYTHON

AS_ROOT = os.geteuid() == 0
OWNER = 1 if AS_ROOT else os.geteuid()

#: Stands in for the loader: tells what it is allowed.
PROBE = """
import json, os, resource, signal, socket, sys
line = socket.socket(fileno=int(sys.argv[1]))
status = dict(l.rstrip().split(":\\t", 1) for l in open("/proc/self/status") if ":\\t" in l)
def raised(number):
    try:
        resource.setrlimit(number, (resource.RLIM_INFINITY,) * 2)
    except (OSError, ValueError):
        return False
    return True
line.send(json.dumps({
    "limits": {n: resource.getrlimit(getattr(resource, "RLIMIT_" + n)) for n in ("AS", "NPROC", "NOFILE", "CPU")},
    "raised": [n for n in ("AS", "NPROC", "NOFILE", "CPU") if raised(getattr(resource, "RLIMIT_" + n))],
    "privileges": [status[n] for n in ("NoNewPrivs", "CapBnd", "CapPrm", "CapEff")],
    "uids": os.getresuid(), "gids": os.getresgid(), "groups": os.getgroups(), "cwd": os.getcwd(),
    "sid": os.getsid(0) == os.getpid(), "umask": os.umask(0o22), "env": dict(os.environ),
    "fds": sorted(int(fd) for fd in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + fd)),
    "argv": sys.argv,
}).encode())
"""


def started(folder: Path, configured: dict[str, str], **options: str) -> dict[str, Any]:
    """What a process says of itself that was started with these options; it has ended afterwards.

    :param configured: its variables.
    """
    program, root = folder / "loaders" / "python" / "start.py", folder / "app"
    program.parent.mkdir(parents=True)
    program.write_text(PROBE)
    root.mkdir()
    (root / "passenger_wsgi.py").touch()
    if AS_ROOT:
        for path in (root, root / "passenger_wsgi.py"):
            os.chown(path, OWNER, OWNER)
    app = AppOptions.from_wire({"python": APP_PYTHON, "load_shell_envvars": "0", **options})
    files = ("app", str(root), "wsgi", "passenger_wsgi.py")
    registration = Registration(*files, "", "", "", "", app, 1, environment=configured)
    launcher = Launcher(str(folder / "loaders"), "Apache", InheritedLimits(0, 500))
    launched = launcher.launch(registration, ServerOptions())
    launched.line.setblocking(True)
    launched.line.settimeout(20)
    received = launched.line.recv(65536)
    launched.line.close()
    os.waitpid(launched.pid, 0)
    with os.fdopen(launched.output, "rb") as output:
        said = output.read()
    assert received, said.decode()
    found: dict[str, Any] = json.loads(received)
    return found


def test_every_limit_holds_and_the_app_cannot_raise_it(tmp_path: Path) -> None:
    limits = {"address_space_limit": "900", "user_process_limit": "4000", "cpu_time_limit": "50"}
    found = started(tmp_path, {}, app_file_descriptor_ulimit="77", **limits)
    megabytes = 900 << 20
    assert found["limits"] == {
        "AS": [megabytes, megabytes], "NPROC": [4000, 4000], "NOFILE": [77, 77], "CPU": [50, 55],
    }  # fmt: skip
    assert found["raised"] == []


def test_a_process_with_a_limit_is_started_like_every_other_one(tmp_path: Path) -> None:
    """Apart from the limit: the program that sets it leaves nothing of itself, and takes nothing from the app."""
    configured = {"LD_PRELOAD": "/no/such/library.so", "odd name": "x=y", "BYTES": "\udcff"}
    found = started(tmp_path, configured, cpu_time_limit="50")
    assert found["uids"] == [OWNER] * 3
    assert found["gids"] == [OWNER if AS_ROOT else os.getegid()] * 3
    assert (found["cwd"], found["sid"], found["umask"]) == (str(tmp_path / "app"), True, 0o22)
    assert found["fds"] == [0, 1, 2, int(found["argv"][1])]
    assert {name: found["env"][name] for name in configured} == configured
    assert not [name for name in found["env"] if name.startswith("JUMPSEAT_")]
    assert found["limits"]["NOFILE"][0] == 500, "as httpd had it"


def test_variables_of_an_app_do_not_reach_the_program_that_sets_its_limits(tmp_path: Path) -> None:
    """With this one, a program lists its libraries and ends: it must be env(1), as the user, and not ours, as root."""
    with pytest.raises(AssertionError, match="libc") as caught:
        started(tmp_path, {"LD_TRACE_LOADED_OBJECTS": "1"}, user_process_limit="4000")
    assert "libm.so" not in str(caught.value), "Python's"


def test_signals_that_python_ignores_are_not_ignored_in_the_app() -> None:
    command = CommandLine(("/bin/grep", "SigIgn", "/proc/self/status"), {})
    limits = StartLimits({"PassengerCpuTimeLimit": 50})
    order = limited_command(command, limits, own_identity(), "/", None)
    said = subprocess.run(order.argv, env=dict(order.environment), capture_output=True, text=True).stdout
    assert int(said.split()[1], 16) & (1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1) == 0


def test_without_new_privileges_no_program_gives_any(tmp_path: Path) -> None:
    no_new, bounding, permitted, effective = started(tmp_path, {}, no_new_privileges="1")["privileges"]
    assert no_new == "1"
    assert int(permitted, 16) == int(effective, 16) == 0 or not AS_ROOT
    assert int(bounding, 16) == 0 or not AS_ROOT


def test_a_process_without_limits_may_get_privileges_and_has_httpd_s_limits(tmp_path: Path) -> None:
    found = started(tmp_path, {})
    assert found["privileges"][0] == "0"
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert found["limits"]["NOFILE"] == [500, hard]


def test_a_limit_that_httpd_has_itself_is_not_raised(tmp_path: Path) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    wanted = 4_194_304
    expected = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
    assert started(tmp_path, {}, user_process_limit=str(wanted))["limits"]["NPROC"] == [expected, expected]


def test_why_nothing_can_start_under_a_limit_stands_in_the_output(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="failed to map segment|PassengerAddressSpaceLimit 1|annot allocate"):
        started(tmp_path, {}, address_space_limit="1")


@pytest.mark.parametrize(
    ("status", "kills", "directive"),
    [
        (signal.SIGXCPU, 0, "PassengerCpuTimeLimit 3"),
        (signal.SIGKILL, 1, "PassengerAppMemoryLimit 100"),
        (signal.SIGKILL, 0, ""),
        (signal.SIGSEGV, 1, ""),
        (1 << 8, 1, ""),
        (None, 1, ""),
    ],
)
def test_the_directive_that_has_ended_a_process_is_known(status: int | None, kills: int, directive: str) -> None:
    told = why_ended(status, AppOptions(cpu_time_limit=3, app_memory_limit=100), kills)
    assert told.startswith(directive)
    assert bool(told) == bool(directive)
    assert why_ended(status, AppOptions(), kills) == ""


def test_status_has_the_limits_that_are_set_and_those_without_effect() -> None:
    options = AppOptions(cpu_time_limit=3, app_memory_limit=100, no_new_privileges=True)
    assert limits_in_force(options, {"PassengerAppMemoryLimit": "no controller"}) == {
        "PassengerCpuTimeLimit": {"value": 3, "without_effect": None},
        "PassengerAppMemoryLimit": {"value": 100, "without_effect": "no controller"},
        "PassengerNoNewPrivileges": {"value": True, "without_effect": None},
    }
    assert limits_in_force(AppOptions(), {}) == {}
