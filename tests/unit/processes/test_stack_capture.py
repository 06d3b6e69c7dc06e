"""Stacks: which lines are faulthandler's, and what a process answers that is asked for its stacks."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Awaitable, Callable

import pytest

from spawner.logs.app_output import AppOutput, OutputFormat
from spawner.logs.log_writer import LogWriter
from spawner.pool.registry import Registry
from spawner.processes import stack_capture
from spawner.processes.stack_capture import BACKTRACE_SIGNAL, NO_ANSWER, NOT_POSSIBLE, StackCapture, StackLines
from tests.unit.support.loops import until

DUMP = [
    b"Thread 0x00007f10 [pool-1] (most recent call first):",
    b'  File "/srv/app/a b.py", line 3 in slow',
    b'  File "<string>", line 1 in <module>',
    b"",
    b"Current thread 0x00007f20 (most recent call first):",
    b"  <no Python frame>",
]
PROGRAM = (
    """
import faulthandler, sys, time, threading
faulthandler.register(%d, file=sys.stderr, all_threads=True)
def slow():
    time.sleep(100)
threading.Thread(target=slow, daemon=True).start()
print("up", flush=True)
while True:
    time.sleep(0.02)
    print("said", flush=True)
"""
    % BACKTRACE_SIGNAL
)


def test_all_lines_of_stacks_are_kept() -> None:
    lines = StackLines()
    assert lines.filter(DUMP) == []
    assert lines.text() == b"\n".join(DUMP).decode()


@pytest.mark.parametrize("cut", range(len(DUMP)))
def test_what_others_print_meanwhile_is_not_kept(cut: int) -> None:
    lines = StackLines()
    assert lines.filter([*DUMP[:cut], b"said", *DUMP[cut:]])[:1] == [b"said"]


def test_an_ordinary_traceback_and_empty_lines_are_not_kept() -> None:
    traceback = [b"Traceback (most recent call last):", b'  File "/srv/app/x.py", line 3, in slow', b"", b"ValueError"]
    lines = StackLines()
    assert lines.filter(traceback) == traceback
    assert not lines.started


class Shown:
    """A process and its output, as far as stacks need them of an AppProcess."""

    def __init__(self, program: str, log: Path) -> None:
        read_end, write_end = os.pipe()
        self._writer = LogWriter.open(str(log))
        self.process = subprocess.Popen([sys.executable, "-c", program], stdout=write_end, stderr=write_end)
        os.close(write_end)
        self.process_id, self.pid, self.key, self.hello_received = 7, self.process.pid, "/srv/app", True
        self.output = self.stderr = AppOutput(read_end, self.pid, lambda: self._writer, lambda: OutputFormat(3, False))
        self.line: Any = None
        asyncio.get_running_loop().add_reader(read_end, self.output.read_some)

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        asyncio.get_running_loop().remove_reader(self.output.fileno())
        self.output.close()
        self._writer.close()


def with_process(log: Path, test: Callable[[StackCapture, Shown], Awaitable[None]], program: str = PROGRAM) -> None:
    async def main() -> None:
        shown = Shown(program, log)
        registry: Any = Registry()
        registry.processes.attach(7, shown)
        stacks = StackCapture(asyncio.get_running_loop(), registry, "/run/instance")
        try:
            await until(lambda: "up" in log.read_text(), "the program's start")
            await test(stacks, shown)
        finally:
            shown.close()

    asyncio.run(main())


def test_a_process_shows_all_its_threads_and_the_log_has_nothing_of_it(tmp_path: Path) -> None:
    async def test(stacks: StackCapture, shown: Shown) -> None:
        text = await stacks.stacks_of(7)
        assert "in slow" in text
        assert text.count("most recent call first") == 2
        assert "said" not in text
        assert "most recent" not in (tmp_path / "log").read_text()

    with_process(tmp_path / "log", test)


def test_two_who_ask_at_the_same_time_get_the_same_answer(tmp_path: Path) -> None:
    async def test(stacks: StackCapture, shown: Shown) -> None:
        one, other = await asyncio.gather(stacks.stacks_of(7), stacks.stacks_of(7))
        assert one == other
        assert one.count("in slow") == 1

    with_process(tmp_path / "log", test)


def test_logged_stacks_stand_after_their_reason(tmp_path: Path) -> None:
    async def test(stacks: StackCapture, shown: Shown) -> None:
        done: list[bool] = []
        stacks.log_stacks(shown, "it is late")  # type: ignore[arg-type]
        stacks.when_done(shown, lambda: done.append(True))  # type: ignore[arg-type]
        assert not done, "whoever would end it waits until it has shown its stacks"
        await until(lambda: done, "the end of the dump")
        log = (tmp_path / "log").read_text()
        assert log.index("it is late") < log.index("in slow")

    with_process(tmp_path / "log", test)


def test_logged_stacks_are_the_same_as_shown_ones(tmp_path: Path) -> None:
    async def test(stacks: StackCapture, shown: Shown) -> None:
        stacks.log_stacks(shown, "it is late")  # type: ignore[arg-type]
        text = await stacks.stacks_of(7)
        assert "(waits for its next request)" in text
        assert "loaders" not in text
        assert text in (tmp_path / "log").read_text()

    started = "threading.Thread(target=slow, daemon=True).start()"
    start_idle = "import _thread; _thread.start_new_thread(idle, ())\nwhile not running: time.sleep(0.01)"
    program = PROGRAM.replace(started, start_idle)  # as the loaders do
    file = "/run/instance/loaders/python/executors/thread_executor.py"
    source = "running = []\n"
    source += "exec(compile('def _run():\\n  running.append(1); time.sleep(100)', '%s', 'exec'))\n" % file
    with_process(tmp_path / "log", test, program.replace("def slow", source + "idle = _run\ndef slow"))


def test_the_supervisor_of_a_program_is_asked_on_the_control_line(tmp_path: Path) -> None:
    async def test(stacks: StackCapture, shown: Shown) -> None:
        asked: list[Any] = []
        registration = SimpleNamespace(app_type="node")
        group: Any = SimpleNamespace(registration=registration)
        stacks._registry.groups.enter(shown.key, group)
        shown.line = SimpleNamespace(send=lambda fields: asked.append(fields) or shown.process.send_signal(15))
        text = await stacks.stacks_of(7)
        assert asked == [[("type", "backtraces")]]
        assert text == "Thread 0x7 [event loop] (most recent call first):\n  (waits for events)"
        await until(lambda: "said" in (tmp_path / "log").read_text(), "what it said")
        assert "Debugger" not in (tmp_path / "log").read_text()

    program = """
import signal, time
def answer(*arguments):
    print("Debugger listening on ws://127.0.0.1:1/x", flush=True)
    time.sleep(0.2)
    print("Thread 0x7 [event loop] (most recent call first):\\n  (waits for events)\\nsaid", flush=True)
signal.signal(15, answer)
print("up", flush=True)
time.sleep(100)
"""
    with_process(tmp_path / "log", test, program)


def test_a_process_that_does_not_catch_the_signal_is_not_sent_it(tmp_path: Path) -> None:
    async def test(stacks: StackCapture, shown: Shown) -> None:
        assert await stacks.stacks_of(7) == NOT_POSSIBLE
        assert shown.process.poll() is None

    with_process(tmp_path / "log", test, "import time; print('up', flush=True); time.sleep(100)")


def test_a_process_that_does_not_answer_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(stacks: StackCapture, shown: Shown) -> None:
        assert await stacks.stacks_of(7) == NO_ANSWER

    monkeypatch.setattr("spawner.processes.stack_capture._FIRST_LINE_TIMEOUT", 0.2)
    program = "import signal, time; signal.signal(%d, lambda *_: None); print('up', flush=True); time.sleep(100)"
    with_process(tmp_path / "log", test, program % BACKTRACE_SIGNAL)


def test_a_process_that_has_ended_has_none(tmp_path: Path) -> None:
    async def test(stacks: StackCapture, shown: Shown) -> None:
        assert await stacks.stacks_of(8) == NO_ANSWER

    with_process(tmp_path / "log", test)


def test_stacks_without_an_end_are_kept_up_to_a_mebibyte() -> None:
    lines = StackLines()
    lines.filter([b"Thread 0x0000abcd (most recent call first):"])
    frame = b'  File "%s", line 1 in f' % (b"x" * 4000)
    for _ in range(600):
        assert lines.filter([frame]) == [], "none of it goes to the log instead"
    assert 1_048_576 <= len(lines.text()) < 1_048_576 + 2 * len(frame)


def test_a_process_that_goes_on_and_on_is_heard_for_five_seconds_and_no_longer() -> None:
    now, timers = [100.0], []

    def call_at(when: float, action: object) -> SimpleNamespace:
        timers.append(when)
        return SimpleNamespace(cancel=lambda: None)

    loop: Any = SimpleNamespace(
        time=lambda: now[0],
        call_at=call_at,
        call_later=lambda seconds, action: call_at(now[0] + seconds, action),
        create_future=lambda: None,
    )
    process: Any = SimpleNamespace(stderr=SimpleNamespace(line_filter=None))
    capture = stack_capture._Capture(loop, process, "", False)
    while now[0] < 110.0:
        capture._filter([b"Thread 0x0000abcd (most recent call first):"])
        now[0] += 0.1
    assert timers[1] == 100.15, "soon after the first line"
    assert max(timers) == 105.0
