"""One process of an app, with all that the operating system has of it: line, output, pid."""

from __future__ import annotations

import asyncio
import signal
import socket
from typing import Mapping, Optional, Protocol

from spawner.errors import PeerError
from spawner.logs.app_output import AppOutput
from spawner.pool.states import ProcessKind
from spawner.processes.process_line import ProcessLine
from spawner.shared import masking, start_steps
from spawner.shared.exception_serializer import SerializedException
from spawner.start_failure import FailureDetails, StartFailure, hidden, raised_from, variables_from
from spawner.system import linux
from spawner.system.linux import Identity
from spawner.system.packets import Packet

_STATUS_PATIENCE = 0.2  # seconds in which the preloader of a worker that ended may report its status
_MUTE_PATIENCE = 5.0  # seconds in which a process whose line has ended is to end
_POLL = 0.5  # seconds between looks at a pid on kernels without pidfds


class ProcessEvents(Protocol):
    """Who is told what happens to a process."""

    def said_hello(self, process: "AppProcess") -> None:
        """It has come up; its pid is known."""

    def said_loaded(self, process: "AppProcess", seconds: str, warnings: list[str]) -> None:
        """It has imported the app."""

    def said_ready(self, process: "AppProcess") -> None:
        """It accepts connections."""

    def said_worn(self, process: "AppProcess", requests: int) -> None:
        """It has served PassengerMaxRequests."""

    def said_work_wanted(self, process: "AppProcess") -> None:
        """Its app has asked for out-of-band work."""

    def said_work_done(self, process: "AppProcess", seconds: str) -> None:
        """It has done that."""

    def start_failed(self, process: "AppProcess", failure: StartFailure) -> None:
        """It says, or shows, that it does not come up."""

    def forked(self, process: "AppProcess", slot: int, pid: int) -> None:
        """A preloader names a worker that it has forked; nobody has checked the pid yet."""

    def fork_failed(self, process: "AppProcess", slot: int, summary: str) -> None:
        """A preloader could not fork a worker."""

    def worker_exited(self, process: "AppProcess", pid: int, status: int) -> None:
        """A preloader says how a worker of its own has ended."""

    def take_status(self, pid: int) -> Optional[int]:
        """The exit status of a process that has ended, if it is known by now."""

    def ended(self, process: "AppProcess", status: Optional[int]) -> None:
        """It has ended."""

    def misbehaved(self, process: "AppProcess", reason: str) -> None:
        """It said on its line what the protocol does not allow."""


class AppProcess:
    """A preloader, worker or direct process from its start to its end.

    A process has ended when its pidfd says so; its line may outlive it (held by what the app has forked) or end
    before it does. Before a forked worker was named by its preloader, or has said hello, its line is all there is.

    :ivar stderr: where what it writes comes in: until a forked worker has said hello that is its preloader's output.
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
        self.route = ""  # of its own socket; empty: it has none
        self.pid = 0
        self.session = 0  # 0: not known
        self.heard = False
        self.loaded = False
        self.ready = False
        self.failed = False
        self._loop = loop
        self._events = events
        self._pidfd: Optional[int] = None
        self._timer: Optional[asyncio.TimerHandle] = None
        self._muted: Optional[asyncio.TimerHandle] = None
        self._done = False
        self.output = self.stderr = output
        self.line = ProcessLine(loop, line, identity.uid, self._received, self._line_ended)
        loop.add_reader(output.fileno(), self._output_readable)

    def set_pid(self, pid: int, pidfd: Optional[int] = None) -> None:
        """Take the pid on; from now on the end of the process is seen.

        :param pidfd: of that process, owned from now on; None: opened here. A pid whose process has ended may be
            somebody else's by now, so a pidfd that is opened counts only if its process runs as the app's user.
        """
        if pid == self.pid:
            return
        self._drop_pidfd()
        self.pid = self.output.pid = pid
        self.session = linux.session_of(pid)
        self._pidfd = pidfd if pidfd is not None else self._open_pidfd()
        if self._pidfd is not None:
            self._loop.add_reader(self._pidfd, self._process_ended)
        else:
            self._timer = self._loop.call_later(0, self._look_for_pid)

    def be_named(self, pid: int, pidfd: Optional[int], stderr: AppOutput) -> None:
        """Take the pid on that a preloader has said, and that was checked, before the process says it itself.

        One that was named before was forked for a start that is wanted no more: it is killed.

        :param pidfd: as for `set_pid`.
        :param stderr: the preloader's, which it writes to until it has said hello.
        """
        if self.pid:
            self.signal(signal.SIGKILL)
        self.set_pid(pid, pidfd)
        self.stderr = stderr

    @property
    def pidfd(self) -> Optional[int]:
        """The process's pidfd, for the store; it stays this object's."""
        return self._pidfd

    def _open_pidfd(self) -> Optional[int]:
        pidfd = linux.open_pidfd(self.pid)
        if pidfd is not None and not linux.runs_as(self.pid, self.identity.uid):
            linux.close_descriptor(pidfd)
            return None
        return pidfd

    def failure(
        self,
        step: str,
        summary: str,
        detail: str = "",
        raised: tuple[SerializedException, ...] = (),
        variables: tuple[tuple[str, str], ...] = (),
    ) -> StartFailure:
        """A failure with what is known of this process, its last output included.

        :param detail: the traceback.
        :param raised: the same with source lines.
        :param variables: the process's environment as it says; without, as it was given.
        """
        tail = self.output.tail()
        text = "\n".join(part for part in (detail.rstrip(), tail and "Its output was:\n" + tail) if part)
        shown = variables or hidden(self.environment)
        details = FailureDetails(raised, masking.lines(detail), shown, masking.lines(tail))
        return StartFailure(step, summary, text, self.facts, details=details)

    def kill(self) -> None:
        """SIGKILL it. Without a pid yet: its line ends, which ends it, and that counts as its end."""
        if self.pid:
            self.signal(signal.SIGKILL)
        else:
            self.line.close()
            self._loop.call_soon(self._finish, None)

    def terminate(self) -> None:
        """SIGTERM it. A forked worker that has not said hello is killed: it may still have its preloader's handlers.

        One that has said it, though nobody has listened yet, may be in a request already.
        """
        if self.pid and (self.heard or self.kind is not ProcessKind.WORKER or self.line.has_news):
            self.signal(signal.SIGTERM)
        else:
            self.kill()

    def signal(self, number: int) -> None:
        """Signal it, if it has a pid that is still its own."""
        if self._pidfd is not None or linux.runs_as(self.pid, self.identity.uid):
            linux.signal_process(self.pid, self._pidfd, number)

    @property
    def alive(self) -> bool:
        """Whether it has not ended, as far as can be told."""
        return self._pidfd is not None and not linux.pidfd_has_ended(self._pidfd)

    def close(self) -> None:
        """Let go of everything; what is left in its output is logged."""
        self._done = True
        if self._muted is not None:
            self._muted.cancel()
        self._drop_pidfd()
        self.line.close()
        if self.output.fileno() >= 0:
            self._loop.remove_reader(self.output.fileno())
            self.output.close()

    # What it says

    def _received(self, packet: Packet) -> None:
        """Deal with a message.

        :raises PeerError: it is not one that this process may send now.
        """
        kind = packet.type
        self._check_turn(kind)
        if kind == "hello":
            self._hello(packet)
        elif kind == "loaded":
            self._loaded(packet)
        elif kind == "ready":
            self._ready()
        elif kind == "failed":
            self._failed(packet)
        elif kind == "worn":
            self._events.said_worn(self, packet.number("requests"))
        elif kind == "work_wanted":
            self._events.said_work_wanted(self)
        elif kind == "work_done":
            self._events.said_work_done(self, packet.get("seconds"))
        elif kind == "forked":
            self._events.forked(self, packet.number("slot"), packet.number("pid"))
        elif kind == "fork_failed":
            self._events.fork_failed(self, packet.number("slot"), packet.get("summary"))
        else:
            self._events.worker_exited(self, packet.number("pid"), packet.number("status"))

    def _check_turn(self, kind: str) -> None:
        """Refuse what the tables of states have no row for: it is the process's fault, not a defect of ours."""
        loads = self.kind is not ProcessKind.WORKER
        possible = {
            "hello": True,
            "failed": True,
            "loaded": loads and self.heard,
            "ready": self.loaded if self.kind is ProcessKind.DIRECT else not loads and self.heard,
            "worn": self.ready,
            "work_wanted": self.ready,
            "work_done": self.ready,
            "forked": self.kind is ProcessKind.PRELOADER and self.loaded,
            "fork_failed": self.kind is ProcessKind.PRELOADER and self.loaded,
            "exited": self.kind is ProcessKind.PRELOADER and self.loaded,
        }
        if not possible.get(kind, False):
            raise PeerError("message %r came unexpectedly" % kind)

    def _loaded(self, packet: Packet) -> None:
        """As with the two that follow, only the first one counts."""
        if not self.loaded:
            self.loaded = True
            self._events.said_loaded(self, packet.get("seconds"), packet.get_all("warning"))

    def _ready(self) -> None:
        if not self.ready:
            self.ready = True
            self._events.said_ready(self)

    def _failed(self, packet: Packet) -> None:
        if not self.failed:
            self.failed = True
            self._events.start_failed(self, self._reported_failure(packet))

    def _hello(self, packet: Packet) -> None:
        """The first one counts; an app that changes to another interpreter says it again."""
        self.set_pid(packet.pid)
        kept = tuple(fact for fact in self.facts if fact[0] not in ("python", "executable"))
        self.facts = (*kept, ("python", packet.get("python")), ("executable", packet.get("executable")))
        if not self.heard:
            self.heard = True
            self.stderr = self.output
            self._events.said_hello(self)

    def _reported_failure(self, packet: Packet) -> StartFailure:
        self._output_readable()
        self.facts += (("working directory", packet.get("cwd")), ("sys.path", "\n".join(packet.get_all("sys_path"))))
        raised, variables = raised_from(packet.get("exceptions")), variables_from(packet.fields)
        step = packet.get("step")
        step = step if step in start_steps.ALL else start_steps.IMPORT
        return self.failure(step, packet.get("summary"), packet.get("traceback"), raised, variables)

    # How it ends

    def _line_ended(self, reason: Optional[str]) -> None:
        if reason is not None:
            self._events.misbehaved(self, reason)
            self.kill()
        if self._done:
            return
        if self.pid == 0:
            self._finish(None)  # forked and gone before it said a word
        else:
            self._muted = self._loop.call_later(_MUTE_PATIENCE, self._give_up_on_line)

    def _give_up_on_line(self) -> None:
        """A process that nobody can tell to retire, or to fork, is of no use."""
        self._events.misbehaved(self, "closed its control line and lives on")

    def _process_ended(self) -> None:
        if self._pidfd is not None:
            self._loop.remove_reader(self._pidfd)
        self.line.read_rest()
        status = self._events.take_status(self.pid)
        if status is None and not self._done:
            self._timer = self._loop.call_later(_STATUS_PATIENCE, self._give_up_on_status)
        else:
            self._finish(status)

    def status_is_known(self) -> None:
        """The status that the end of the process was waiting for has come."""
        if self._timer is not None and not self._done and not self.alive:
            self._give_up_on_status()

    def _give_up_on_status(self) -> None:
        self._finish(self._events.take_status(self.pid))

    def _finish(self, status: Optional[int]) -> None:
        if not self._done:
            self._done = True
            self._output_readable()
            self._events.ended(self, status)

    def _look_for_pid(self) -> None:
        if linux.process_exists(self.pid) and linux.runs_as(self.pid, self.identity.uid):
            self._timer = self._loop.call_later(_POLL, self._look_for_pid)
        else:
            self._process_ended()

    def _drop_pidfd(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._pidfd is not None:
            self._loop.remove_reader(self._pidfd)
            linux.close_descriptor(self._pidfd)
            self._pidfd = None

    def _output_readable(self) -> None:
        if self.output.fileno() >= 0 and not self.output.read_some():
            self._loop.remove_reader(self.output.fileno())
