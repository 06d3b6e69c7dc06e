"""A private httpd for one server: event MPM, two children of 64 threads, on a port of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Callable

MODULES = "/usr/lib/apache2/modules"
CONFIGURATION = """\
ServerRoot "{folder}"
DefaultRuntimeDir "{folder}"
PidFile "{folder}/httpd.pid"
Listen 127.0.0.1:{port}
ServerName localhost
{identity}
ErrorLog "{folder}/error.log"
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule mime_module {modules}/mod_mime.so
TypesConfig /dev/null
StartServers 2
ServerLimit 8
ThreadsPerChild 64
MaxRequestWorkers 512
KeepAlive On
MaxKeepAliveRequests 0
DocumentRoot "{folder}/public"
<Directory />
AllowOverride None
Require all granted
</Directory>
{text}
"""


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class PrivateHttpd:
    """An httpd below a folder of its own.

    :param name: for the folder's name.
    """

    def __init__(self, name: str) -> None:
        os.umask(0o022)  # httpd's children and the apps run as other users: they read what is made here
        self.folder = Path(tempfile.mkdtemp(prefix="jsb-%s-" % name, dir="/tmp"))
        self.folder.chmod(0o755)
        (self.folder / "public").mkdir()
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, text: str) -> None:
        """Start with this text added to the configuration.

        :raises RuntimeError: it does not come up in time.
        """
        identity = "User www-data\nGroup www-data" if os.geteuid() == 0 else ""
        path = self.folder / "httpd.conf"
        path.write_text(
            CONFIGURATION.format(folder=self.folder, port=self.port, identity=identity, modules=MODULES, text=text)
        )
        command = ["/usr/sbin/apache2", "-DFOREGROUND", "-f", str(path)]
        # A session of its own, as a daemon has: the kernel may share the CPU among sessions.
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        log = self.folder / "error.log"
        wait_until(lambda: listens(self.port), "nothing listens on port %d; see %s" % (self.port, log))

    @property
    def pid(self) -> int:
        """The parent's."""
        assert self._process is not None
        return self._process.pid

    def stop(self) -> None:
        """End it and remove its folder."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(20)
        shutil.rmtree(self.folder, ignore_errors=True)


def wait_until(condition: Callable[[], bool], otherwise: str) -> None:
    """Wait until something is so.

    :raises RuntimeError: it is not within a minute.
    """
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.02)
    raise RuntimeError(otherwise)


def listens(port: int) -> bool:
    """Whether a port of this machine takes connections."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
