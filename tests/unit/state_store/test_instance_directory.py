"""The instance folder."""

from __future__ import annotations

import json
import os
import py_compile
import re
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from spawner.errors import OperatorError
from spawner.options import AppOptions, ServerOptions
from spawner.pool.registration import Registration
from spawner.processes.group_resources import backlog_for
from spawner.shared import constants
from spawner.state_store.instance_directory import InstanceDirectory, remove_stale_instances


def make(folder: Path, pid: int = 4711) -> InstanceDirectory:
    return InstanceDirectory(str(folder / "run" / ("httpd-%d" % pid)), pid, os.getuid(), os.getgid())


def test_what_a_cleaner_has_taken_is_missed_and_made_anew(tmp_path: Path) -> None:
    instance = make(tmp_path)
    instance.create("/etc/apache2", 1.0)
    assert instance.missing_files() == []
    names = ("loaders/python/start.py", "shared/wire.py", "instance.json")
    taken = [os.path.join(instance.folder, name) for name in names]
    for path in taken:
        os.unlink(path)
    os.rmdir(instance.apps)
    assert sorted(instance.missing_files()) == sorted([*taken, instance.apps])
    instance.create("/etc/apache2", 1.0)
    assert instance.missing_files() == []


def test_an_interpreter_of_the_spawner_s_version_need_not_compile_the_loaders(tmp_path: Path) -> None:
    py_compile.compile(constants.__file__, doraise=True)
    instance = make(tmp_path)
    instance.create("/etc/apache2", 1.0)
    command = [sys.executable, "-v", "-c", "import constants"]
    folder = os.path.join(instance.folder, "shared")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert re.search(r"constants\.[a-z0-9-]+\.pyc matches .*constants\.py\n", done.stderr)


def test_the_folder_is_the_same_under_every_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        instance = make(tmp_path)
        instance.create("/etc/apache2", 1.0)
        listener = instance.listen(instance.app_socket("a"), socket.SOCK_STREAM, 0o600, 1)
    finally:
        os.umask(before)
    listener.close()
    found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in Path(instance.folder).iterdir()}
    assert found == {"apps": 0o711, "loaders": 0o755, "shared": 0o755, "instance.json": 0o644}
    assert stat.S_IMODE(os.stat(instance.registry).st_mode) == 0o755


def test_sockets_have_the_promised_mode_under_an_open_umask_too(tmp_path: Path) -> None:
    instance = make(tmp_path)
    instance.create("/", 1.0)
    before = os.umask(0)
    try:
        listener = instance.listen(instance.app_socket("a"), socket.SOCK_STREAM, 0o600, 1)
    finally:
        os.umask(before)
    listener.close()
    assert stat.S_IMODE(os.stat(instance.app_socket("a")).st_mode) == 0o600


def test_the_facts_are_those_that_tools_look_for(tmp_path: Path) -> None:
    instance = make(tmp_path, os.getpid())
    instance.create("/etc/apache2", 12.5)
    facts = json.loads((Path(instance.folder) / "instance.json").read_text())
    assert facts.pop("version")
    assert facts.pop("httpd_start_ticks") > 0
    assert facts == {
        "name": "httpd-%d" % os.getpid(),
        "httpd_pid": os.getpid(),
        "spawner_pid": os.getpid(),
        "server_root": "/etc/apache2",
        "started": 12.5,
    }


@pytest.mark.parametrize("mode", [0o775, 0o757])
def test_a_registry_that_others_may_write_to_is_refused(tmp_path: Path, mode: int) -> None:
    (tmp_path / "run").mkdir()
    os.chmod(tmp_path / "run", mode)
    with pytest.raises(OperatorError, match="PassengerInstanceRegistryDir"):
        make(tmp_path).create("/", 1.0)


def test_a_registry_with_the_sticky_bit_holds_an_instance_that_nobody_else_can_change(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    os.chmod(tmp_path / "run", 0o1777)
    instance = make(tmp_path)
    instance.create("/", 1.0)
    assert stat.S_IMODE(os.stat(instance.folder).st_mode) == 0o755
    assert stat.S_IMODE(os.stat(instance.registry).st_mode) == 0o1777


@pytest.mark.parametrize("kind", ["link", "file", "mode"])
def test_what_exists_under_the_instance_s_name_is_not_believed(tmp_path: Path, kind: str) -> None:
    (tmp_path / "run").mkdir()
    os.chmod(tmp_path / "run", 0o1777)
    instance, elsewhere = make(tmp_path), tmp_path / "elsewhere"
    elsewhere.mkdir()
    if kind == "link":
        os.symlink(elsewhere, instance.folder)
    elif kind == "file":
        Path(instance.folder).touch()
    else:
        Path(instance.folder).mkdir()
        os.chmod(instance.folder, 0o1777)
    with pytest.raises(OperatorError, match="PassengerInstanceRegistryDir"):
        instance.create("/", 1.0)
    assert os.listdir(elsewhere) == []


def test_a_registry_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "run").symlink_to("real")
    with pytest.raises(OperatorError, match="not a folder"):
        make(tmp_path).create("/", 1.0)


if os.geteuid() == 0:

    def test_a_registry_of_another_user_is_refused(tmp_path: Path) -> None:
        (tmp_path / "run").mkdir()
        os.chown(tmp_path / "run", 65534, 65534)
        with pytest.raises(OperatorError, match="belongs to user nobody"):
            make(tmp_path).create("/", 1.0)

    def test_an_instance_folder_that_another_user_made_first_is_refused_and_left_alone(tmp_path: Path) -> None:
        instance = make(tmp_path)
        os.makedirs(instance.folder)
        os.chmod(instance.registry, 0o1777)
        os.chown(instance.folder, 65534, 65534)
        with pytest.raises(OperatorError, match="belongs to user nobody"):
            instance.create("/", 1.0)
        assert os.listdir(instance.folder) == []

    def test_stale_folders_of_another_user_are_neither_removed_nor_opened(tmp_path: Path) -> None:
        foreign = tmp_path / ("httpd-%d" % os.getppid())
        foreign.mkdir()
        os.mkfifo(foreign / "instance.json")  # who opens it waits for ever
        os.chown(foreign, 65534, 65534)
        said: list[str] = []
        remove_stale_instances(str(tmp_path), "/elsewhere", said.append)
        assert said == []
        assert foreign.exists()

    def test_sockets_belong_to_apache_s_user(tmp_path: Path) -> None:
        instance = InstanceDirectory(str(tmp_path / "run" / "httpd-1"), 1, 65534, 65533)
        instance.create("/", 1.0)
        instance.listen(instance.app_socket("a"), socket.SOCK_STREAM, 0o600, 1).close()
        found = os.stat(instance.app_socket("a"))
        assert (found.st_uid, found.st_gid) == (65534, 65533)


def test_a_path_too_long_for_a_socket_is_named(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 100)
    deep.mkdir()
    with pytest.raises(OperatorError, match="longer than the 107 bytes"):
        make(deep).create("/", 1.0)


def test_a_folder_that_an_earlier_spawner_left_is_taken_over(tmp_path: Path) -> None:
    make(tmp_path).create("/", 1.0)
    make(tmp_path).create("/", 2.0)


def test_folders_of_httpds_that_have_ended_are_removed_and_others_stay(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    dead, living = make(tmp_path, child.pid), make(tmp_path, os.getpid())
    for instance in (dead, living):
        instance.create("/", time.time())
    (Path(living.registry) / "notes").mkdir()
    (Path(living.registry) / "httpd-x").mkdir()
    said: list[str] = []
    remove_stale_instances(living.registry, living.folder, said.append)
    assert said == [dead.name]
    assert sorted(os.listdir(living.registry)) == sorted([living.name, "notes", "httpd-x"])


def test_a_stale_folder_with_a_random_part_in_its_name_is_removed_too(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    (tmp_path / ("httpd-%d-0123abcd" % child.pid)).mkdir(mode=0o755)
    said: list[str] = []
    remove_stale_instances(str(tmp_path), "/elsewhere", said.append)
    assert said == ["httpd-%d-0123abcd" % child.pid]
    assert os.listdir(tmp_path) == []


def test_a_folder_whose_pid_another_process_has_now_is_stale(tmp_path: Path) -> None:
    old = make(tmp_path, os.getppid())
    old.create("/", time.time())
    path = Path(old.folder) / "instance.json"
    facts = json.loads(path.read_text())
    path.write_text(json.dumps({**facts, "httpd_start_ticks": facts["httpd_start_ticks"] - 1}))
    said: list[str] = []
    remove_stale_instances(old.registry, "/elsewhere", said.append)
    assert said == [old.name]


def registration(queue: int) -> Registration:
    options = AppOptions.from_wire({"max_request_queue_size": str(queue)})
    return Registration("a", "/a", "wsgi", "p.py", "", "", "", "", options, 1)


@pytest.mark.parametrize(("queue", "admitted"), [(1, 1), (3, 3), (0, 5)])
def test_exactly_as_many_requests_wait_as_are_configured(tmp_path: Path, queue: int, admitted: int) -> None:
    instance = make(tmp_path)
    instance.create("/", 1.0)
    backlog = backlog_for(registration(queue), ServerOptions.from_wire({"socket_backlog": "5"}))
    listener = instance.listen(instance.app_socket("a"), socket.SOCK_STREAM, 0o600, backlog)
    clients = [socket.socket(socket.AF_UNIX) for _ in range(admitted + 1)]
    for client in clients:
        client.setblocking(False)
    for client in clients[:-1]:
        client.connect(instance.app_socket("a"))
    with pytest.raises(BlockingIOError):
        clients[-1].connect(instance.app_socket("a"))
    for sock in [*clients, listener]:
        sock.close()
