"""A Node.js app: `node <folder>/loaders/node/start.js`, which accepts on the group's socket itself.

The loader in Node has three descriptors: the group's socket, a channel to this supervisor, and the scoreboard, of which
it writes its own slot. The channel carries lines of JSON in both directions (loaders/node/channel.js).
"""

import json
import os
import socket
import sys
from typing import Any, Callable, Dict, Optional

from ...shared.constants import SCOREBOARD_SLOT_SIZE
from ..python.core.control_line import ControlMessage
from . import node_failure
from .addresses import PrivateFolder, PrivateSocket
from .event_loop import READ
from .node_backtrace import NodeBacktraces
from .node_failure import text_of
from .relay_acceptor import RelayAcceptor
from .socket_diagnostics import backlog_of
from .start_command import without_ours
from .supervised_program import Execution, SupervisedProgram, SupervisorCalls

CAPABILITIES = "http keep-alive framed-body expect acknowledge cancel"
_LONGEST_MESSAGE = 1 << 20  # bytes
_NO_PUBLISHING = "--inspect-publish-uid=stderr"  # node_backtrace.py: nobody can ask the inspector for its name
_START = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "node", "start.js")


class NodeProgram(SupervisedProgram):
    """Owns this end of the channel.

    If the number of requests at a time is limited, the app accepts on a socket of its own, and the supervisor accepts
    for it, so that what is too much waits in the group's queue: Node.js accepts whatever comes.
    """

    def __init__(self, load: ControlMessage) -> None:
        self._load = load
        self._interpreter = load.get("interpreter")
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, load.descriptors[0])
        self._scoreboard = os.dup(load.descriptors[1])
        self._backtraces: Optional[NodeBacktraces] = None
        self._channel, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._received = b""
        self._supervisor: SupervisorCalls
        self._most = int(load.get("threads") or 0)
        self._folder = PrivateFolder() if self._most else None
        self._relay: Optional[RelayAcceptor] = None

    def __str__(self) -> str:
        return self._interpreter

    def prepare(self) -> Execution:
        self._send(self._configuration())  # into the channel's buffer: the loader reads it when it starts
        descriptors = [self._load.descriptors[0], self._theirs.fileno(), self._scoreboard, *self._load.descriptors[3:]]
        arguments = [
            self._interpreter,
            _NO_PUBLISHING,
            _START,
            *sys.argv[2:],
        ]  # with the title: there is room for others then
        return Execution(arguments, without_ours(os.environ), descriptors, self._close_given)

    def begin(self, supervisor: SupervisorCalls, slot: object, session: int) -> None:
        self._supervisor = supervisor
        self._backtraces = NodeBacktraces(supervisor.loop, session, supervisor.send_signal)
        self._channel.setblocking(False)
        supervisor.loop.watch(self._channel.fileno(), READ, self._on_readable)

    def retire(self, deadline: float) -> None:
        shutdown = {"type": "shutdown", "deadline": deadline}
        if self._relay is not None:
            self._relay.stop(lambda: self._send(shutdown))
        else:
            self._send(shutdown)

    def cancel(self, cell: str, since: str) -> None:
        if cell.isdigit() and since.isdigit():
            self._send({"type": "cancel", "cell": int(cell), "since": since})

    def show_backtraces(self, pid: int, write: Callable[[str], None]) -> None:
        if self._backtraces is not None:
            self._backtraces.ask(write)

    def ended(self, done: Callable[[], None]) -> None:
        self._on_readable(READ)  # what it has said last
        if self._relay is not None:
            self._relay.stop(done)
        else:
            done()

    def close(self) -> None:
        self._channel.close()
        if self._folder is not None:
            self._folder.remove()

    def _configuration(self) -> Dict[str, Any]:
        slot = int(self._load.get("slot"))
        return {
            "app_root": self._load.get("app_root"),
            "startup_file": self._load.get("startup_file"),
            "group": self._load.get("group"),
            "backlog": backlog_of(self._load.descriptors[0]) or 0,
            "scoreboard_offset": slot * SCOREBOARD_SLOT_SIZE,
            "capacity": self._most,
            "route": self._load.get("route"),
            "own_socket": PrivateSocket(self._folder).path if self._folder is not None else "",
            "max_requests": int(self._load.get("max_requests") or 0),
            "friendly": self._load.get("friendly") == "1",
            "stop_at_max_requests": self._load.get("stop_at_max_requests") == "1",
        }

    def _close_given(self) -> None:
        for descriptor in (self._scoreboard, *self._load.descriptors[3:]):
            os.close(descriptor)
        self._theirs.close()

    def _send(self, message: Dict[str, Any]) -> None:
        try:
            self._channel.send(json.dumps(message).encode() + b"\n")
        except OSError:
            pass  # it has ended, or does not read: the spawner's deadlines hold

    def _accept_for_it(self, address: PrivateSocket) -> None:
        supervisor = self._supervisor
        self._relay = RelayAcceptor(supervisor.loop, self._listener, address, self._most, None, supervisor.warn)

    # What the loader says

    def _on_readable(self, events: int) -> None:
        try:
            data = self._channel.recv(_LONGEST_MESSAGE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        lines = (self._received + data).split(b"\n")
        self._received = lines.pop()
        for line in lines:
            self._on_line(line)
        if not data or len(self._received) > _LONGEST_MESSAGE:
            self._supervisor.loop.forget(self._channel.fileno())

    def _on_line(self, line: bytes) -> None:
        message = _parse(line)
        if message is None:
            return  # an app can write there what it likes
        kind = message.get("type")
        if kind == "ready":
            self._supervisor.ready(CAPABILITIES, text_of(message, "runtime"), self._load.get("route"))
            if self._folder is not None and self._relay is None:
                self._accept_for_it(PrivateSocket(self._folder))
        elif kind == "failed":
            self._supervisor.fail(node_failure.fields_of(message, self._load.get("app_root")))
            self._send({"type": "told"})
        elif kind == "backtrace" and self._backtraces is not None:
            self._backtraces.answered(message)
        elif kind == "shows_backtraces" and self._backtraces is not None:
            self._backtraces.possible = message.get("possible") is True
        elif kind == "max_requests_reached":
            self._supervisor.send("max_requests_reached", [("requests", text_of(message, "requests"))])
        elif kind == "warning":
            self._supervisor.send("warning", [("text", text_of(message, "text"))])


def _parse(line: bytes) -> Optional[Dict[str, Any]]:
    try:
        message = json.loads(line.decode("utf-8", "replace"))
    except ValueError:
        return None
    return message if isinstance(message, dict) else None
