"""What is kept of a process's message, and the pages that show it. Checked: the bounds of each field hold; to cut once
more changes nothing; the friendly page, the restart error file and the masking take no time and show no markup of the
app's."""

from __future__ import annotations

import datetime
import json
from collections import Counter

from tests.fuzz.python.harness import Input, Stopwatch, fuzz, instrumented

with instrumented():
    from spawner.options import AppOptions
    from spawner.pages import restart_error_file
    from spawner.pages.start_error_page import friendly_response, response_bytes
    from spawner.pool.registration import Registration
    from spawner.processes.message_limits import LONGEST, MOST, cut
    from spawner.shared import masking, start_steps
    from spawner.start_failure import FailureDetails, StartFailure, raised_from, variables_from

_SECONDS = 4.0
_NAMES = [*LONGEST, "env:A", "env:SECRET_KEY", "env:" + "N" * 300, "unknown", ""]
_REGISTRATION = Registration("k", "/app", "wsgi", "passenger_wsgi.py", "/app/public", "", "", "", AppOptions(), 1)
_MARK = "<fuzz>"
_PIECES = ["", "a", "'", '"', "=", "://", "@", "password=", "secret = '", "key", "\n", " ", "A.", "[", "(", _MARK]
_PIECES += ["ModuleNotFoundError: No module named '", "PermissionError: ", "user a cannot enter the folder "]
_WHEN = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)


def _value(given: Input) -> str:
    """A text, or a long one of few pieces: what patterns are slow with."""
    how = given.number()
    if how < 160:
        return given.text(255)
    first, second, third = given.choice(_PIECES), given.choice(_PIECES), given.choice(_PIECES)
    size = given.number(2) * 4
    text = first * (size // max(1, len(first))) if how < 220 else (first + second) * (size // 8)
    return text[:size] + third


def _frames(given: Input) -> str:
    place = {"file": given.text(), "line": given.number(), "function": given.text(), "of_app": True, "first": 1}
    place["source"] = [_value(given), _MARK]
    raised = {"title": given.text(), "link": "", "left_out": 0, "frames": [place]}
    return json.dumps([raised]) if given.number() % 4 else given.text(255)


def _check_bounds(fields: list[tuple[str, str]]) -> None:
    counts = Counter("env:" if name.startswith("env:") else name for name, _ in fields)
    for name, count in counts.items():
        assert name == "env:" or name in LONGEST
        assert count <= (400 if name == "env:" else MOST.get(name, 1))
    for name, value in fields:
        assert len(name) <= 200
        assert len(value) <= (500 if name.startswith("env:") else LONGEST[name])
    assert cut(fields) == fields


def _show(named: dict[str, str], fields: list[tuple[str, str]]) -> None:
    traceback = named.get("traceback", "")
    details = FailureDetails(
        raised_from(named.get("exceptions", "")),
        masking.lines(traceback),
        variables_from(fields),
        masking.lines(named.get("text", "")),
    )
    facts = (("working directory", named.get("cwd", "")), ("search path", named.get("search_path", "")))
    step = named.get("step", "") if named.get("step") in start_steps.ALL else start_steps.IMPORT
    failure = StartFailure(step, named.get("summary", ""), traceback, facts, "0123abcd", details)
    response = friendly_response(_REGISTRATION, failure, 5)
    assert _MARK.encode() not in response.html
    json.loads(response.json)
    assert _MARK.encode() not in response_bytes(response, {b"REQUEST_METHOD": b"GET"})
    restart_error_file.file_text(1, failure, _WHEN)


def one(data: bytes) -> None:
    """A message of `failed` with these fields."""
    given = Input(data)
    fields = [("type", "failed")]
    while given.left and len(fields) < 60:
        name = given.choice(_NAMES)
        value = _frames(given) if name == "exceptions" else _value(given)
        fields.extend([(name, value)] * (1 + given.number() % 3 * 30))
    watch = Stopwatch(_SECONDS)
    kept = cut(fields)
    _check_bounds(kept)
    _show(dict(kept), kept)
    for name, value in kept:
        assert masking.variable("PASSWORD", value) in ("", masking.HIDDEN)
        masking.variable(name, value)
    watch.check()


if __name__ == "__main__":
    fuzz(one)
