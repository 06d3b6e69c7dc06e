"""A real preloader and its workers, driven over the control protocol as the spawner does."""

from __future__ import annotations

import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, Callable, Mapping, NamedTuple, Sequence

from tests.conformance.harness.http_side import HttpClient
from tests.conformance.harness.httpd_side import Answer, Client
from tests.conformance.harness.spawner_side import TIMEOUT, ControlEnd, Output

HEADER = struct.Struct("<IIIIQQQQ")
CELL = struct.Struct("<IIQQ488s")
SLOT_SIZE = 66_048
CELL_SIZE = 512
SLOTS = 8
TITLE = "jumpseat: /srv/test (production)"  # as long as titles are, so that there is room for others


class Slot(NamedTuple):
    """What a worker tells of itself in the scoreboard."""

    state: int
    pid: int
    running: int
    capacity: int
    requests: int
    busy_since: int
    idle_since: int
    hidden_deadline: int


class Cell(NamedTuple):
    """What a worker tells of one request that it is in."""

    state: int
    length: int
    since: int
    deadline: int
    text: bytes


def _ordinary_environment() -> dict[str, str]:
    """This process's, without what would change how Python works."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


class OwnSocket:
    """A worker's own socket, as the spawner makes it for sticky sessions."""

    def __init__(self, folder: str, route: str, token: str, framed: bool, client: type[Client]) -> None:
        self.route = route
        self.address = os.path.join(folder, f"group.{route}.sock")
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.address)
        self.listener.listen(64)
        self.client = client(self.address, token, framed)

    def remove(self) -> None:
        os.unlink(self.address)

    def close(self) -> None:
        self.listener.close()


class Group:
    """What the spawner makes for a group: listening socket, scoreboard, lifeline."""

    def __init__(self, token: str = "the-token", framed: bool = True, http: bool = False) -> None:
        """`framed`: whether its clients ask for frames, unless a test says otherwise; `http`: they speak HTTP."""
        self._client_class = HttpClient if http else Client
        self.token = token
        self._framed = framed
        self._own_sockets: list[OwnSocket] = []
        self._folder = tempfile.mkdtemp(prefix="loaders-")
        self.address = os.path.join(self._folder, "group.sock")
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.address)
        self.listener.listen(256)
        self.scoreboard = os.memfd_create("scoreboard", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(self.scoreboard, SLOTS * SLOT_SIZE)
        self.lifeline, self._lifeline_end = os.pipe()

    def client(self) -> Client:
        return self._client_class(self.address, self.token, self._framed)

    def own_socket(self, route: str) -> OwnSocket:
        """Make a worker's own socket; it ends with the group."""
        self._own_sockets.append(OwnSocket(self._folder, route, self.token, self._framed, self._client_class))
        return self._own_sockets[-1]

    def slot(self, number: int) -> Slot:
        return Slot(*HEADER.unpack(os.pread(self.scoreboard, HEADER.size, number * SLOT_SIZE)))

    def cell(self, slot: int, number: int = 0) -> Cell:
        offset = slot * SLOT_SIZE + CELL_SIZE * (1 + number)
        return Cell(*CELL.unpack(os.pread(self.scoreboard, CELL.size, offset)))

    def wait_for(self, condition: Callable[[Group], object]) -> None:
        """Wait until `condition` holds of this group, as its scoreboard shows it."""
        deadline = time.monotonic() + TIMEOUT
        while not condition(self):
            assert time.monotonic() < deadline, "the scoreboard does not show it"
            time.sleep(0.001)

    def end_lifeline(self) -> None:
        if self._lifeline_end >= 0:
            os.close(self._lifeline_end)
            self._lifeline_end = -1

    def close(self) -> None:
        """Let go of everything, whatever goes wrong with one of them."""
        with ExitStack() as stack:
            stack.callback(shutil.rmtree, self._folder)
            stack.callback(os.close, self.lifeline)
            stack.callback(os.close, self.scoreboard)
            stack.callback(self.listener.close)
            for own in self._own_sockets:
                stack.callback(own.close)
            stack.callback(self.end_lifeline)


class Process:
    """A process on the other end of a control line. Its pid is what the kernel says."""

    def __init__(self, line: ControlEnd, output: Output, group: Group) -> None:
        self.line = line
        self.output = output
        self.group = group
        self.pid = 0
        self.ready: dict[str, str] = {}
        self.import_warnings: list[str] = []
        self._pidfd = -1

    def say_hello(self) -> dict[str, str]:
        """Wait for the process's hello; from then on its end can be awaited."""
        hello = self.line.expect("hello")
        self.pid = self.line.sender_pid
        self._close_pidfd()
        try:
            self._pidfd = os.pidfd_open(self.pid)
        except ProcessLookupError:
            self._pidfd = -1
        return hello

    def wait_for_end(self) -> None:
        """Wait until the process has ended, whoever waits for its status."""
        ended = self._pidfd < 0 or select.select([self._pidfd], [], [], TIMEOUT)[0]
        assert ended, f"process {self.pid} has not ended"

    def is_alive(self) -> bool:
        return self._pidfd >= 0 and not select.select([self._pidfd], [], [], 0)[0]

    def kill(self) -> None:
        """End it by force; one that has ended meanwhile is no error."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        self.wait_for_end()

    def signal(self, number: int) -> None:
        signal.pidfd_send_signal(self._pidfd, number)

    def retire(self, *fields: tuple[str, str]) -> None:
        self.line.send("retire", *fields)

    def get(self, path: str = "/", **options: Any) -> Answer:
        """Ask whichever worker of the group takes it."""
        return self.group.client().ask(path=path, **options)

    def close(self) -> None:
        """Let go of everything, whatever goes wrong with one of them: what is left open fails another test."""
        with ExitStack() as stack:
            stack.callback(self.output.close)
            stack.callback(self._close_pidfd)
            stack.callback(self._end)
            stack.callback(self.line.close)

    def _end(self) -> None:
        if self._pidfd >= 0:
            self.kill()

    def _close_pidfd(self) -> None:
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1


class Preloader(Process):
    """The process that the spawner starts: it has said hello."""

    def __init__(
        self,
        command: Sequence[str],
        app_root: Path,
        group: Group,
        environment: Mapping[str, str],
        load: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """`command`: interpreter and program; the descriptor of the control line and the title follow. `load`: what
        each `load` says, unless a test says otherwise.
        """
        super().__init__(ControlEnd(), Output(), group)
        self._load = load
        self.app_root = app_root
        self._slot = 0
        other = self.line.other.fileno()
        with ExitStack() as stack:
            stack.callback(super().close)
            self.child = subprocess.Popen(
                [*command, str(other), TITLE],
                stdin=subprocess.DEVNULL,
                stdout=self.output.write_end,
                stderr=self.output.write_end,
                pass_fds=[other],
                cwd=app_root,
                env={**_ordinary_environment(), **environment},
                start_new_session=True,
            )
            stack.callback(self._end_child)
            self.line.close_other()
            self.output.close_write_end()
            try:
                self.hello = self.say_hello()
            except AssertionError as error:
                raise AssertionError(f"{error}; {self.output.wait_for_end()}") from error
            self._stack = stack.pop_all()

    def send_load(
        self, startup_file: str = "passenger_wsgi.py", own: OwnSocket | None = None, **fields: str
    ) -> None:
        """Tell it what to load. `slot`: a direct process; `own`: its own socket, which is closed here."""
        facts = {
            "app_root": str(self.app_root),
            "startup_file": startup_file,
            "group": "test",
            "generation": "1",
            "app_token": self.group.token,
            "scoreboard_slots": str(SLOTS),
            "multiprocess": "1",
            "server_software": "Apache/2.4",
            "warmup": "0",  # takes long
            **({"route": own.route} if own is not None else {}),
            **self._load,
            **fields,
        }
        descriptors = (self.group.listener.fileno(), self.group.scoreboard, self.group.lifeline)
        given = (own.listener.fileno(),) if own is not None else ()
        self.line.send("load", *facts.items(), descriptors=(*descriptors, *given))
        if own is not None:
            own.close()

    def load(self, startup_file: str = "passenger_wsgi.py", **fields: str) -> None:
        """Have the app loaded."""
        self.send_load(startup_file, None, **fields)
        self.expect_loaded()

    def expect_loaded(self) -> None:
        """Wait until the app is loaded."""
        answer = self.line.receive()
        assert answer[:1] == [("type", "loaded")], f"{answer} {self.output.text()}"
        assert float(dict(answer)["seconds"]) >= 0

    def load_failure(self, startup_file: str = "passenger_wsgi.py", **fields: str) -> dict[str, str]:
        """Have an app loaded that cannot be; return what the preloader says, once it has ended with status 1."""
        self.send_load(startup_file, None, **fields)
        failure = self.line.expect("failed")
        assert self.child.wait(TIMEOUT) == 1
        return failure

    def fork(self, slot: int | None = None, own: OwnSocket | None = None) -> Process:
        """Have a worker forked; return it as soon as it accepts."""
        worker = self.begin_fork(slot, own)
        ready = worker.line.receive()
        assert ready[:1] == [("type", "ready")], f"{ready} {worker.output.text()}"
        worker.ready = dict(ready)
        worker.import_warnings = [value for name, value in ready if name == "warning"]
        assert worker.ready["slot"] == str(self._slot - 1 if slot is None else slot)
        return worker

    def begin_fork(self, slot: int | None = None, own: OwnSocket | None = None) -> Process:
        """Have a worker forked; return it as soon as it has said hello."""
        worker = self.send_fork(slot, own)
        worker.say_hello()
        return worker

    def send_fork(self, slot: int | None = None, own: OwnSocket | None = None) -> Process:
        """Have a worker forked; return it before anything is heard of it."""
        if slot is None:
            slot = self._slot
            self._slot += 1
        worker = Process(ControlEnd(), Output(), self.group)
        self._stack.callback(worker.close)
        fields, descriptors = _worker_slot(slot, own)
        given = (worker.line.other.fileno(), worker.output.write_end, *descriptors)
        self.line.send("fork", *fields, descriptors=given)
        if own is not None:
            own.close()
        worker.line.close_other()
        worker.output.close_write_end()
        return worker

    def serve(
        self, startup_file: str = "passenger_wsgi.py", slot: int = 0, own: OwnSocket | None = None, **fields: str
    ) -> None:
        """Direct spawning: have this process load the app and become a worker."""
        self.send_load(startup_file, own, slot=str(slot), **fields)
        self.expect_loaded()
        self.ready = self.line.expect("ready")
        assert self.ready["slot"] == str(slot)

    def close(self) -> None:
        """End its workers, then itself."""
        self._stack.close()

    def _end_child(self) -> None:
        self.child.kill()
        self.child.wait(TIMEOUT)


def _worker_slot(slot: int, own: OwnSocket | None) -> tuple[list[tuple[str, str]], tuple[int, ...]]:
    """Fields and descriptors that say which worker one becomes."""
    fields = [("slot", str(slot))]
    if own is None:
        return fields, ()
    return [*fields, ("route", own.route)], (own.listener.fileno(),)
