"""Which calls of a stack are shown."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import spawner
from spawner.processes.app_stacks import WAIT_REASONS, app_stacks

FOLDER = "/run/jumpseat/httpd-7"
HEAD = "Current thread 0x00007f20 (most recent call first):"


def call(file: str, function: str) -> str:
    return '  File "%s", line 7 in %s' % (file, function)


def ours(file: str, function: str) -> str:
    return call("%s/loaders/python/%s" % (FOLDER, file), function)


def stack(*calls: str) -> str:
    return "\n".join([HEAD, *calls])


BELOW = (ours("wsgi/handler.py", "_call"), ours("worker.py", "_serve"), ours("start.py", "<module>"))


def test_the_server_s_calls_below_those_of_the_app_are_left_out() -> None:
    app = (call("/srv/app/views.py", "report"), call("/srv/app/passenger_wsgi.py", "application"))
    assert app_stacks(stack(*app, *BELOW), FOLDER) == stack(*app)


def test_those_that_an_app_has_called_stay() -> None:
    app = (ours("wsgi/request_body.py", "_receive_into"), call("/srv/app/views.py", "upload"))
    assert app_stacks(stack(*app, *BELOW), FOLDER) == stack(*app)


def test_a_thread_that_waits_for_a_request_says_so() -> None:
    text = stack(ours("worker.py", "_accept_connections"), *BELOW)
    assert app_stacks(text, FOLDER) == stack("  (waits for its next request)")


def test_a_thread_without_a_wait_reason_shows_all_its_calls() -> None:
    text = stack(ours("worker.py", "_new"), *BELOW)
    assert app_stacks(text, FOLDER) == text


def test_a_call_of_c_code_of_ruby_stands_for_the_one_that_has_made_it() -> None:
    file = FOLDER + "/loaders/ruby/core/listeners.rb"
    waiting = [call(file, "call"), call(file, "wait"), call(FOLDER + "/loaders/ruby/worker.rb", "accept_next")]
    assert app_stacks(stack(*waiting), FOLDER) == stack("  (waits for its next request)")
    waiting[0] = waiting[0].replace("line 7", "line 8")
    assert app_stacks(stack(*waiting), FOLDER) == stack(*waiting)


def test_each_thread_is_shortened_by_itself() -> None:
    app = call("/srv/app/feed.py", "poll")
    idle = ours("executors/thread_executor.py", "_run")
    expected = "\n\n".join([stack(app), stack("  (waits for its next request)"), stack(app)])
    assert app_stacks("\n\n".join([stack(app, *BELOW), stack(idle), stack(app)]), FOLDER) == expected


@pytest.mark.parametrize(
    "last",
    ["  ...", "  <no Python frame>", "  <truncated rest of calls>", call(FOLDER + "2/x.py", "f"), '  File "'],
)
def test_what_is_no_call_of_the_server_s_stays(last: str) -> None:
    text = stack(*BELOW, last)
    assert app_stacks(text, FOLDER) == text


@pytest.mark.parametrize("text", ["", HEAD, "\n\n"])
def test_without_calls_nothing_changes(text: str) -> None:
    assert app_stacks(text, FOLDER) == text


@pytest.mark.parametrize(("file", "function"), sorted(WAIT_REASONS))
def test_the_loaders_have_the_function_of_each_wait_reason(file: str, function: str) -> None:
    text = (Path(spawner.__file__).parent / file).read_text()
    if file.endswith(".rb"):
        assert re.search(rf"^ +def {function}\b", text, re.MULTILINE)
        return
    tree = ast.parse(text)
    assert function in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
