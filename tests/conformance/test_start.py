"""From the start of a process to `loaded` or `failed` (docs/protocol.md, section 5)."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from spawner.shared import exception_serializer, start_steps
from tests.conformance.conftest import Starter
from tests.conformance.harness.loader_process import TITLE

ERROR = "the probe fails on purpose"
BROKEN = [
    ("does_not_compile", "", start_steps.COMPILE),
    ("no_application", "", start_steps.FIND),
    ("probe", "fail", start_steps.IMPORT),
    ("probe", "exit", start_steps.IMPORT),
]


def title(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").decode()


def test_a_process_first_says_hello_with_its_version_and_its_interpreter(starter: Starter) -> None:
    preloader = starter.start()
    assert set(preloader.hello) >= {"type", "executable"}
    assert os.path.isabs(preloader.hello["executable"])
    assert re.search(r" [0-9]+\.[0-9]+", preloader.hello["runtime"])


def test_it_loads_nothing_before_it_is_told_to(starter: Starter) -> None:
    preloader = starter.start()
    assert preloader.output.text() == ""
    preloader.load(starter.loader.entry("probe"))
    assert preloader.output.wait_for("importing\n").startswith("importing\n")


def test_a_load_is_answered_by_the_seconds_that_it_took(starter: Starter) -> None:
    preloader = starter.start()
    preloader.send_load(starter.loader.entry("probe"))
    assert 0 <= float(preloader.line.expect("loaded")["seconds"]) < 60


def test_an_entry_file_that_is_not_there_is_named(starter: Starter) -> None:
    failure = starter.start().load_failure("nowhere.app")
    assert failure["step"] == start_steps.READ
    assert str(starter.folder / "nowhere.app") in failure["summary"]


@pytest.mark.needs("steps")
@pytest.mark.parametrize(("entry", "mode", "step"), BROKEN)
def test_a_load_that_fails_names_its_step_in_one_line_and_ends_the_process_with_1(
    starter: Starter, entry: str, mode: str, step: str
) -> None:
    failure = starter.start(mode).load_failure(starter.loader.entry(entry))
    assert failure["step"] == step
    assert failure["summary"]
    assert "\n" not in failure["summary"]
    assert failure["cwd"] == str(starter.folder)


@pytest.mark.needs("steps")
def test_an_error_of_the_app_comes_with_its_text_and_its_places(starter: Starter) -> None:
    failure = starter.start("fail").load_failure(starter.loader.entry("probe"))
    assert ERROR in failure["summary"]
    assert ERROR in failure["traceback"]
    assert str(starter.folder / starter.loader.entry("probe")) in failure["traceback"]
    assert not [name for name in failure if name.startswith("env:") or name == "exceptions"]


@pytest.mark.needs("friendly")
def test_for_friendly_pages_source_and_environment_come_along_and_secrets_are_hidden(starter: Starter) -> None:
    preloader = starter.start("fail", API_TOKEN="abc", PLAIN_VALUE="def")
    failure = preloader.load_failure(starter.loader.entry("probe"), friendly="1")
    assert (failure["env:API_TOKEN"], failure["env:PLAIN_VALUE"]) == ("[hidden]", "def")
    *_, last = exception_serializer.from_json(failure["exceptions"])
    assert ERROR in last.title
    assert last.frames[-1].of_app
    assert any(ERROR in line for line in last.frames[-1].source)
    assert set(json.loads(failure["exceptions"])[-1]) == {"title", "link", "left_out", "frames"}


def test_what_an_app_prints_before_it_fails_is_in_its_output(starter: Starter) -> None:
    preloader = starter.start("fail")
    preloader.send_load(starter.loader.entry("probe"))
    assert preloader.child.wait(30) == 1
    assert "importing\n" in preloader.output.wait_for_end()


def test_an_app_that_ends_the_process_at_once_ends_the_line(starter: Starter) -> None:
    preloader = starter.start("end")
    preloader.send_load(starter.loader.entry("probe"))
    with pytest.raises((AssertionError, ConnectionResetError)):
        preloader.line.expect("loaded")
    assert preloader.child.wait(30) == 7


def test_the_end_of_the_line_before_the_load_ends_the_process(starter: Starter) -> None:
    preloader = starter.start()
    preloader.line.close()
    assert preloader.child.wait(30) == 0


def test_a_process_that_is_told_to_retire_before_the_load_ends(starter: Starter) -> None:
    preloader = starter.start()
    preloader.retire()
    assert preloader.child.wait(30) == 0
    assert not preloader.output.wait_for_end()


@pytest.mark.needs("execute")
def test_a_process_that_is_told_to_retire_while_the_app_executes_another_interpreter_ends(starter: Starter) -> None:
    preloader = starter.start("execute")
    preloader.send_load(starter.loader.entry("probe"))
    preloader.line.expect("hello")
    preloader.retire()
    assert preloader.child.wait(30) == 0
    assert preloader.output.wait_for_end() == "importing\n"


def test_another_message_than_load_ends_the_process_with_a_line_in_the_log(starter: Starter) -> None:
    preloader = starter.start()
    preloader.line.send("fork", ("slot", "0"))
    assert preloader.child.wait(30) == 1
    assert preloader.output.wait_for_end()


@pytest.mark.needs("execute")
def test_an_app_may_execute_another_interpreter_which_is_told_again_what_to_load(starter: Starter) -> None:
    preloader = starter.start("execute")
    preloader.send_load(starter.loader.entry("probe"))
    again = preloader.line.expect("hello")
    assert again["executable"] == preloader.hello["executable"]
    preloader.serve(starter.loader.entry("probe"))
    assert preloader.get().text == "ok"


@pytest.mark.needs("titles")
def test_a_process_is_named_by_what_it_is(starter: Starter) -> None:
    preloader = starter.start("hang")
    assert title(preloader.pid).endswith(TITLE)
    preloader.send_load(starter.loader.entry("probe"), group="/srv/shop (production)", slot="0")
    preloader.output.wait_for("hanging")
    assert title(preloader.pid) == "jumpseat: loading /srv/shop (production)"
    starter.open_gate()
    preloader.line.expect("loaded")
    preloader.line.expect("ready")
    assert title(preloader.pid) == "jumpseat: worker of /srv/shop (production)"


@pytest.mark.needs("backtraces")
@pytest.mark.needs("fork")
def test_a_process_shows_its_stacks_on_the_signal_at_any_time_from_the_load_on(starter: Starter) -> None:
    preloader = starter.start("hang")
    preloader.send_load(starter.loader.entry("probe"), backtrace_signal="12")
    preloader.output.wait_for("hanging")
    preloader.signal(12)
    preloader.output.wait_for("hang\n")
    preloader.output.wait_for(starter.loader.entry("probe"))
    starter.open_gate()
    preloader.line.expect("loaded")
    worker = preloader.fork()
    with worker.group.client().open(path="/wait2") as exchange:
        worker.output.wait_for("waiting2")
        worker.signal(12)
        worker.output.wait_for(starter.loader.entry("probe"))
        starter.open_gate("gate2")
        assert exchange.answer().text == "ok"
