"""One process as the spawner has it, with a test at the other end of its line."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
from typing import AsyncIterator, Awaitable, Callable, Optional

from spawner.logs.app_output import AppOutput, OutputFormat
from spawner.pool.states import ProcessKind
from spawner.processes import app_process
from spawner.processes.app_process import AppProcess
from spawner.processes.launcher import prepare_line
from spawner.start_failure import StartFailure
from spawner.system import linux, packets
from spawner.system.linux import Identity

NOBODY = 65534  # the kernel's overflowuid


class Heard:
    """What a process was heard to do: ProcessEvents."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def said_hello(self, process: AppProcess) -> None:
        self.events.append("hello")

    def said_loaded(self, process: AppProcess, seconds: str, warnings: list[str]) -> None:
        self.events.append("loaded")

    def said_ready(self, process: AppProcess) -> None:
        self.events.append("ready")

    def start_failed(self, process: AppProcess, failure: StartFailure) -> None:
        self.events.append("failed")

    def forked(self, process: AppProcess, slot: int, pid: int) -> None:
        self.events.append("forked %d: %d" % (slot, pid))

    def fork_failed(self, process: AppProcess, slot: int, summary: str) -> None:
        self.events.append("fork failed")

    def worker_exited(self, process: AppProcess, pid: int, status: int) -> None:
        self.events.append("exited")

    def take_status(self, pid: int) -> Optional[int]:
        return 0

    def ended(self, process: AppProcess, status: Optional[int]) -> None:
        self.events.append("ended")

    def misbehaved(self, process: AppProcess, reason: str) -> None:
        self.events.append("misbehaved: " + reason)


class Ends:
    """A process, the other end of its line, and what was heard."""

    def __init__(self, kind: ProcessKind, uid: int, said_early: tuple[str, ...] = ()) -> None:
        self.heard = Heard()
        ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.say(*said_early)
        prepare_line(ours)
        output, self.write_end = os.pipe()
        identity = Identity("app", uid, uid, (uid,), "/", "/bin/sh", switch=False)
        writer = AppOutput(output, 0, lambda: None, lambda: OutputFormat(3, True))
        self.process = AppProcess(
            asyncio.get_running_loop(), self.heard, 1, "app", kind, 1, None, identity, ours, writer
        )  # fmt: skip

    def say(self, *kinds: str) -> None:
        for kind in kinds:
            packets.send(self.theirs, [("type", kind)])

    async def until(self, event: str) -> None:
        for _ in range(2000):
            if any(said.startswith(event) for said in self.heard.events):
                return
            await asyncio.sleep(0.005)
        raise AssertionError("%s was not heard, but %s" % (event, self.heard.events))


@contextlib.asynccontextmanager
async def ends(
    kind: ProcessKind, uid: Optional[int] = None, said_early: tuple[str, ...] = ()
) -> AsyncIterator[Ends]:
    both = Ends(kind, os.getuid() if uid is None else uid, said_early)
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


def test_a_process_that_the_kernel_does_not_name_is_none_of_ours() -> None:
    """What was said before the line asks for credentials has no sender, and nobody's uid: that of the user nobody."""

    async def test() -> None:
        async with ends(ProcessKind.WORKER, NOBODY, said_early=("hello",)) as both:
            await both.until("misbehaved: a message whose sender the kernel does not tell")
            assert both.process.pid == 0
            assert "hello" not in both.heard.events

    run(test)


def test_what_an_earlier_spawner_has_dealt_with_already_may_be_heard_again() -> None:
    async def test() -> None:
        async with ends(ProcessKind.PRELOADER) as both:
            both.process.heard = both.process.loaded = True
            both.say("hello", "loaded")
            packets.send(both.theirs, [("type", "exited"), ("pid", "5"), ("status", "0")])
            await both.until("exited")
            assert both.heard.events == ["exited"]

    run(test)


def test_a_worker_that_says_what_only_a_preloader_can_say_has_misbehaved_and_is_no_defect() -> None:
    async def test() -> None:
        for kind, message in [
            (ProcessKind.WORKER, "loaded"), (ProcessKind.WORKER, "exited"), (ProcessKind.PRELOADER, "ready"),
            (ProcessKind.DIRECT, "ready"), (ProcessKind.PRELOADER, "fork_failed"), (ProcessKind.WORKER, "nonsense"),
            (ProcessKind.WORKER, "forked"), (ProcessKind.PRELOADER, "forked"),
        ]:  # fmt: skip
            async with ends(kind) as both:
                with subprocess.Popen(["sleep", "60"]) as child:
                    both.process.heard = True
                    both.process.set_pid(child.pid)
                    both.say(message)
                    await both.until("misbehaved: message %r came unexpectedly" % message)
                    assert child.wait() == -9

    run(test)


def test_a_worker_that_is_killed_before_anything_was_heard_of_it_has_ended() -> None:
    async def test() -> None:
        async with ends(ProcessKind.WORKER) as both:
            both.process.kill()
            await both.until("ended")

    run(test)


def test_a_worker_that_was_named_and_is_silent_is_killed_when_it_is_to_end() -> None:
    program = ["sh", "-c", "trap : TERM; echo; sleep 60 & wait; wait"]

    async def test() -> None:
        for end in (AppProcess.kill, AppProcess.terminate):
            with subprocess.Popen(program, stdout=subprocess.PIPE) as child:
                assert child.stdout is not None
                child.stdout.readline()
                async with ends(ProcessKind.WORKER) as both:
                    both.process.be_named(child.pid, linux.open_pidfd(child.pid), both.process.output)
                    end(both.process)
                    await both.until("ended")
                    assert child.wait() == -9

    run(test)


def test_a_worker_whose_hello_nobody_has_read_may_finish_its_request_when_it_is_to_end() -> None:
    program = ["sh", "-c", "trap 'exit 7' TERM; echo; sleep 60 & wait"]

    async def test() -> None:
        with subprocess.Popen(program, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            child.stdout.readline()
            async with ends(ProcessKind.WORKER) as both:
                both.process.be_named(child.pid, linux.open_pidfd(child.pid), both.process.output)
                both.say("hello")
                both.process.terminate()
                assert child.wait() == 7

    run(test)


def test_a_worker_that_is_named_anew_leaves_nothing_of_the_one_before() -> None:
    async def test() -> None:
        with subprocess.Popen(["sleep", "60"]) as one, subprocess.Popen(["sleep", "60"]) as two:
            async with ends(ProcessKind.WORKER) as both:
                for child in (one, two):
                    both.process.be_named(child.pid, linux.open_pidfd(child.pid), both.process.output)
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


def test_a_pidfd_that_was_handed_over_is_believed_and_not_the_pid() -> None:
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


def test_a_process_that_closes_its_line_and_lives_on_has_misbehaved() -> None:
    before = app_process._MUTE_PATIENCE
    app_process._MUTE_PATIENCE = 0.05

    async def test() -> None:
        with subprocess.Popen(["sleep", "60"]) as child:
            async with ends(ProcessKind.PRELOADER) as both:
                both.process.set_pid(child.pid)
                both.theirs.close()
                await both.until("misbehaved: closed its control line and lives on")
            child.kill()

    try:
        run(test)
    finally:
        app_process._MUTE_PATIENCE = before
