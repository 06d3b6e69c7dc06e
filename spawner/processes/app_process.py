"""One process of an app with all that the operating system has of it: control line, output, pid."""

from __future__ import annotations

import asyncio
import signal
import socket
from typing import Mapping, Optional, Protocol

from spawner.errors import PeerError
from spawner.logs.app_output import AppOutput
from spawner.pool.registry import Registry
from spawner.pool.states import ProcessKind
from spawner.processes import message_limits
from spawner.processes.group_resources import GroupResources
from spawner.processes.pid_monitor import PidMonitor
from spawner.processes.process_line import ProcessLine
from spawner.processes.process_tree import ProcessTree
from spawner.shared import masking, start_steps
from spawner.shared.exception_serializer import SerializedException
from spawner.start_failure import FailureDetails, StartFailure, hidden, raised_from, variables_from
from spawner.system.linux import Identity
from spawner.system.loop_share import LimitedReader, LoopShare
from spawner.system.packets import Packet

_STATUS_TIMEOUT = 0.2  # seconds for the preloader of a worker that has ended to report the worker's status
_CLOSED_LINE_TIMEOUT = 5.0  # seconds for a process that has closed its control line to end


class ProcessEvents(Protocol):
    """What happens to a process; each method is called once for each event."""

    def on_pid_changed(self, process: "AppProcess") -> None:
        """The pid is known, or another one is."""

    def on_hello(self, process: "AppProcess") -> None:
        """The loader runs; the pid is known."""

    def on_load_wanted(self, process: "AppProcess") -> None:
        """The process waits for `load`: after its first `hello`, and when the app has executed another interpreter."""

    def on_loaded(self, process: "AppProcess", seconds: str) -> None:
        """The process has imported the app."""

    def on_import_warnings(self, process: "AppProcess", warnings: list[str]) -> None:
        """A forked worker reports what the import left that it cannot share with others. Comes before `on_ready`."""

    def on_ready(self, process: "AppProcess", capabilities: frozenset[str], route: str) -> None:
        """The process accepts connections; what it can do besides plain SCGI, and the route of its own socket."""

    def on_max_requests(self, process: "AppProcess", requests: int) -> None:
        """The process has served PassengerMaxRequests."""

    def on_work_requested(self, process: "AppProcess") -> None:
        """The app has asked for out-of-band work."""

    def on_work_done(self, process: "AppProcess", seconds: str) -> None:
        """The process has done its out-of-band work."""

    def on_warning(self, process: "AppProcess", text: str) -> None:
        """The app does what it should not, and is served all the same."""

    def on_start_failed(self, process: "AppProcess", failure: StartFailure) -> None:
        """The process reports that it cannot start."""

    def on_forked(self, process: "AppProcess", slot: int, pid: int) -> None:
        """A preloader reports the pid of a worker that it has forked; the pid is not verified yet."""

    def on_fork_failed(self, process: "AppProcess", slot: int, summary: str) -> None:
        """A preloader could not fork a worker."""

    def on_worker_exited(self, process: "AppProcess", pid: int, status: int) -> None:
        """A preloader reports the exit status of one of its workers."""

    def exit_status(self, pid: int) -> Optional[int]:
        """The exit status of a process that has ended, once; None if it is not known yet."""

    def on_exit(self, process: "AppProcess", status: Optional[int]) -> None:
        """The process has ended."""

    def on_protocol_error(self, process: "AppProcess", reason: str) -> None:
        """The process broke the rules of docs/protocol.md, section 5."""


class AppProcess:
    """A preloader, worker or direct process from its start to its end.

    A process has ended when its pidfd says so; its line may stay open longer (held by what the app has forked) or end
    earlier. A forked worker has nothing but its line until its preloader reports its pid, or it says hello.

    :ivar routes: the names of the sockets of its own that it may have (PassengerStickySessions), the newest last: of a
        process that is up, one or none.
    :ivar facts: what helps to find out why a start failed, in order.
    :ivar tree: what its interpreter has started, this process included, until it is closed.
    :ivar stderr: where its standard error is read: until a forked worker has said hello, at its preloader's output.
    :param output_share: of the loop's time, for the output of all processes of its app together.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        events: ProcessEvents,
        process_id: int,
        key: str,
        kind: ProcessKind,
        generation: int,
        slot: Optional[int],
        identity: Identity,
        line: socket.socket,
        output: AppOutput,
        output_share: Optional[LoopShare] = None,
    ) -> None:
        self.process_id = process_id
        self.key = key
        self.kind = kind
        self.generation = generation
        self.slot = slot
        self.identity = identity
        self.facts: tuple[tuple[str, str], ...] = ()
        self.environment: Mapping[str, str] = {}
        self.preloader_id: Optional[int] = None
        self.routes: tuple[str, ...] = ()
        self.tree: Optional[ProcessTree] = None
        self.hello_received = False
        self.loaded = False
        self.ready = False
        self.failed = False
        self._loop = loop
        self._events = events
        self._ended = False
        self._status_timer: Optional[asyncio.TimerHandle] = None
        self._line_timer: Optional[asyncio.TimerHandle] = None
        self._pid_monitor = PidMonitor(loop, identity.uid, self._process_exited)
        self.output = self.stderr = output
        self.line = ProcessLine(loop, line, identity.uid, self._received, self._line_ended)
        share = output_share or LoopShare(loop.time())
        self._output_reader = LimitedReader(loop, output.fileno(), self._read_output, share)

    @property
    def pid(self) -> int:
        """0 until it is known."""
        return self._pid_monitor.pid

    @property
    def pidfd(self) -> Optional[int]:
        """For the descriptor store; it stays this object's."""
        return self._pid_monitor.pidfd

    @property
    def session(self) -> int:
        """The session that it belongs to; 0 if that is not known."""
        return self._pid_monitor.session

    @property
    def alive(self) -> bool:
        """Whether it is known not to have ended."""
        return self._pid_monitor.alive

    def set_pid(self, pid: int, pidfd: Optional[int] = None, becomes_user: bool = False) -> None:
        """Set the pid; from now on the end of the process is noticed.

        :param pidfd: of that process, owned from now on; None: opened here.
        :param becomes_user: it is a child of this process, and still root.
        """
        if pid != self.pid:
            self._cancel_status_timer()
            self._pid_monitor.set_pid(pid, pidfd, becomes_user)
            self.output.pid = pid
            self._events.on_pid_changed(self)

    def set_forked_pid(self, pid: int, pidfd: Optional[int], stderr: AppOutput) -> None:
        """Set the verified pid that the preloader has reported, before the worker itself says hello.

        If the preloader has reported another one before, that worker was forked for a cancelled start: it is killed.

        :param pidfd: as for `set_pid`.
        :param stderr: the preloader's output, to which the worker writes until it has said hello.
        """
        if self.pid:
            self.signal(signal.SIGKILL)
        self.set_pid(pid, pidfd)
        self.stderr = stderr

    def failure(
        self,
        step: str,
        summary: str,
        detail: str = "",
        raised: tuple[SerializedException, ...] = (),
        variables: tuple[tuple[str, str], ...] = (),
    ) -> StartFailure:
        """A start failure with what is known of this process, its last output included.

        :param detail: the traceback.
        :param raised: the same with source lines.
        :param variables: the environment that the process reports; empty: the one that it was started with.
        """
        tail = self.output.tail()
        text = "\n".join(part for part in (detail.rstrip(), tail and "Its output was:\n" + tail) if part)
        shown = variables or hidden(self.environment)
        details = FailureDetails(raised, masking.lines(detail), shown, masking.lines(tail))
        return StartFailure(step, summary, text, self.facts, details=details)

    # Ending it

    def signal(self, number: int) -> None:
        """Signal it, if it has a pid that is still its own."""
        self._pid_monitor.signal(number)

    def kill(self) -> None:
        """SIGKILL it. While the pid is not known its line is closed, which ends it, and that counts as its end."""
        if self.pid:
            self.signal(signal.SIGKILL)
        else:
            self.line.close()
            self._loop.call_soon(self._finish, None)

    def terminate(self) -> None:
        """SIGTERM it. A forked worker that has not said hello is killed: it may still have its preloader's handlers.

        One whose hello is still unread may be in a request already.
        """
        if self.pid and (self.hello_received or self.kind is not ProcessKind.WORKER or self.line.has_unread):
            self.signal(signal.SIGTERM)
        else:
            self.kill()

    def close(self) -> None:
        """Close all its descriptors; the rest of its output is logged first."""
        self._ended = True
        if self._line_timer is not None:
            self._line_timer.cancel()
        self._cancel_status_timer()
        self._pid_monitor.close()
        self.line.close()
        tree, self.tree = self.tree, None
        if tree is not None:
            tree.release()
        if self.output.fileno() >= 0:
            self._output_reader.stop()
            self.output.close()

    # Its messages

    def _received(self, packet: Packet) -> None:
        """Handle a message.

        :raises PeerError: this process may not send it now.
        """
        kind = packet.type
        self._check_allowed(kind)
        packet.fields = message_limits.cut(packet.fields)
        if kind == "hello":
            self._hello(packet)
        elif kind == "loaded":
            self._loaded(packet)
        elif kind == "ready":
            self._ready(packet)
        elif kind == "failed":
            self._failed(packet)
        elif kind == "max_requests_reached":
            self._events.on_max_requests(self, packet.number("requests"))
        elif kind == "work_requested":
            self._events.on_work_requested(self)
        elif kind == "work_done":
            self._events.on_work_done(self, packet.get("seconds"))
        elif kind == "warning":
            self._events.on_warning(self, packet.get("text"))
        elif kind == "forked":
            self._events.on_forked(self, packet.number("slot"), packet.number("pid"))
        elif kind == "fork_failed":
            self._events.on_fork_failed(self, packet.number("slot"), packet.get("summary"))
        else:
            self._events.on_worker_exited(self, packet.number("pid"), packet.number("status"))

    def _check_allowed(self, kind: str) -> None:
        """Refuse what the tables of states have no row for: it is the process's fault, not a defect of ours."""
        imports = self.kind is not ProcessKind.WORKER
        allowed = {
            "hello": True,
            "failed": True,
            "loaded": imports and self.hello_received,
            "ready": self.loaded if self.kind is ProcessKind.DIRECT else not imports and self.hello_received,
            "max_requests_reached": self.ready,
            "work_requested": self.ready,
            "work_done": self.ready,
            "warning": self.ready,
            "forked": self.kind is ProcessKind.PRELOADER and self.loaded,
            "fork_failed": self.kind is ProcessKind.PRELOADER and self.loaded,
            "exited": self.kind is ProcessKind.PRELOADER and self.loaded,
        }
        if not allowed.get(kind, False):
            raise PeerError("message %r came unexpectedly" % kind)

    def _hello(self, packet: Packet) -> None:
        """The first one counts. An app that executes another interpreter says it again, and is to load there."""
        self.set_pid(packet.pid)
        kept = tuple(fact for fact in self.facts if fact[0] not in ("runtime", "executable"))
        self.facts = (*kept, ("runtime", packet.get("runtime")), ("executable", packet.get("executable")))
        if not self.hello_received:
            self.hello_received = True
            self.stderr = self.output
            self._events.on_hello(self)
        if self.kind is not ProcessKind.WORKER and not self.loaded:
            self._events.on_load_wanted(self)

    # Of each of these messages, too, only the first one counts: a spawner that is killed leaves it to the next one.

    def _loaded(self, packet: Packet) -> None:
        if not self.loaded:
            self.loaded = True
            self._set_runtime(packet)
            self._events.on_loaded(self, packet.get("seconds"))

    def _set_runtime(self, packet: Packet) -> None:
        """What runs the app, where that is not what has said hello: Node.js."""
        named = {name: packet.get(name) for name in ("runtime", "executable") if packet.get(name)}
        self.facts = tuple((name, named.get(name, value)) for name, value in self.facts)

    def _ready(self, packet: Packet) -> None:
        if not self.ready:
            self.ready = True
            if self.kind is ProcessKind.WORKER:
                self._events.on_import_warnings(self, packet.get_all("warning"))
            if self.tree is not None:
                self.tree.has_served = True
            self._events.on_ready(self, frozenset(packet.get("capabilities").split()), packet.get("route"))

    def _failed(self, packet: Packet) -> None:
        if not self.failed:
            self.failed = True
            self._events.on_start_failed(self, self._reported_failure(packet))

    def _reported_failure(self, packet: Packet) -> StartFailure:
        self._read_output()
        self._set_runtime(packet)
        self.facts += (("working directory", packet.get("cwd")),)
        if packet.get_all("search_path"):
            self.facts += (("search path", "\n".join(packet.get_all("search_path"))),)
        raised, variables = raised_from(packet.get("exceptions")), variables_from(packet.fields)
        step = packet.get("step")
        step = step if step in start_steps.ALL else start_steps.IMPORT
        return self.failure(step, packet.get("summary"), packet.get("traceback"), raised, variables)

    def _read_output(self) -> None:
        if self.output.fileno() >= 0 and not self.output.read_some():
            self._output_reader.stop()

    # Its end

    def _line_ended(self, reason: Optional[str]) -> None:
        if reason is not None:
            self._events.on_protocol_error(self, reason)
            self.kill()
        if self._ended:
            return
        if self.pid == 0:
            self._finish(None)  # it was forked and has ended before it said anything
        else:
            self._line_timer = self._loop.call_later(_CLOSED_LINE_TIMEOUT, self._line_timeout)

    def _line_timeout(self) -> None:
        """A process that cannot be told to retire, or to fork, is of no use."""
        self._events.on_protocol_error(self, "closed its control line and lives on")

    def _process_exited(self) -> None:
        self.line.read_rest()
        status = self._events.exit_status(self.pid)
        if status is None and not self._ended:
            self._status_timer = self._loop.call_later(_STATUS_TIMEOUT, self._finish_with_status)
        else:
            self._finish(status)

    def on_status_known(self) -> None:
        """The exit status is known now; the end of the process may have waited for it."""
        waits = self._status_timer is not None or self._pid_monitor.polling
        if waits and not self._ended and not self.alive:
            self._finish_with_status()

    def _finish_with_status(self) -> None:
        self._finish(self._events.exit_status(self.pid))

    def _finish(self, status: Optional[int]) -> None:
        if not self._ended:
            self._ended = True
            self._read_output()
            self._events.on_exit(self, status)

    def _cancel_status_timer(self) -> None:
        if self._status_timer is not None:
            self._status_timer.cancel()
            self._status_timer = None


# Every app group and every process: what the pool knows of it, and what the operating system has of it.
AppRegistry = Registry[GroupResources, AppProcess]
