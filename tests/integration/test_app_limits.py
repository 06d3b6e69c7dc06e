"""What the directives allow an app: each limit holds, the log names the directive, and other apps notice nothing.

One server has an app for each limit. All of them can do the same, and one has no limit at all.
"""

from __future__ import annotations

import os
import pwd
import shutil
from pathlib import Path
from typing import Any

import pytest

from support.applications import AppFolder, AppFolders
from support.serving import CheckedHttpd
from support.status import group

AS_ROOT = os.geteuid() == 0
#: A user of every Debian who has no other processes, for the limit that counts those of a user.
LONELY = "games"

GREEDY = """
import json, os, resource, signal, subprocess, threading

held = []

def memory(megabytes):
    held.append(bytearray(os.urandom(1)) * (megabytes << 20))
    return "allocated"

def files(count):
    while len(held) < count:
        held.append(open("/dev/null"))
    return "opened"

def processes(count):
    while len(held) < count:
        pid = os.fork()
        if pid == 0:
            signal.pause()
        held.append(pid)
    return "forked"

def burn(_):
    while True:
        pass

def privileges(_):
    status = dict(line.rstrip().split(":\\t", 1) for line in open("/proc/self/status") if ":\\t" in line)
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "id-of-root")
    uid = subprocess.run([program, "-u"], stdout=subprocess.PIPE).stdout.decode().strip()
    return json.dumps([uid, status["NoNewPrivs"], int(status["CapBnd"], 16)])

def application(environ, start_response):
    action, _, amount = environ["PATH_INFO"].strip("/").partition("/")
    try:
        text = globals()[action](int(amount or 0)) if action else str(os.getpid())
    except (MemoryError, OSError) as error:
        text = "refused: %r" % error
        for pid in held if action == "processes" else ():
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        text += " after %d" % len(held)
        del held[:]
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [text.encode()]
"""


class Greedy:
    """The server with its apps: `<name>.example` is the virtual host of the app with that name."""

    def __init__(self, httpd: CheckedHttpd, apps: AppFolders) -> None:
        self.httpd = httpd
        self.apps = apps

    def add(self, name: str, body: str = "", owner: str = "nobody") -> AppFolder:
        app = self.apps.create(name=name, entry=GREEDY, owner=owner)
        self.httpd.site(f"{name}.example", app.public, body)
        return app

    def ask(self, name: str, path: str = "/") -> Any:
        return self.httpd.get(path, f"{name}.example")

    def status(self, name: str) -> dict[str, Any]:
        return group(self.httpd, f"/{name} (")


@pytest.fixture(scope="module")
def greedy(shared_httpd: CheckedHttpd, shared_apps: AppFolders) -> Greedy:
    found = Greedy(shared_httpd, shared_apps)
    found.add("free")
    found.add("space", "PassengerAddressSpaceLimit 200")
    found.add("files", "PassengerAppFileDescriptorUlimit 60")
    found.add("cpu", "PassengerCpuTimeLimit 1")
    found.add("whole", WHOLE_APP)
    if AS_ROOT:
        found.add("processes", "PassengerUserProcessLimit 12", LONELY)
        found.add("privileges", "PassengerNoNewPrivileges on")
        _setuid_program(shared_apps.folder / "id-of-root")
    shared_httpd.start()
    return found


def _setuid_program(path: Path) -> None:
    shutil.copy("/usr/bin/id", path)
    path.chmod(0o4755)


def test_an_app_without_limits_can_do_what_the_others_cannot(greedy: Greedy) -> None:
    """So that the other tests show the limits and not the machine."""
    assert greedy.ask("free", "/memory/250").text == "allocated"
    assert greedy.ask("free", "/files/100").text == "opened"
    assert greedy.status("free")["limits"] == {}


def test_an_app_gets_no_more_address_space_than_it_may_have(greedy: Greedy) -> None:
    before = greedy.ask("space").text
    assert greedy.ask("space", "/memory/250").text == "refused: MemoryError() after 0"
    assert greedy.ask("space").text == before, "the worker lives on"
    assert greedy.status("space")["limits"] == {"PassengerAddressSpaceLimit": {"value": 200, "without_effect": None}}


def test_an_app_opens_no_more_files_than_it_may(greedy: Greedy) -> None:
    told = greedy.ask("files", "/files/100").text
    assert told.startswith("refused: OSError(24,")
    assert 30 < int(told.rpartition(" ")[2]) < 60


def test_a_process_that_has_used_its_processor_time_ends_and_the_log_names_the_directive(greedy: Greedy) -> None:
    greedy.httpd.logs.expect("JS3117")
    greedy.httpd.logs.allow("JS2|JS3503")
    before = greedy.ask("cpu").text
    assert greedy.ask("cpu", "/burn").status == 502
    line = greedy.httpd.logs.wait_for("JS3117")
    assert f"a limit has ended a process: worker {before} of" in line
    assert "PassengerCpuTimeLimit 1: it has used so many seconds of processor time" in line
    assert greedy.ask("cpu").text != before, "another worker has taken its place"


@pytest.mark.needs_root
def test_an_app_s_user_gets_no_more_processes_than_it_may_have(greedy: Greedy) -> None:
    told = greedy.ask("processes", "/processes/20").text
    assert told.startswith("refused: BlockingIOError(11,")
    assert 0 < int(told.rpartition(" ")[2]) < 12


@pytest.mark.needs_root
def test_no_program_gives_an_app_privileges_that_has_given_them_up(greedy: Greedy) -> None:
    greedy.ask("free")
    assert greedy.ask("free", "/privileges").json()[:2] == ["0", "0"], "a setuid program gives them to every other app"
    uid = str(pwd.getpwnam("nobody").pw_uid)
    assert greedy.ask("privileges", "/privileges").json() == [uid, "1", 0]


# What holds for the app as a whole needs controllers of cgroups.

WHOLE_APP = "PassengerAppMemoryLimit 150\nPassengerAppProcessLimit 20\nPassengerAppCpuWeight 50"


def lacking(httpd: CheckedHttpd) -> dict[str, str]:
    """Why the limits of the whole app have no effect on this machine, by directive."""
    limits = group(httpd, "/whole (")["limits"]
    return {name: limit["without_effect"] for name, limit in limits.items() if limit["without_effect"]}


@pytest.fixture
def whole(greedy: Greedy) -> Greedy:
    greedy.httpd.logs.allow("JS3114")
    assert greedy.ask("whole").status == 200, "whatever the machine enforces, the app serves"
    return greedy


def test_a_limit_that_the_machine_does_not_enforce_is_said_once_with_the_reason_and_the_remedy(whole: Greedy) -> None:
    missing = lacking(whole.httpd)
    for directive, reason in missing.items():
        said = f"JS3114: a limit has no effect: {directive}"
        lines = [line for line in whole.httpd.logs.text().splitlines() if said in line]
        assert len(lines) == 1
        assert reason in lines[0]
        assert "Delegate=cpu memory pids for Apache's unit" in lines[0]
    assert whole.httpd.logs.count("JS3114") == len(missing)


def test_the_kernel_kills_a_process_of_an_app_that_needs_too_much_memory_and_the_log_says_so(whole: Greedy) -> None:
    if "PassengerAppMemoryLimit" in lacking(whole.httpd):
        pytest.skip("this machine has no memory controller of cgroups of version 2 that we may use")
    whole.httpd.logs.expect("JS3115")
    whole.httpd.logs.expect("JS3117")
    whole.httpd.logs.allow("JS2|JS3503")
    before = whole.ask("whole").text
    assert whole.ask("whole", "/memory/250").status == 502
    assert "PassengerAppMemoryLimit 150" in whole.httpd.logs.wait_for(f"JS3117: .*worker {before} of")
    assert whole.ask("whole").text != before


def test_an_app_starts_no_more_processes_than_it_may_have_and_the_log_says_so(whole: Greedy) -> None:
    if "PassengerAppProcessLimit" in lacking(whole.httpd):
        pytest.skip("this machine has no pids controller of cgroups of version 2 that we may use")
    whole.httpd.logs.expect("JS3116")
    assert whole.ask("whole", "/processes/40").text.startswith("refused: BlockingIOError(11,")
    assert "PassengerAppProcessLimit 20" in whole.httpd.logs.wait_for("JS3116")
