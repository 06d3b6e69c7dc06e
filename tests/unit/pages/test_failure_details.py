"""What an app's process says for a friendly page is believed for nothing but text."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from spawner.shared import masking
from spawner.shared.app_files import AppFiles
from spawner.shared.exception_serializer import SerializedException, serialize, to_json
from spawner.start_failure import raised_from, variables_from

FRAME: dict[str, Any] = {"file": "/a", "line": 3, "function": "f", "of_app": True, "first": 2, "source": ["x", "y"]}
RAISED: dict[str, Any] = {"title": "E: e", "link": "", "left_out": 0, "frames": [FRAME]}


def test_what_the_loader_sends_comes_back() -> None:
    (raised,) = raised_from(json.dumps([RAISED]))
    assert (raised.title, raised.frames[0].line, raised.frames[0].source) == ("E: e", 3, ("x", "y"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "5",
        '"text"',
        "[5]",
        "[{}]",
        "[" * 100_000,
        json.dumps([{**RAISED, "frames": 5}]),
        json.dumps([{**RAISED, "frames": [{**FRAME, "line": "x"}]}]),
        json.dumps([{**RAISED, "frames": [{**FRAME, "source": 5}]}]),
        '[{"title": 1, "link": "", "frames": [], "left_out": 1e999}]',
    ],
    ids=lambda text: text[:40],
)
def test_what_is_not_that_is_nothing(text: str) -> None:
    assert raised_from(text) == ()


def test_no_more_exceptions_are_taken_than_are_sent() -> None:
    assert len(raised_from(json.dumps([RAISED] * 1000))) <= 16


def raised_by_an_app(folder: Path, depth: int, title: int = 1, parts: int = 1) -> list[SerializedException]:
    """What a recursion of an app with long lines has raised, as often as there are parts."""
    file = folder / "app.py"
    long = " # " + "x" * 2000
    code = ["def f(depth):", "    if not depth:", "        raise ValueError('%s')" % ("t" * title), "    f(depth - 1)"]
    file.write_text("".join(line + long + "\n" for line in code))
    names: dict[str, Any] = {}
    exec(compile(file.read_text(), str(file), "exec"), names)
    try:
        names["f"](depth)
    except ValueError as error:
        return serialize(error, AppFiles(str(folder))) * parts
    raise AssertionError


def test_an_exception_has_so_many_places_and_lines_that_are_not_too_long(tmp_path: Path) -> None:
    (raised,) = raised_by_an_app(tmp_path, 200, title=100_000)
    assert (len(raised.frames), raised.left_out) == (50, 152)
    assert raised.frames[-1].line == 3, "the end, where it was raised, is there"
    assert max(len(line) for frame in raised.frames for line in frame.source) == 300
    assert len(raised.title) == 4000


@pytest.mark.parametrize("parts", [1, 2, 8, 40])
def test_the_text_for_the_spawner_is_short_enough_however_much_there_is(tmp_path: Path, parts: int) -> None:
    text = to_json(raised_by_an_app(tmp_path, 60, 3000, parts))
    assert len(text) <= 48 * 1024
    assert text != "[]" or parts > 2


def test_variables_are_hidden_once_more() -> None:
    fields = [("step", "x"), ("env:DB_PASSWORD", "hunter2"), ("env:HOME", "/home/shop")]
    assert variables_from(fields) == (("DB_PASSWORD", "[hidden]"), ("HOME", "/home/shop"))


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("SECRET_KEY", "x", "[hidden]"),
        ("STRIPE_TOKEN", "x", "[hidden]"),
        ("MYSQL_PWD", "x", "[hidden]"),
        ("DB_PASS", "x", "[hidden]"),
        ("GITHUB_AUTH", "x", "[hidden]"),
        ("SENTRY_DSN", "https://key@sentry/1", "[hidden]"),
        ("CERTIFICATE", "-----BEGIN PRIVATE KEY-----", "[hidden]"),
        ("PWD", "/srv/shop", "/srv/shop"),
        ("PASSENGER_APP_ENV", "production", "production"),
        ("AUTHOR", "ada", "ada"),
        ("EMPTY_SECRET", "", ""),
        ("DATABASE_URL", "postgres://shop:s3c/r?t@db:5432/x", "postgres://shop:[hidden]@db:5432/x"),
        ("DATABASE_URL", "postgres://shop:s3cret@db:5432/x", "postgres://shop:[hidden]@db:5432/x"),
        ("REDIS_URL", "redis://:s3cret@cache/0", "redis://:[hidden]@cache/0"),
        ("CONNECTION", "host=db password=s3cret user=shop", "host=db password=[hidden] user=shop"),
        ("CALLBACK", "https://x/?a=1&token=s3cret&b=2", "https://x/?a=1&token=[hidden]&b=2"),
    ],
)
def test_secrets_of_variables_are_hidden(name: str, value: str, shown: str) -> None:
    assert masking.variable(name, value) == shown


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('SECRET_KEY = "abc"', 'SECRET_KEY = "[hidden]"'),
        ("    'PASSWORD': 'abc',", "    'PASSWORD': '[hidden]',"),
        ('connect(host="db", password="abc")', 'connect(host="db", password="[hidden]")'),
        ('raise KeyError("name")', 'raise KeyError("name")'),
        ("const token = `abc`;", "const token = `[hidden]`;"),
        ("x = 'y'", "x = 'y'"),
    ],
)
def test_secrets_of_source_lines_are_hidden(line: str, shown: str) -> None:
    assert masking.source_line(line) == shown


@pytest.mark.parametrize("piece", ["a://a:", "key", "key: ", "password", "a", "https://a:", "key='", ":", " "])
def test_no_text_takes_long_to_look_through(piece: str) -> None:
    """All apps wait while the spawner does."""
    begun = time.process_time()
    masking.lines(piece * (100_000 // len(piece)))
    assert time.process_time() - begun < 2.0
