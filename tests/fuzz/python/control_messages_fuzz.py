"""Control messages of processes, in sequences: over real sockets through ProcessLine, AppProcess and the daemon's
handlers to the pool. The processes of the pool are this one, and nothing is signalled. Checked: the pool's invariants
after every event; a message that is not allowed kills its sender and nobody else; nothing else is raised; each process
costs the descriptors that it should, and none is left; what the spawner holds of messages stays bounded."""

from __future__ import annotations

import array
import contextlib
import os
import signal
import socket
from types import SimpleNamespace
from typing import Any, Callable, Optional

from tests.fuzz.python.harness import Input, fuzz, instrumented, open_descriptors, wait_for_closings

with instrumented():
    from spawner.app_types import CAPABILITIES, capabilities_of
    from spawner.daemon.process_events import ProcessEventHandlers
    from spawner.logs.app_output import AppOutput, OutputFormat
    from spawner.pool.states import ProcessKind
    from spawner.processes.app_process import AppProcess
    from spawner.processes.import_warnings import ImportWarnings
    from spawner.processes.launcher import set_up_line
    from spawner.system import packets
    from spawner.system.linux import Identity
    from tests.unit.pool.world import World

_UID = os.getuid()
_IDENTITY = Identity("app", _UID, _UID, (_UID,), "/", "/bin/sh", switch=False)
_KINDS = ["hello", "loaded", "ready", "failed", "max_requests_reached", "work_requested", "work_done", "warning"]
_KINDS += ["forked", "fork_failed", "exited", "load", ""]
_OF_SERVING = ("max_requests_reached", "work_requested", "work_done", "warning")
_FULL = [("capabilities", " ".join(sorted(capabilities_of("wsgi"))))]
_NAMES = ["seconds", "warning", "capabilities", "route", "step", "summary", "traceback", "cwd", "search_path"]
_NAMES += ["exceptions", "slot", "pid", "status", "requests", "text", "python", "executable", "env:A", "type"]
_VALUES = ["0", "1", "2", "-1", str(os.getpid()), "9" * 19, "x", " ".join(CAPABILITIES), '[{"frames": 1}]', "a" * 5000]


class _Loop:
    """Stands in for the loop of the spawner: nothing happens by itself."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._later: list[SimpleNamespace] = []

    def time(self) -> float:
        return self.now

    def add_reader(self, descriptor: int, read: Callable[..., None], *arguments: Any) -> None:
        assert descriptor >= 0

    def remove_reader(self, descriptor: int) -> bool:
        return True

    def call_later(self, seconds: float, action: Callable[..., None], *arguments: Any) -> Any:
        later = SimpleNamespace(when=self.now + seconds, run=lambda: action(*arguments))
        later.cancel = lambda: self._later.remove(later) if later in self._later else None
        self._later.append(later)
        return later

    def call_soon(self, action: Callable[..., None], *arguments: Any) -> Any:
        return self.call_later(0.0, action, *arguments)

    def let_pass(self, seconds: float) -> None:
        self.now += seconds
        for later in [each for each in self._later if each.when <= self.now]:
            if later in self._later:
                self._later.remove(later)
                later.run()


class _Process(AppProcess):
    """A process that is never signalled: it is noted that it would end."""

    killed = False

    def signal(self, number: int) -> None:
        self.killed |= number == signal.SIGKILL


class _Spawner:
    """The pool with the handlers of its processes' messages."""

    def __init__(self, given: Input) -> None:
        self.world = World(max_pool_size=3, pool_idle_time=60)
        self.loop: Any = _Loop()
        self.theirs: dict[int, socket.socket] = {}
        self._outputs: dict[int, int] = {}
        registry = self.world.pool.registry
        quiet: Any = SimpleNamespace(info=_nothing, error=_nothing, write=_nothing)
        sender: Any = SimpleNamespace(send=_nothing, keep_route=_nothing)
        timeouts: Any = SimpleNamespace(capture_if_late=_nothing, forget=_nothing)
        store: Any = SimpleNamespace(mark_process=_nothing, mark_group=_nothing)
        reaper: Any = SimpleNamespace(collect=_nothing, pop_status=lambda pid: 0, add_status=_nothing)
        self.handlers = ProcessEventHandlers(
            self.loop, self.world.pool, registry, self._dispatch, quiet, sender, timeouts, store, reaper, _nothing
        )
        how = given.number()
        method = "direct" if how & 1 else "smart"
        self.world.register("app", spawn_method=method, min_instances=how >> 1 & 3, max_requests=how >> 3 & 1)
        resources = SimpleNamespace(key="app", import_warnings=ImportWarnings(), tolerated=set())
        resources.tolerated_generation = 0
        registry.groups.attach("app", resources)
        self.world.request("app")
        self.meet()

    def _dispatch(self, event: Callable[..., Any], *arguments: Any) -> None:
        self.world.step(event, *arguments)

    @property
    def handles(self) -> dict[int, _Process]:
        return dict(self.world.pool.registry.processes.handles)

    def meet(self) -> None:
        """Each process of the pool gets its descriptors, and those that it has forgotten lose them."""
        known = self.handles
        for process_id, entry in dict(self.world.pool.processes).items():
            if process_id not in known:
                self._attach(process_id, entry)
        for process_id, process in known.items():
            if process_id not in self.world.pool.processes:
                self.world.pool.registry.processes.detach(process_id)
                process.close()
                self.theirs.pop(process_id).close()
                os.close(self._outputs.pop(process_id))

    def _attach(self, process_id: int, entry: Any) -> None:
        ours, self.theirs[process_id] = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.theirs[process_id].setblocking(False)
        set_up_line(ours)
        output, self._outputs[process_id] = os.pipe()
        sink = AppOutput(output, 0, _nothing, lambda: OutputFormat(3, True))
        process = _Process(
            self.loop, self.handlers, process_id, "app", entry.kind, entry.generation, entry.slot, _IDENTITY, ours, sink
        )
        self.world.pool.registry.processes.attach(process_id, process)

    def end(self, process: _Process) -> None:
        """The process has ended, as its pidfd would say."""
        process._process_exited()
        self.loop.let_pass(0.3)
        self.meet()

    def close(self) -> None:
        self.world.step(self.world.pool.shut_down, self.world.now + 3)
        for _ in range(20):
            self.meet()
            for process_id in list(self.world.pool.processes):
                self.world.step(self.world.pool.process_exited, process_id, 0)
        self.meet()
        assert not self.world.pool.processes
        assert not self.theirs


def _nothing(*arguments: Any, **named: Any) -> None:
    return None


def _message(process: _Process, given: Input) -> list[tuple[str, str]]:
    """Mostly the one that brings the process on."""
    expected = "hello" if not process.hello_received else "ready"
    if process.kind is not ProcessKind.WORKER and process.hello_received and not process.loaded:
        expected = "loaded"
    elif process.kind is ProcessKind.PRELOADER and process.loaded:
        expected = "forked"
    fields = [("type", expected if given.number() < 150 else given.choice(_KINDS))]
    if given.number() < 180:
        fields += _FULL
    for _ in range(given.number() % 6):
        fields.append((given.choice(_NAMES), given.choice(_VALUES) if given.number() & 1 else given.text()))
    return [(name, value.replace("\0", "")) for name, value in fields]


def _send(line: socket.socket, data: bytes, descriptor: Optional[int] = None) -> None:
    passed = array.array("i", [] if descriptor is None else [descriptor])
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, passed)] if passed else []
    with contextlib.suppress(OSError):
        line.sendmsg([data], ancillary, socket.MSG_NOSIGNAL)


def _step(spawner: _Spawner, given: Input) -> None:
    handles = spawner.handles
    what = given.number()
    if what < 24 or not handles:
        seconds = (0.1, 1.0, 10.0, 100.0)[what % 4]
        spawner.loop.let_pass(seconds)
        spawner.world.advance(seconds)
    elif what < 32:
        spawner.world.step(spawner.world.pool.restart, "app")
    elif what < 40 and spawner.world.pool.groups["app"].queue_watched:
        spawner.world.request("app")
    else:
        process = handles[given.choice(sorted(handles))]
        _act(spawner, process, what, given)
    spawner.meet()
    for process in spawner.handles.values():
        if process.killed:
            spawner.end(process)


def _act(spawner: _Spawner, process: _Process, what: int, given: Input) -> None:
    theirs = spawner.theirs[process.process_id]
    is_refused = False
    if what < 56:
        spawner.end(process)
    elif what < 60:
        with contextlib.suppress(OSError):
            theirs.shutdown(socket.SHUT_RDWR)
    elif what < 72:
        _send(theirs, given.take(given.number()))
    elif what < 78:
        _send(theirs, packets.encode([("type", "hello")]), spawner._outputs[process.process_id])
    else:
        messages = [_message(process, given) for _ in range(1 + (what >> 6 & 1))]
        is_refused = messages[0][0][1] in _OF_SERVING and not process.ready
        for message in messages:
            _send(theirs, packets.encode(message))
    process.line.read_rest()
    assert not is_refused or process.line.descriptor == -1
    assert sum(len(value) for fact in process.facts for value in fact) < 900_000
    assert len(process.facts) < 200


def one(data: bytes) -> None:
    """One app, from its first request on."""
    given = Input(data)
    before = open_descriptors()
    spawner = _Spawner(given)
    for _ in range(60):
        if not given.left:
            break
        _step(spawner, given)
    spawner.close()
    wait_for_closings()
    assert open_descriptors() == before


if __name__ == "__main__":
    fuzz(one)
