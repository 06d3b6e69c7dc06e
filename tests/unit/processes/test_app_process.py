"""One process as the spawner has it, with a test at the other end of its line."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
from typing import AsyncIterator, Awaitable, Callable, Optional

import pytest

from spawner.logs.app_output import AppOutput, OutputFormat
from spawner.pool.states import ProcessKind
from spawner.processes import app_process
from spawner.processes.app_process import AppProcess
from spawner.processes.launcher import set_up_line
from spawner.start_failure import StartFailure
from spawner.system import linux, packets
from spawner.system.linux import Identity

NOBODY = 65534  # the kernel's overflowuid


class RecordedEvents:
    """ProcessEvents that writes the events down."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def on_pid_changed(self, process: AppProcess) -> None:
        """Not written down."""

    def on_hello(self, process: AppProcess) -> None:
        self.events.append("hello")

    def on_loaded(self, process: AppProcess, seconds: str) -> None:
        self.events.append("loaded")

    def on_import_warnings(self, process: AppProcess, warnings: list[str]) -> None:
        self.events += ["import warning: " + warning for warning in warnings]

    def on_load_wanted(self, process: AppProcess) -> None:
        self.events.append("load wanted")

    def on_ready(self, process: AppProcess, capabilities: frozenset[str], route: str) -> None:
        self.events.append("ready, can %s" % " and ".join(sorted(capabilities)))

    def on_warning(self, process: AppProcess, text: str) -> None:
        self.events.append("warning: " + text)

    def on_start_failed(self, process: AppProcess, failure: StartFailure) -> None:
        self.events.append("failed")

    def on_forked(self, process: AppProcess, slot: int, pid: int) -> None:
        self.events.append("forked %d: %d" % (slot, pid))

    def on_fork_failed(self, process: AppProcess, slot: int, summary: str) -> None:
        self.events.append("fork failed")

    def on_worker_exited(self, process: AppProcess, pid: int, status: int) -> None:
        self.events.append("exited")

    def exit_status(self, pid: int) -> Optional[int]:
        return 0

    def on_exit(self, process: AppProcess, status: Optional[int]) -> None:
        self.events.append("ended")

    def on_protocol_error(self, process: AppProcess, reason: str) -> None:
        self.events.append("protocol error: " + reason)


class Ends:
    """A process, the other end of its line, and the events."""

    def __init__(self, kind: ProcessKind, uid: int, sent_early: tuple[str, ...] = ()) -> None:
        self.recorded = RecordedEvents()
        ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.send(*sent_early)
        set_up_line(ours)
        output, self.write_end = os.pipe()
        identity = Identity("app", uid, uid, (uid,), "/", "/bin/sh", switch=False)
        sink = AppOutput(output, 0, lambda: None, lambda: OutputFormat(3, True))
        self.process = AppProcess(
            asyncio.get_running_loop(), self.recorded, 1, "app", kind, 1, None, identity, ours, sink
        )  # fmt: skip

    def send(self, *kinds: str) -> None:
        for kind in kinds:
            packets.send(self.theirs, [("type", kind)])

    async def until(self, event: str) -> None:
        for _ in range(2000):
            if any(found.startswith(event) for found in self.recorded.events):
                return
            await asyncio.sleep(0.005)
        raise AssertionError("%s did not come, but %s" % (event, self.recorded.events))


@contextlib.asynccontextmanager
async def ends(
    kind: ProcessKind, uid: Optional[int] = None, sent_early: tuple[str, ...] = ()
) -> AsyncIterator[Ends]:
    both = Ends(kind, os.getuid() if uid is None else uid, sent_early)
    try:
        yield both
    finally:
        both.process.close()
        both.theirs.close()
        os.close(both.write_end)


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(test(), 20)

    asyncio.run(bounded())


def test_a_message_without_a_sender_ends_the_process() -> None:
    """What was sent before the line asks for credentials has no sender, and nobody's uid: that of the user nobody."""

    async def test() -> None:
        async with ends(ProcessKind.WORKER, NOBODY, sent_early=("hello",)) as both:
            await both.until("protocol error: a message without a sender")
            assert both.process.pid == 0
            assert "hello" not in both.recorded.events

    run(test)


def test_a_message_that_an_earlier_spawner_has_handled_already_is_ignored() -> None:
    async def test() -> None:
        async with ends(ProcessKind.PRELOADER) as both:
            both.process.hello_received = both.process.loaded = True
            both.send("hello", "loaded")
            packets.send(both.theirs, [("type", "exited"), ("pid", "5"), ("status", "0")])
            await both.until("exited")
            assert both.recorded.events == ["exited"]

    run(test)


@pytest.mark.parametrize(("kind", "load"), [(ProcessKind.PRELOADER, ["load wanted"]), (ProcessKind.WORKER, [])])
def test_a_second_hello_before_the_app_is_loaded_asks_for_another_load(kind: ProcessKind, load: list[str]) -> None:
    async def test() -> None:
        async with ends(kind) as both:
            both.send("hello", "hello")
            packets.send(both.theirs, [("type", "failed")])
            await both.until("failed")
            assert both.recorded.events == ["hello", *load, *load, "failed"]

    run(test)


@pytest.mark.parametrize("message", ["loaded", "failed"])
def test_what_runs_the_app_may_be_said_later_than_hello(message: str) -> None:
    async def test() -> None:
        async with ends(ProcessKind.DIRECT) as both:
            hello = [("type", "hello"), ("runtime", "Python 3.11.2"), ("executable", "/usr/bin/python3")]
            packets.send(both.theirs, hello)
            packets.send(both.theirs, [("type", message), ("runtime", "Node.js 20.1.0"), ("executable", "/opt/node")])
            await both.until(message)
            facts = dict(both.process.facts)
            assert (facts["runtime"], facts["executable"]) == ("Node.js 20.1.0", "/opt/node")

    run(test)


def test_ready_says_what_a_process_can_do() -> None:
    async def test() -> None:
        async with ends(ProcessKind.WORKER) as both:
            both.send("hello")
            packets.send(both.theirs, [("type", "ready"), ("slot", "0"), ("capabilities", "frames expect")])
            await both.until("ready")
            assert both.recorded.events == ["hello", "ready, can expect and frames"]

    run(test)


def test_a_worker_that_sends_what_only_a_preloader_may_send_is_killed_and_is_no_defect() -> None:
    async def test() -> None:
        for kind, message in [
            (ProcessKind.WORKER, "loaded"), (ProcessKind.WORKER, "exited"), (ProcessKind.PRELOADER, "ready"),
            (ProcessKind.DIRECT, "ready"), (ProcessKind.PRELOADER, "fork_failed"), (ProcessKind.WORKER, "nonsense"),
            (ProcessKind.WORKER, "forked"), (ProcessKind.PRELOADER, "forked"),
        ]:  # fmt: skip
            async with ends(kind) as both:
                with subprocess.Popen(["sleep", "60"]) as child:
                    both.process.hello_received = True
                    both.process.set_pid(child.pid)
                    both.send(message)
                    await both.until("protocol error: message %r came unexpectedly" % message)
                    assert child.wait() == -9

    run(test)


def test_a_worker_that_is_killed_before_its_hello_has_ended() -> None:
    async def test() -> None:
        async with ends(ProcessKind.WORKER) as both:
            both.process.kill()
            await both.until("ended")

    run(test)


def test_a_worker_whose_pid_is_known_but_that_has_not_said_hello_is_killed_when_it_is_to_end() -> None:
    program = ["sh", "-c", "trap : TERM; echo; sleep 60 & wait; wait"]

    async def test() -> None:
        for end in (AppProcess.kill, AppProcess.terminate):
            with subprocess.Popen(program, stdout=subprocess.PIPE) as child:
                assert child.stdout is not None
                child.stdout.readline()
                async with ends(ProcessKind.WORKER) as both:
                    both.process.set_forked_pid(child.pid, linux.open_pidfd(child.pid), both.process.output)
                    end(both.process)
                    await both.until("ended")
                    assert child.wait() == -9

    run(test)


def test_a_worker_whose_hello_is_unread_may_finish_its_request_when_it_is_to_end() -> None:
    program = ["sh", "-c", "trap 'exit 7' TERM; echo; sleep 60 & wait"]

    async def test() -> None:
        with subprocess.Popen(program, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            child.stdout.readline()
            async with ends(ProcessKind.WORKER) as both:
                both.process.set_forked_pid(child.pid, linux.open_pidfd(child.pid), both.process.output)
                both.send("hello")
                both.process.terminate()
                assert child.wait() == 7

    run(test)


def test_a_second_pid_from_the_preloader_ends_the_process_of_the_first() -> None:
    async def test() -> None:
        with subprocess.Popen(["sleep", "60"]) as one, subprocess.Popen(["sleep", "60"]) as two:
            async with ends(ProcessKind.WORKER) as both:
                for child in (one, two):
                    both.process.set_forked_pid(child.pid, linux.open_pidfd(child.pid), both.process.output)
                assert one.wait() == -9
                assert (both.process.pid, both.process.alive) == (two.pid, True)
            two.kill()

    run(test)


def test_a_pid_that_is_another_user_s_by_now_is_neither_waited_for_nor_killed() -> None:
    async def test() -> None:
        with subprocess.Popen(["sleep", "60"]) as other:
            async with ends(ProcessKind.WORKER, os.getuid() + 1) as both:
                both.process.set_pid(other.pid)
                both.process.kill()
                await both.until("ended")
                assert other.poll() is None
            other.kill()

    run(test)


@pytest.mark.needs_root
def test_without_pidfds_a_process_that_is_about_to_become_its_user_has_not_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(linux, "open_pidfd", lambda pid: None)

    async def test() -> None:
        with subprocess.Popen(["sleep", "60"]) as child:
            async with ends(ProcessKind.PRELOADER, os.getuid() + 1) as both:
                both.process.set_pid(child.pid, None, becomes_user=True)
                for _ in range(5):
                    await asyncio.sleep(0)
                assert both.recorded.events == []
                child.kill()
                child.wait()
                await both.until("ended")

    run(test)


def test_a_given_pidfd_counts_and_not_the_pid() -> None:
    async def test() -> None:
        with subprocess.Popen(["sleep", "60"]) as gone, subprocess.Popen(["sleep", "60"]) as other:
            pidfd = linux.open_pidfd(gone.pid)
            gone.kill()
            gone.wait()
            async with ends(ProcessKind.WORKER) as both:
                both.process.set_pid(other.pid, pidfd)  # as if the number had been given to another process
                await both.until("ended")
                both.process.kill()
                assert other.poll() is None
            other.kill()

    run(test)


def test_a_process_that_closes_its_line_and_lives_on_is_a_protocol_error() -> None:
    before = app_process._CLOSED_LINE_TIMEOUT
    app_process._CLOSED_LINE_TIMEOUT = 0.05

    async def test() -> None:
        with subprocess.Popen(["sleep", "60"]) as child:
            async with ends(ProcessKind.PRELOADER) as both:
                both.process.set_pid(child.pid)
                both.theirs.close()
                await both.until("protocol error: closed its control line and lives on")
            child.kill()

    try:
        run(test)
    finally:
        app_process._CLOSED_LINE_TIMEOUT = before


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_what_a_process_said_last_comes_before_its_end_even_if_the_end_is_noticed_first() -> None:
    async def test() -> None:
        with subprocess.Popen(["true"]) as child:
            async with ends(ProcessKind.WORKER) as both:
                both.process.set_pid(child.pid)
                both.send("hello", "failed")
                both.process._process_exited()
                assert both.recorded.events == ["hello", "failed", "ended"]

    run(test)


def test_of_each_pid_that_a_process_has_had_only_the_last_one_costs_a_descriptor() -> None:
    async def test() -> None:
        with subprocess.Popen(["sleep", "60"]) as one, subprocess.Popen(["sleep", "60"]) as two:
            async with ends(ProcessKind.DIRECT) as both:
                before = descriptors()
                for child in (one, two, one):
                    both.process.set_pid(child.pid)
                assert descriptors() == before + 1
                both.process.close()
                assert descriptors() < before, "line and output are closed, too"
            for child in (one, two):
                child.kill()

    run(test)


def test_a_pid_of_another_user_costs_no_descriptor() -> None:
    async def test() -> None:
        with subprocess.Popen(["sleep", "60"]) as other:
            async with ends(ProcessKind.WORKER, os.getuid() + 1) as both:
                before = descriptors()
                both.process.set_pid(other.pid)
                assert descriptors() == before
            other.kill()

    run(test)


def test_nothing_happens_to_a_process_that_is_closed() -> None:
    async def test() -> None:
        with subprocess.Popen(["sleep", "60"]) as child:
            async with ends(ProcessKind.PRELOADER) as both:
                both.process.set_pid(child.pid)
                both.theirs.close()
                while both.process._line_timer is None:
                    await asyncio.sleep(0.001)
                both.process._status_timer = status = asyncio.get_running_loop().call_later(60, both.process.kill)
                both.process.close()
                assert (both.process._line_timer.cancelled(), status.cancelled()) == (True, True)
                assert both.recorded.events == []
            child.kill()

    run(test)
