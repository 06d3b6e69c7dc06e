"""A private httpd in the foreground, on a free port, with everything it owns below one short folder."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import psutil

from support.client import Answer, Client, spelled
from support.configuration import Configuration, Site, server_identity
from support.connections import accepted_connections, queued_connections, threads_at_work
from support.log_checker import LogChecker
from support.ports import Port
from support.sanitizers import environment, make_report_folder
from support.supervised_process import SupervisedProcess
from support.waiting import DeadlinePassed, eventually
from tests.open_folders import make_open_folder

HTTPD = "/usr/sbin/apache2"
RUNNING = r"AH\d+: .* -- resuming normal operations"
STOP_DEADLINE = 30.0
#: With a load that goes on, httpd is never at rest.
REST_DEADLINE = 3.0
#: A connection that httpd has closed under a thread that was just done with it, which only happens at a stop.
STOP_NOISE = "AH0309[23]"


class Httpd:
    """One instance: configure (`site`, `add`, `module`), `start`, talk to it (`client`, `get`), `stop`, `clean_up`."""

    stop_deadline = STOP_DEADLINE

    def __init__(self, product: str, mpm: str = "event", user: str = "") -> None:
        """`product`: the lines that load our module; nothing for a plain httpd. `user`: run all of it as that user."""
        self.folder = make_open_folder("js-")
        self.user = user
        for name in ("logs", "run", "buffer", "apps"):
            (self.folder / name).mkdir()
        self.reports = make_report_folder(self.folder)
        self._set_owners()
        self._port = Port()
        self.port = self._port.number
        self._more_ports: list[Port] = []
        identity = "" if user else server_identity()
        self.configuration = Configuration(self.folder, self.port, mpm, identity, product)
        self.logs = LogChecker(self.folder / "logs")
        self.launcher: list[str] = []  # a program that executes httpd in its own place, and its arguments
        self.process: SupervisedProcess | None = None
        self.ended: dict[int, int] = {}

    def _set_owners(self) -> None:
        if os.geteuid() != 0:
            return
        server = pwd.getpwnam(self.user or "www-data")
        os.chown(self.folder / "buffer", server.pw_uid, server.pw_gid)
        if self.user:
            for folder in (self.folder, *self.folder.iterdir()):
                os.chown(folder, server.pw_uid, server.pw_gid)

    # -- configuration

    def module(self, *names: str) -> None:
        """Load more of httpd's own modules, by short name: `rewrite`, `ssl`."""
        self.configuration.modules.extend(names)

    def add(self, text: str) -> None:
        """Add text to the main server's configuration."""
        self.configuration.globals.append(text)

    def site(
        self, name: str = "site.example", document_root: Path | None = None, body: str = "", port: int | None = None
    ) -> Site:
        """Add a VirtualHost."""
        site = Site(name, document_root, body, port)
        self.configuration.sites.append(site)
        return site

    def another_port(self) -> int:
        """A further free port, not yet listened on."""
        self._more_ports.append(Port())
        return self._more_ports[-1].number

    @property
    def run_folder(self) -> Path:
        return self.folder / "run"

    def write_configuration(self) -> Path:
        path = self.folder / "httpd.conf"
        path.write_text(self.configuration.text())
        return path

    def test_configuration(self) -> subprocess.CompletedProcess[str]:
        """What `apachectl configtest` answers."""
        return subprocess.run(
            [HTTPD, "-t", "-f", str(self.write_configuration())],
            text=True,
            timeout=60,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self._environment(),
        )

    # -- life

    def start(self) -> Httpd:
        """Start and wait until it answers connections. Raises RuntimeError with the logs when it does not."""
        command = [*self.launcher, HTTPD, "-DFOREGROUND", "-f", str(self.write_configuration())]
        self.process = SupervisedProcess(command, self.user, self._environment(), self.folder / "logs" / "stderr.log")
        self.ended = self.process.ended
        self._wait_until_running(0)
        return self

    def _environment(self) -> dict[str, str]:
        variables = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", **environment(self.reports)}
        if "LD_PRELOAD" in os.environ:  # a test's own; the sanitizers want to be the first
            variables["LD_PRELOAD"] = " ".join([variables.get("LD_PRELOAD", ""), os.environ["LD_PRELOAD"]]).strip()
        return variables

    def _wait_until_running(self, times_before: int) -> None:
        def ready() -> bool:
            if self.process is None or not self.process.running:
                raise RuntimeError(f"httpd ended at once:\n{self.logs.text('stderr.log')}\n{self.logs.text()}")
            return self.logs.count(RUNNING) > times_before and self._listens()

        eventually(ready, lambda: f"httpd to run:\n{self.logs.text()}")

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    @property
    def pid(self) -> int:
        """The parent's."""
        assert self.process is not None
        return self.process.pid

    def graceful(self) -> None:
        """`apachectl graceful` with the present configuration; returns when the new one is in force."""
        self._signal_and_wait(signal.SIGUSR1)

    def restart(self) -> None:
        """`apachectl restart`: as graceful, but requests are cut."""
        self._let_threads_rest()
        self._signal_and_wait(signal.SIGHUP)

    def _signal_and_wait(self, number: int) -> None:
        assert self.process is not None
        self.write_configuration()
        before = self.logs.count(RUNNING)
        self.process.send(number)
        self._wait_until_running(before)

    def stop(self, number: int = signal.SIGTERM) -> list[str]:
        """End it and wait for all of its processes; return a line for each that lives on (they are killed)."""
        if self.process is None:
            return []
        if self.process.running:
            self._let_connections_end()
            self._let_threads_rest()
            self.process.send(number)
        strays = self.process.wait_until_all_have_ended(self.stop_deadline)
        self.process.kill_all()
        self.process = None
        return strays

    def _let_connections_end(self) -> None:
        """Give httpd a second to finish with connections."""
        self.logs.read()
        self.logs.allow(STOP_NOISE)
        with contextlib.suppress(DeadlinePassed):
            eventually(lambda: not self.connections(), "the end of all connections", 1.0)

    def _let_threads_rest(self) -> None:
        """Wait until no thread of httpd is just done with a connection.

        At a stop, or a restart that is not graceful, the event MPM closes the sockets of its threads, also one whose
        memory a thread has just freed, and crashes. A connection that httpd has yet to accept soon brings a thread to
        that point.
        """
        with contextlib.suppress(DeadlinePassed):
            eventually(self.is_at_rest, "httpd to have no work", REST_DEADLINE)

    def connections(self) -> int:
        """How many httpd has: those that it has yet to accept, and those that it has accepted."""
        pids = [child.pid for child in self.children("apache2")]
        return queued_connections([self.pid, *pids]) + accepted_connections(pids)

    def is_at_rest(self) -> bool:
        """Whether nothing waits to be accepted, and then no thread of a child works."""
        pids = [child.pid for child in self.children("apache2")]
        return not queued_connections([self.pid, *pids]) and not threads_at_work(pids)

    def clean_up(self) -> None:
        """End whatever lives, remove the folder, free the ports. Safe at any time."""
        with contextlib.ExitStack() as stack:  # each of them, whatever goes wrong with another
            stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
            for port in (self._port, *self._more_ports):
                stack.callback(port.release)
            if self.process is not None:
                stack.callback(self.process.kill_all)
                self.process = None

    # -- looking inside

    def processes(self) -> list[psutil.Process]:
        return self.process.descendants() if self.process else []

    def children(self, name: str) -> list[psutil.Process]:
        """The parent's children of that name: `apache2` or, for the spawner, `jumpseat`. One may end at any moment."""
        return [process for process in self._own_children() if _name(process) == name]

    def _own_children(self) -> list[psutil.Process]:
        try:
            return psutil.Process(self.pid).children()
        except psutil.NoSuchProcess:
            return []

    def app_processes(self) -> list[psutil.Process]:
        """Preloaders and workers: what runs our loaders."""
        return [process for process in self.processes() if _runs_a_loader(process)]

    def instance_folder(self) -> Path:
        """Where others may make names, a random part follows the pid."""
        return next(self.run_folder.glob(f"httpd-{self.pid}-*"), self.run_folder / f"httpd-{self.pid}")

    def instance(self) -> dict[str, Any]:
        """instance.json, once it is there."""
        path = self.instance_folder() / "instance.json"
        eventually(path.exists, lambda: f"{path}:\n{self.logs.text()}")
        content: dict[str, Any] = json.loads(path.read_text())
        return content

    def wait_for_spawner(self) -> None:
        """Wait until the spawner of this server takes registrations; requests need not wait for that."""
        socket_path = self.instance_folder() / "spawner.sock"
        eventually(socket_path.exists, lambda: f"{socket_path}:\n{self.logs.text()}")

    def spawner_pid(self) -> int:
        return int(self.instance()["spawner_pid"])

    # -- requests

    def client(self, host: str = "site.example", port: int = 0) -> Client:
        return Client(port or self.port, host)

    def get(self, path: str = "/", host: str = "site.example", **headers: str) -> Answer:
        """One GET on a connection of its own; `headers` in Python's spelling: `if_none_match`."""
        return self.request("GET", path, host, None, spelled(headers))

    def post(self, path: str, body: bytes, host: str = "site.example", headers: dict[str, str] | None = None) -> Answer:
        return self.request("POST", path, host, body, headers)

    def request(
        self,
        method: str,
        path: str,
        host: str = "site.example",
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        with self.client(host) as client:
            return client.request(method, path, body, headers or {})


def _name(process: psutil.Process) -> str:
    """Empty for one that has ended."""
    try:
        return str(process.name())
    except psutil.Error:
        return ""


def _runs_a_loader(process: psutil.Process) -> bool:
    try:
        return any("loaders/python/start.py" in word for word in process.cmdline()) or _name_says_app(process)
    except psutil.Error:
        return False


def _name_says_app(process: psutil.Process) -> bool:
    title = " ".join(process.cmdline())
    return title.startswith(("jumpseat: worker of", "jumpseat: preloader of", "jumpseat: loading"))
