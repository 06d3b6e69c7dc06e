"""What a process shows that the spawner cannot ask by a signal: a Node.js app its calls, a program its threads."""

from __future__ import annotations

import os
import re
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Iterator

import pytest

from spawner.loaders import program
from spawner.processes.app_stacks import app_stacks
from spawner.processes.stack_capture import StackLines
from tests.conformance.harness.loader_process import Group, Preloader
from tests.conformance.harness.spawner_side import TIMEOUT

START = Path(str(program.__file__)).with_name("start.py")
SOURCE = """
    const fs = require('fs');
    const children = require('child_process');
    const calls = {
        loop() {
            fs.writeFileSync('begun', '');
            while (!fs.existsSync('gate'));
        },
        read() {
            fs.writeFileSync('begun', '');
            fs.readFileSync('fifo');
        },
        child() {
            fs.writeFileSync('begun', '');
            children.execFileSync('sh', ['-c', 'read line <fifo']);
        },
    };
    %s
    require('http').createServer((request, response) => {
        calls[request.url.slice(1)]?.();
        response.end('ok');
    }).listen(3000);
"""


class Shown:
    """A process, and what it shows when it is asked, as `jumpseat backtraces` has it."""

    def __init__(self, folder: Path, stack: ExitStack, load: dict[str, str]) -> None:
        group = Group("", framed=False, http=True)
        stack.callback(group.close)
        self.folder = folder
        self.process = Preloader([sys.executable, str(START)], folder, group, {}, {"slot": "0", "threads": "0", **load})
        stack.callback(self.process.close)

    def ask(self, pattern: str) -> str:
        """Ask until what is shown is like this, for the process may be on its way there; return it."""
        deadline = time.monotonic() + TIMEOUT
        shown = ""
        while re.search(pattern, shown) is None:
            assert time.monotonic() < deadline, shown
            shown = self._ask_once(pattern, deadline)
        return shown

    def _ask_once(self, pattern: str, deadline: float) -> str:
        before = len(self.process.output.text())
        self.process.line.send("backtraces")
        lines, quiet_at = StackLines(), deadline
        while not re.search(pattern, lines.text()) and time.monotonic() < quiet_at:
            written = self.process.output.text()[before:]
            lines = StackLines()
            self.rest = lines.filter(written.encode().split(b"\n")[:-1])
            quiet_at = min(quiet_at, time.monotonic() + 0.2) if lines.started else quiet_at
            time.sleep(0.005)
        return app_stacks(lines.text(), str(START.parents[2]))

    def wait_until_begun(self) -> None:
        deadline = time.monotonic() + TIMEOUT
        while not (self.folder / "begun").exists():
            assert time.monotonic() < deadline
            time.sleep(0.005)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def node(tmp_path: Path, stack: ExitStack) -> Iterator[Shown]:
    os.mkfifo(tmp_path / "fifo")
    shown = Shown(tmp_path, stack, {"interpreter": "node"})
    yield shown
    (tmp_path / "gate").touch()


def begin(node: Shown, at_start: str = "") -> None:
    (node.folder / "app.js").write_text(SOURCE % at_start)
    if at_start.startswith("calls"):
        node.process.send_load("app.js")
    else:
        node.process.serve("app.js")


def line_of(text: str) -> int:
    return SOURCE.split("\n").index(next(line for line in SOURCE.split("\n") if text in line)) + 1


def test_a_call_that_holds_the_event_loop_up_is_shown_and_goes_on(node: Shown, stack: ExitStack) -> None:
    begin(node)
    request = stack.enter_context(node.process.group.client().open(path="/loop"))
    node.wait_until_begun()
    app = node.folder.resolve() / "app.js"
    for _ in range(2):
        shown = node.ask(r"createServer|Server\.<anonymous>")
        assert f'File "{app}", line {line_of("while (")} in ' in shown
        assert f'File "{app}", line {line_of("?.();")} in Server.<anonymous>' in shown
        assert "loaders" not in shown
        assert not node.rest
    (node.folder / "gate").touch()
    assert request.answer().text == "ok"


@pytest.mark.parametrize("at_start", ["", "require('async_hooks').createHook({ init() {} }).enable();"])
def test_an_idle_one_says_so_and_nobody_can_connect_to_the_inspector_afterwards(node: Shown, at_start: str) -> None:
    begin(node, at_start)
    assert "(waits for events; open: " in node.ask(r"waits for events")
    with open(f"/proc/{node.process.pid}/net/tcp") as table:
        listening = {line.split()[9] for line in table if line.split()[3] == "0A"}
    held = {os.readlink(entry.path) for entry in os.scandir(f"/proc/{node.process.pid}/fd")}
    assert not {f"socket:[{inode}]" for inode in listening} & held
    assert node.process.get().text == "ok"


def test_an_app_that_hangs_when_it_is_loaded_shows_where(node: Shown) -> None:
    begin(node, "calls.loop();")
    node.wait_until_begun()
    assert f"line {line_of('%s')} in Object.<anonymous>" in node.ask(r"in Object\.")


@pytest.mark.parametrize(
    ("path", "waits"), [("read", "/fifo|waits in"), ("child", "a child process, .*: sh -c read line")]
)
def test_where_no_javascript_runs_the_kernel_says_what_it_waits_for(
    node: Shown, stack: ExitStack, path: str, waits: str
) -> None:
    begin(node)
    stack.enter_context(node.process.group.client().open(path=f"/{path}"))
    node.wait_until_begun()
    assert "execFileSync" not in node.ask(rf"(?s)what the app has called is not known.*({waits})")


def test_an_app_that_uses_the_signal_is_not_sent_it(node: Shown) -> None:
    begin(node, "process.on('SIGUSR1', () => process.exit(7));")
    assert "the app listens for SIGUSR1" in node.ask("SIGUSR1")
    assert node.process.get().text == "ok"


def test_a_program_shows_its_threads(tmp_path: Path, stack: ExitStack) -> None:
    shown = Shown(tmp_path, stack, {"interpreter": "", "start_command": "exec sleep 600"})
    shown.process.send_load("")
    shown.ask(r"the calls of a program are not known.*\n\nThread 0x[0-9a-f]+ \[(sleep|sh)\].*\n  \(waits in ")
