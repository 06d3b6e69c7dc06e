"""Loading an app: what goes wrong is named, with the app's own traceback."""

from __future__ import annotations

import json

import pytest

from tests.conformance.loaders import ROOT
from tests.unit.loaders.conftest import Starter


def failure(starter: Starter, source: str | None) -> dict[str, str]:
    return starter.start(source).load_failure()


def test_an_entry_file_that_is_missing_is_named(starter: Starter) -> None:
    told = failure(starter, None)
    assert told["step"] == "read the entry file"
    assert str(starter.folder / "passenger_wsgi.py") in told["summary"]
    assert told["cwd"] == str(starter.folder)


def test_the_paths_that_python_searched_are_told(starter: Starter) -> None:
    preloader = starter.start("import no_such_module_here")
    preloader.send_load()
    fields = preloader.line.receive()
    assert ("search_path", str(starter.folder)) in fields
    assert len([name for name, _ in fields if name == "search_path"]) > 2


def test_a_syntax_error_is_shown_with_its_line(starter: Starter) -> None:
    told = failure(starter, "application = 1\ndef broken(:\n")
    assert told["step"] == "compile the entry file"
    assert told["summary"].startswith("SyntaxError: ")
    assert f"({starter.folder}/passenger_wsgi.py, line 2)" in told["summary"]
    assert "def broken(:" in told["traceback"]


def test_a_nul_in_the_entry_file_is_a_failure_to_compile(starter: Starter) -> None:
    assert failure(starter, "x = '\0'\n")["step"] == "compile the entry file"


def test_an_exception_while_importing_comes_with_the_apps_frames_only(starter: Starter) -> None:
    starter.write("def explode():\n    raise ValueError('deep inside')\n", "part_of_app.py")
    told = failure(starter, "import part_of_app\npart_of_app.explode()\n")
    assert (told["step"], told["summary"]) == ("import the app", "ValueError: deep inside")
    lines = told["traceback"].splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1] == f'  File "{starter.folder}/passenger_wsgi.py", line 2, in <module>'
    assert ROOT not in told["traceback"]
    assert lines[-1] == "ValueError: deep inside"


def test_what_caused_an_exception_is_shown_too(starter: Starter) -> None:
    told = failure(
        starter, "try:\n    {}['settings']\nexcept KeyError as e:\n    raise RuntimeError('no settings') from e\n"
    )
    assert "KeyError: 'settings'" in told["traceback"]
    assert told["summary"] == "RuntimeError: no settings"


@pytest.mark.parametrize(("statement", "summary"), [
    ("import sys; sys.exit(5)", "the app exits while it is loaded: SystemExit(5)"),
    ("raise SystemExit", "SystemExit(None)"),
    ("raise KeyboardInterrupt", "KeyboardInterrupt"), ("class E(BaseException): pass\nraise E('odd')", "E: odd"),
])  # fmt: skip
def test_an_app_that_ends_itself_while_loading_is_told(starter: Starter, statement: str, summary: str) -> None:
    told = failure(starter, statement)
    assert told["step"] == "import the app"
    assert summary in told["summary"]


@pytest.mark.parametrize(("source", "summary"), [
    ("", "defines no 'application'"), ("application = None", "defines no 'application'"),
    ("application = 'a string'", "is not callable: it is of type str"),
])  # fmt: skip
def test_an_entry_file_without_a_callable_application_is_told(starter: Starter, source: str, summary: str) -> None:
    told = failure(starter, source)
    assert (told["step"], told["traceback"]) == ("find the application", "")
    assert summary in told["summary"]


def test_an_entry_file_that_imports_itself_fails_quickly(starter: Starter) -> None:
    told = failure(starter, "from passenger_wsgi import application\n")
    assert told["summary"].startswith("ImportError: cannot import name 'application'")


def test_an_entry_file_that_loads_itself_without_end_fails_with_a_short_traceback(starter: Starter) -> None:
    told = failure(starter, "exec(compile(open(__file__).read(), __file__, 'exec'))\n")
    assert "RecursionError" in told["summary"]
    assert len(told["traceback"]) < 70_000


def test_a_traceback_too_long_for_a_message_is_told_by_its_end(starter: Starter) -> None:
    told = failure(starter, "raise ValueError('\U0001f40d' * 500_000)\n")
    assert told["step"] == "import the app"
    assert told["traceback"].endswith("\U0001f40d\n")


def test_a_nul_in_a_message_is_told(starter: Starter) -> None:
    assert failure(starter, "raise ValueError('a\\0b')\n")["summary"] == "ValueError: a\\0b"


def test_with_friendly_pages_the_source_and_the_environment_come_along(starter: Starter) -> None:
    secrets = {"SHOP_KEY": "k-123", "SHOP_NAME": "harbour"}
    preloader = starter.start("before = 1\n1 / 0\n", environment=secrets)
    preloader.send_load(friendly="1")
    told = preloader.line.expect("failed")
    (raised,) = json.loads(told["exceptions"])
    (frame,) = raised["frames"]
    assert (frame["line"], frame["first"], frame["source"]) == (2, 1, ["before = 1", "1 / 0"])
    assert (frame["of_app"], told["env:SHOP_NAME"], told["env:SHOP_KEY"]) == (True, "harbour", "[hidden]")


def test_without_friendly_pages_neither_source_nor_environment_is_told(starter: Starter) -> None:
    told = failure(starter, "1 / 0\n")
    assert "exceptions" not in told
    assert not [name for name in told if name.startswith("env:")]


def test_what_the_app_printed_before_it_failed_is_in_its_output(starter: Starter) -> None:
    preloader = starter.start("import sys\nsys.stdout.write('half a line')\nraise ValueError\n")
    preloader.load_failure()
    assert preloader.output.wait_for_end() == "half a line"


def test_another_message_than_load_ends_the_process_with_a_line_in_the_log(starter: Starter) -> None:
    preloader = starter.start("application = print")
    preloader.line.send("fork", ("slot", "0"))
    assert preloader.child.wait() == 1
    assert "expected 'load' with 3 descriptors, got 'fork' with 0" in preloader.output.wait_for_end()
