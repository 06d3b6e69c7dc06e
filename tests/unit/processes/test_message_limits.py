"""What a process says is cut before anybody keeps, logs or shows it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from time import thread_time

import pytest

from spawner.options import AppOptions
from spawner.pages.start_error_page import friendly_response
from spawner.pool.registration import Registration
from spawner.processes.message_limits import LONGEST, MOST, cut
from spawner.shared import masking
from spawner.start_failure import FailureDetails, StartFailure, raised_from, variables_from

PROTOCOL = Path(__file__).parents[3] / "docs" / "protocol.md"
#: What our patterns look for: repeated, alone and in pairs, they are the worst texts for them.
PIECES = [
    "PermissionError: ", "ModuleNotFoundError: No module named '", "ImportError: cannot import name '", "KeyError: '",
    "user x cannot enter the folder ", "user a", "a", "A.", "://", "a://", "a://b:", "a:b@", "@", "key", "secret = '",
    "password=", "token['x'] = ", "'", '"', ":", " ", "\n", "\\", "-----BEGIN",
]  # fmt: skip
REGISTRATION = Registration("k", "/app", "wsgi", "passenger_wsgi.py", "/app/public", "", "", "", AppOptions(), 1)
_SECONDS = 3.0  # of processor time, for all that is done with one message; a quadratic pattern takes minutes


def test_what_is_too_long_is_cut_and_a_traceback_keeps_its_end() -> None:
    fields = [("type", "failed"), ("summary", "s" * 300_000), ("traceback", "begin" + "t" * 300_000 + "end")]
    found = dict(cut(fields))
    assert (len(found["summary"]), len(found["traceback"])) == (LONGEST["summary"], LONGEST["traceback"])
    assert found["traceback"].endswith("tend")


def test_what_comes_too_often_or_is_unknown_is_dropped() -> None:
    fields = [("type", "loaded"), *[("warning", "w")] * 1000, ("seconds", "1"), ("seconds", "2"), ("x" * 9000, "y")]
    assert cut(fields) == [("type", "loaded"), *[("warning", "w")] * MOST["warning"], ("seconds", "1")]


def test_variables_are_bounded_in_number_name_and_value() -> None:
    found = cut([("env:" + "N" * 9000 + str(number), "v" * 9000) for number in range(1000)])
    assert len(found) == 400
    assert max(len(name) for name, _ in found) == 200
    assert max(len(value) for _, value in found) == 500


def test_every_field_of_the_protocol_has_a_bound() -> None:
    section = PROTOCOL.read_text().split("Process to spawner:")[1].split("\n- **")[0]
    rows = [row.split("|")[3].split("(JSON")[0] for row in section.splitlines() if row.startswith("| `")]
    named = {word for row in rows for word in re.findall(r"`([a-z_]+)`", row)}
    assert named - {"friendly", "load", "max_requests", "stop_at_max_requests", "retire", "hello"} <= set(LONGEST)


@pytest.mark.parametrize("piece", PIECES, ids=repr)
def test_the_worst_text_takes_the_spawner_no_time(piece: str) -> None:
    size = 240_000
    for other in ("", "a", "'", "\n"):
        text = (piece * (size // len(piece)))[: size // 2] + (other * size)[: size // 2]
        begun = thread_time()
        fields = cut([("summary", text), ("traceback", text), ("env:URL", text), ("exceptions", exceptions(text))])
        values = dict(fields)
        details = FailureDetails(
            raised_from(values.get("exceptions", "")), masking.lines(values["traceback"]), variables_from(fields)
        )
        failure = StartFailure("import", values["summary"], values["traceback"], details=details)
        friendly_response(REGISTRATION, failure, 1)
        assert thread_time() - begun < _SECONDS, (piece, other)


def exceptions(text: str) -> str:
    frame = {"file": "f", "line": 1, "function": "f", "of_app": True, "first": 1, "source": [text[:60_000]]}
    return json.dumps([{"title": text[:60_000], "link": "", "left_out": 0, "frames": [frame]}])
