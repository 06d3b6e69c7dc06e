"""Runs the spawner for real, in the part that httpd's parent and its children play."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, Iterator, Optional

from spawner.shared import wire
from spawner.system import packets
from tests.integration.support.waiting import eventually
from tests.open_folders import APP_PYTHON

DEADLINE = 20.0  # seconds; the machine may be busy
TOKEN = "f" * 64

_PROGRAM = """
import sys
from spawner.daemon.main import main
from dataclasses import replace
from spawner.app_types import APP_TYPES
for row in sys.argv[2:]:
    app_type, program, capabilities = row.split(":")
    words = frozenset(capabilities.split())
    APP_TYPES[app_type] = replace(APP_TYPES["wsgi"], program=program, capabilities=words)
sys.exit(main(bytes.fromhex(sys.argv[1])))
"""

HELLO_APP = """
import os
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"%(answer)s %%d" %% os.getpid()]
"""


def write_app(folder: Path, answer: str = "hello", source: Optional[str] = None) -> Path:
    """An app's folder with its entry file."""
    folder.mkdir(parents=True, exist_ok=True)
    entry = folder / "passenger_wsgi.py"
    temporary = folder / ".new"
    temporary.write_text(source if source is not None else HELLO_APP % {"answer": answer})
    temporary.rename(entry)
    return folder


class Httpd:
    """What httpd's parent holds; it starts spawners and speaks to them.

    :param folder: everything is made below it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.registry = folder / "run"
        self.instance = self.registry / ("httpd-%d" % os.getpid())
        self.log_path = folder / "error.log"
        self.log_path.touch()
        self.lifeline_read, self.lifeline_write = os.pipe()
        self.store = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.control: Optional[socket.socket] = None
        self.process: Optional[subprocess.Popen[bytes]] = None
        self.epoch = 0
        self.loaders: list[str] = []  # more rows of the table of loaders: type, program, capabilities

    def start(self, config: str = "") -> "subprocess.Popen[bytes]":
        """Start a spawner."""
        if self.control is not None:
            self.control.close()
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        numbers = {
            "control_fd": theirs.fileno(),
            "lifeline_fd": self.lifeline_read,
            "store_fd": self.store[0].fileno(),
            "store_fd_write": self.store[1].fileno(),
        }
        facts = {
            "httpd_pid": os.getpid(),
            "apache_uid": os.getuid(),
            "apache_gid": os.getgid(),
            "server_root": str(self.folder),
            "server_software": "Apache/2.4.99 (Test)",
            "instance_dir": str(self.instance),
            "token": TOKEN,
            "spawner_config": config,
        }
        fields = [(name, str(value)) for name, value in {**numbers, **facts}.items()]
        with open(self.folder / "stderr", "ab") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, packets.encode(fields).hex(), *self.loaders],
                pass_fds=list(numbers.values()),
                stderr=stderr,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        theirs.close()
        return self.process

    def configure(self, log: Optional[str] = "", **options: object) -> None:
        """Send a configuration and wait until it is in force."""
        assert self.control is not None
        self.epoch += 1
        lines = self.log().count("JS3045")
        begin = [("type", "begin"), ("epoch", str(self.epoch)), *((k, str(v)) for k, v in options.items())]
        packets.send(self.control, begin)
        with open(self.log_path, "ab") as file:
            packets.send(self.control, [("type", "log"), ("name", "")], [file.fileno()])
        packets.send(self.control, [("type", "commit"), ("epoch", str(self.epoch))])
        eventually(lambda: self.log().count("JS3045") > lines, "configuration in force\n" + self.stderr())

    def register(self, app_root: Path, key: str = "app", **extra: object) -> dict[str, str]:
        """Register an app as a child of httpd does; gives the answer's fields."""
        fields = {
            "type": "register", "token": TOKEN, "epoch": self.epoch, "group": key, "app_root": app_root,
            "app_type": "wsgi", "startup_file": "passenger_wsgi.py", "public_dir": app_root / "public",
            "base_uri": "", "server_name": "test", "error_log": "", "load_shell_envvars": "0",
            "python": APP_PYTHON, **extra,
        }  # fmt: skip
        return self.exchange([(name, str(value)) for name, value in fields.items() if value is not None])

    def exchange(self, fields: list[tuple[str, str]]) -> dict[str, str]:
        """One message to the registration socket, and the answer."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as line:
            line.settimeout(DEADLINE)
            line.connect(str(self.instance / "spawner.sock"))
            packets.send(line, fields)
            answer = packets.receive(line)
            assert answer is not None, "the spawner did not answer"
            return dict(answer.fields)

    def log(self) -> str:
        """What stands in the error log."""
        return self.log_path.read_text()

    def stderr(self) -> str:
        """What the spawner wrote before it had a log."""
        path = self.folder / "stderr"
        return path.read_text() if path.exists() else ""

    def status(self) -> dict[str, Any]:
        """The answer of the admin socket."""
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(DEADLINE)
            line.connect(str(self.instance / "admin.sock"))
            line.sendall(b'{"command": "status"}\n')
            with line.makefile("rb") as file:
                answer: dict[str, Any] = json.loads(file.readline())
        return answer

    def processes(self, key: str = "app") -> list[dict[str, Any]]:
        """An app's processes, as `status` has them."""
        groups = [group for group in self.status()["groups"] if group["name"] == key]
        return list(groups[0]["processes"]) if groups else []

    def kill_spawner(self) -> None:
        """As the kernel would: nothing is cleaned up."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def end(self) -> int:
        """Let httpd end; gives the spawner's exit status."""
        if self.lifeline_write >= 0:
            os.close(self.lifeline_write)
            self.lifeline_write = -1
        assert self.process is not None
        return self.process.wait(DEADLINE)

    def close(self) -> None:
        """End what still runs and let go of everything."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            if self.process is not None:
                self.end()
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        for sock in [*self.store, *([self.control] if self.control is not None else [])]:
            sock.close()
        for descriptor in (self.lifeline_read, self.lifeline_write):
            if descriptor >= 0:
                with contextlib.suppress(OSError):
                    os.close(descriptor)


@contextlib.contextmanager
def running(folder: Path, **options: object) -> Iterator[Httpd]:
    """A spawner with a configuration in force."""
    httpd = Httpd(folder)
    try:
        httpd.start()
        httpd.configure(**options)
        yield httpd
    finally:
        httpd.close()


def request(registered: dict[str, str], framed: bool = False, method: str = "GET", token: bool = True) -> bytes:
    """One SCGI request on an app's socket; gives all that comes back."""
    head = [("CONTENT_LENGTH", "0"), ("SCGI", "1"), ("REQUEST_METHOD", method), ("REQUEST_URI", "/"),
            ("SCRIPT_NAME", ""), ("PATH_INFO", "/"), ("QUERY_STRING", ""), ("SERVER_NAME", "test"),
            ("SERVER_PORT", "80"), ("SERVER_PROTOCOL", "HTTP/1.1"), ("REMOTE_ADDR", "127.0.0.1")]  # fmt: skip
    if token:
        head.append(("JUMPSEAT_TOKEN", registered["app_token"]))
    if framed:
        head.append(("JUMPSEAT_FRAMED", "1"))
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(DEADLINE)
        line.connect(registered["socket"])
        line.sendall(wire.encode_text(head))
        answer = b""
        while True:
            data = line.recv(65536)
            if not data:
                return answer
            answer += data
