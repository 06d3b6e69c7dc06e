"""What all servers have in common: a private httpd, a copy of the app, processes beside httpd."""

from __future__ import annotations

import abc
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Optional

import psutil

from bench.private_httpd import MODULES, PrivateHttpd, wait_until
from bench.scenarios import Runtime, Scenario
from bench.virtual_environment import make_environment

PYTHON = "/usr/bin/python3"
RUBY = "/usr/bin/ruby"


class MeasuredServer(abc.ABC):
    """A server that serves the app of a scenario behind httpd.

    :param workers: processes that the app runs in.
    :cvar needs: files that Debian's packages bring, by package; the first package is the server itself.
    :cvar hello_only: it serves no app that looks at the path.
    :cvar titles: words of the command lines of the processes that hold the app, where httpd is their ancestor.
    """

    needs: dict[str, str] = {}
    hello_only = False
    titles: tuple[str, ...] = ()

    def __init__(self, scenario: Scenario, workers: int) -> None:
        self.scenario = scenario
        self.workers = workers
        self.httpd = PrivateHttpd(type(self).__name__.lower())
        self.helpers: list[subprocess.Popen[bytes]] = []
        self.environment: dict[str, str] = {}  # of helpers, beside this process's own
        self.app_root = self.httpd.folder / "app"
        (self.app_root / "public").mkdir(parents=True)
        scenario.copy_app(self.app_root)
        if os.geteuid() == 0:  # the app is Apache's user's, who makes sockets there
            for path in (self.app_root, *self.app_root.rglob("*")):
                shutil.chown(path, "www-data", "www-data")
        self.packages: Optional[Path] = None
        self.interpreter = PYTHON if scenario.runtime is Runtime.PYTHON else RUBY
        if scenario.requirements:
            self.interpreter, self.packages = make_environment(self.httpd.folder / "venv", scenario.requirements)

    @abc.abstractmethod
    def configuration(self) -> list[str]:
        """What httpd's configuration says beyond the common, line by line."""

    def start(self) -> None:
        """Bring everything up."""
        self.httpd.start("\n".join(self.configuration()))

    def stop(self) -> None:
        """End everything."""
        self.httpd.stop()
        for helper in self.helpers:
            helper.send_signal(signal.SIGTERM)
            try:
                helper.wait(20)
            except subprocess.TimeoutExpired:
                helper.kill()

    def processes(self) -> list[psutil.Process]:
        """All of httpd's and the server's."""
        return _with_descendants([self.httpd.pid, *(helper.pid for helper in self.helpers)])

    def app_processes(self) -> list[psutil.Process]:
        """Those that hold the app."""
        if self.helpers:
            return _with_descendants([helper.pid for helper in self.helpers])
        return [process for process in self.processes() if _mentions(process, self.titles)]

    def run_helper(self, command: list[str], socket: str) -> None:
        """Start a server beside httpd, as Apache's user, and wait for its socket.

        It has a session of its own, as a daemon has: the kernel may share the CPU among sessions.

        :raises RuntimeError: it does not make the socket in time.
        """
        become = {"user": "www-data", "group": "www-data", "extra_groups": []} if os.geteuid() == 0 else {}
        environment = {**os.environ, "HOME": str(self.app_root), **self.environment}
        with open(self.httpd.folder / "helper.log", "wb") as log:
            helper = subprocess.Popen(  # type: ignore[call-overload]
                command, cwd=self.app_root, env=environment, stdout=log, stderr=log, start_new_session=True, **become
            )
        self.helpers.append(helper)
        wait_until((self.app_root / socket).exists, "%s makes no %s; see %s" % (command[0], socket, self.httpd.folder))

    def logs(self) -> str:
        """The end of what httpd and the server have logged."""
        files = [self.httpd.folder / name for name in ("error.log", "helper.log")]
        return "\n".join(file.read_text(errors="replace")[-3000:] for file in files if file.exists())

    def proxy_pass(self, protocol: str, socket: str, parameters: str = "") -> list[str]:
        """Have a module of mod_proxy pass everything to a socket in the app's folder."""
        return [
            "LoadModule proxy_module %s/mod_proxy.so" % MODULES,
            "LoadModule proxy_{0}_module {1}/mod_proxy_{0}.so".format(protocol, MODULES),
            'ProxyPass "/" "unix:%s/%s|%s://localhost/" %s' % (self.app_root, socket, protocol, parameters),
        ]


def _with_descendants(pids: list[int]) -> list[psutil.Process]:
    parents = [psutil.Process(pid) for pid in pids]
    return [*parents, *(child for parent in parents for child in parent.children(recursive=True))]


def _mentions(process: psutil.Process, words: tuple[str, ...]) -> bool:
    try:
        line = " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False
    return any(word in line for word in words)
