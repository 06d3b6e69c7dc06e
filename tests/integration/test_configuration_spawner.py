"""httpd's parent and the spawner: what a configuration pass, a stop and an end bring."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Callable

import psutil
import pytest

from support.applications import AppFolder
from support.descriptors import open_descriptors
from support.httpd import Httpd
from support.serving import CheckedHttpd
from support.waiting import eventually, remains_true

MPMS = ["event", "worker", "prefork"]

#: What a daemon of another module needs to be forked by httpd's parent.
CGI_DAEMON = "ScriptSock {folder}/cgi.sock\nLoadModule cgid_module /usr/lib/apache2/modules/mod_cgid.so"


@pytest.fixture(params=MPMS)
def server(request: pytest.FixtureRequest, make_httpd: Callable[..., CheckedHttpd]) -> CheckedHttpd:
    return make_httpd(mpm=request.param)


def spawner_of(server: CheckedHttpd) -> int:
    """The pid of the spawner's process, also of one that has not said so yet; 0 when there is none."""
    found = server.children("jumpseat")
    return found[0].pid if found else 0


def test_twenty_graceful_restarts_keep_the_spawner_and_the_parents_descriptors(server: CheckedHttpd) -> None:
    server.start()
    server.wait_for_spawner()
    spawner = spawner_of(server)
    server.graceful()
    before = open_descriptors(server.pid)
    for _ in range(19):
        server.graceful()
    assert spawner_of(server) == spawner
    eventually(lambda: open_descriptors(server.pid) == before, lambda: f"{before}, not {open_descriptors(server.pid)}")


def test_a_hard_restart_which_signals_httpds_process_group_does_not_concern_the_spawner(server: CheckedHttpd) -> None:
    server.start()
    server.wait_for_spawner()
    spawner = spawner_of(server)
    assert os.getpgid(spawner) == os.getsid(spawner) == spawner
    server.restart()
    server.restart()
    assert spawner_of(server) == spawner


def pipe_ends(pid: int) -> set[tuple[str, bool]]:
    """The pipes that the process holds, each with whether it can write to it; none of a process that has ended."""
    ends = set()
    with suppress(FileNotFoundError, ProcessLookupError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed since it was listed
                name = os.readlink(entry)
                if name.startswith("pipe:"):
                    flags = int(Path(f"/proc/{pid}/fdinfo/{entry.name}").read_text().split("flags:")[1].split()[0], 8)
                    ends.add((name, flags & os.O_ACCMODE == os.O_WRONLY))
    return ends


def others_than_the_parent(server: CheckedHttpd) -> list[int]:
    """The pids of all processes but httpd's parent, once there are three."""
    found = [process.pid for process in server.processes() if process.pid != server.pid]
    return found if len(found) >= 3 else []


def only_the_parent_can_write(server: CheckedHttpd, pipe: str) -> bool:
    others = others_than_the_parent(server)
    return bool(others) and not any((pipe, True) in pipe_ends(pid) for pid in others)


def test_no_process_but_httpds_parent_can_keep_the_lifeline_open(server: CheckedHttpd) -> None:
    server.add(CGI_DAEMON.format(folder=server.folder))
    server.start()
    server.wait_for_spawner()
    # The second time, the daemon of the other module is forked from a parent that has all the handles.
    server.graceful()
    spawner = spawner_of(server)
    lifelines = [name for name, writes in pipe_ends(spawner) if not writes and (name, True) in pipe_ends(server.pid)]
    assert len(lifelines) == 1
    # A child that httpd has forked this moment lets go of it as it begins.
    eventually(lambda: only_the_parent_can_write(server, lifelines[0]), "the others to have let go of the lifeline")


def unix_sockets(pid: int) -> set[str]:
    """The Unix sockets that the process holds; none of a process that has ended."""
    inodes = {line.split()[6] for line in Path("/proc/net/unix").read_text().splitlines()[1:]}
    found = set()
    with suppress(FileNotFoundError, ProcessLookupError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed since it was listed
                name = os.readlink(entry)
                if name.startswith("socket:") and name[len("socket:[") : -1] in inodes:
                    found.add(name)
    return found


def test_a_daemon_of_another_module_and_the_program_of_a_log_hold_no_line_of_the_spawner(server: CheckedHttpd) -> None:
    server.add(CGI_DAEMON.format(folder=server.folder))
    server.logs.allow("long lost child")  # httpd, of the program of the configuration before
    server.add(f'CustomLog "|/usr/bin/tee {server.folder}/logs/piped.log" "%h"')
    server.start()
    server.wait_for_spawner()
    # The second time, the daemon is forked, and the program started, by a parent that has all the handles.
    server.graceful()
    spawner, lines = spawner_of(server), unix_sockets(server.pid)
    assert len(lines) == 3, "the control line and both ends of the store"
    assert len(lines & unix_sockets(spawner)) == 2

    def others() -> list[int]:
        return [pid for pid in others_than_the_parent(server) if pid != spawner]

    eventually(lambda: any(psutil.Process(pid).name() == "tee" for pid in others()), "the program")
    eventually(lambda: not any(lines & unix_sockets(pid) for pid in others()), "nobody else to hold any")


def listens_for_scripts(process: psutil.Process) -> bool:
    """Is it the daemon of mod_cgid that the present configuration has?"""
    with suppress(psutil.NoSuchProcess):
        return any("/cgi.sock" in str(one.laddr) and one.laddr for one in process.net_connections("unix"))
    return False


def test_when_httpds_parent_is_killed_all_of_ours_ends_although_a_daemon_of_another_module_lives_on(
    httpd: CheckedHttpd, probe: AppFolder
) -> None:
    httpd.logs.allow("JS|AH0")
    httpd.add(CGI_DAEMON.format(folder=httpd.folder))
    httpd.site(document_root=probe.public)
    httpd.start()
    httpd.graceful()
    assert httpd.get("/").status == 200
    (daemon,) = [child for child in httpd.children("apache2") if listens_for_scripts(child)]
    ours = [*httpd.children("jumpseat"), *httpd.app_processes()]
    assert len(ours) >= 3
    os.kill(httpd.pid, signal.SIGKILL)
    gone, alive = psutil.wait_procs(ours, 20)
    assert not alive
    assert daemon.is_running()
    for process in httpd.processes():
        with suppress(psutil.NoSuchProcess):
            process.kill()


def test_httpd_may_be_started_without_standard_input_and_output(httpd: CheckedHttpd, probe: AppFolder) -> None:
    httpd.launcher = ["/bin/sh", "-c", 'exec "$@" <&- >&-', "sh"]
    httpd.site(document_root=probe.public)
    httpd.start()
    assert httpd.get("/").status == 200
    assert os.readlink(f"/proc/{spawner_of(httpd)}/fd/0") == "/dev/null"


def test_a_spawner_that_was_killed_is_replaced(httpd: CheckedHttpd) -> None:
    httpd.start()
    httpd.wait_for_spawner()
    before = spawner_of(httpd)
    httpd.logs.expect(r"JS1025: the spawner \(pid %d\) has ended \(status or signal 9\)" % before)
    os.kill(before, signal.SIGKILL)
    eventually(lambda: spawner_of(httpd) not in (0, before), "another spawner")
    eventually(lambda: httpd.instance()["spawner_pid"] == spawner_of(httpd), "the other spawner to be at work")


@pytest.fixture
def broken_spawner(httpd: CheckedHttpd) -> Path:
    """The configuration of a spawner that cannot start with it."""
    path = httpd.folder / "spawner.conf"
    path.write_text("no_such_option = 1\n")
    httpd.add(f'PassengerSpawnerConfigFile "{path}"')
    httpd.logs.allow(r"JS1025|no_such_option")
    return path


def test_a_spawner_that_ends_at_once_again_and_again_is_tried_more_and_more_slowly(
    httpd: CheckedHttpd, broken_spawner: Path
) -> None:
    Httpd.start(httpd)
    eventually(lambda: httpd.logs.count("JS1020: spawner started") >= 4, "the fourth try")
    waiting = httpd.logs.count("JS1020: .* waits before it begins")
    assert 1 <= waiting <= httpd.logs.count("JS1020") - 2, "the first two begin at once"


def test_what_an_administrator_has_mended_is_in_force_at_the_next_graceful_restart(
    httpd: CheckedHttpd, broken_spawner: Path
) -> None:
    Httpd.start(httpd)
    eventually(lambda: httpd.logs.count("waits before it begins") >= 3, "a spawner that waits for seconds")
    broken_spawner.write_text("")
    httpd.graceful()
    eventually(lambda: (httpd.instance_folder() / "spawner.sock").exists(), "a spawner at work")
    starts = [line for line in httpd.logs.text().splitlines() if "JS1020" in line]
    assert "waits before it begins" not in starts[-1]


def test_a_spawner_that_does_not_end_is_killed_when_httpd_stops(httpd: CheckedHttpd) -> None:
    httpd.start()
    httpd.wait_for_spawner()
    spawner = spawner_of(httpd)
    folder = httpd.instance_folder()
    os.kill(spawner, signal.SIGSTOP)
    httpd.logs.expect("JS1027: the spawner .* did not end within 8 seconds: killed")
    assert httpd.stop() == []
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()


def test_another_registry_waits_for_a_stop_and_a_start(httpd: CheckedHttpd) -> None:
    httpd.start()
    httpd.wait_for_spawner()
    before = httpd.instance_folder()
    httpd.add(f'PassengerInstanceRegistryDir "{httpd.folder}/other"')
    httpd.logs.expect("JS1029: a changed PassengerInstanceRegistryDir")
    httpd.graceful()
    assert (before / "spawner.sock").exists()
    assert not (httpd.folder / "other").exists()


def test_an_errorlog_that_is_no_file_is_named_in_a_warning(httpd: CheckedHttpd) -> None:
    httpd.add("<VirtualHost *:1>\nErrorLog syslog:local1\n</VirtualHost>")
    httpd.logs.expect(r"JS1010: ErrorLog syslog:local1 is neither a file nor a program")
    httpd.start()
    httpd.wait_for_spawner()
    remains_true(lambda: spawner_of(httpd) != 0, "the spawner", 0.3)


def test_python_variables_of_httpds_environment_do_not_reach_the_spawner(
    httpd: CheckedHttpd, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {**httpd._environment(), "PYTHONHOME": "/no/such/home", "PYTHONPATH": "/no/such/path", "LC_ALL": "C"}
    monkeypatch.setattr(httpd, "_environment", lambda: environment)
    httpd.start()
    assert httpd.instance()["spawner_pid"] == spawner_of(httpd)
