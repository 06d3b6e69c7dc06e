"""The output of apps, from the pipe to the log."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spawner.logs.app_output import AppOutput, LineSplitter, OutputFormat, TracebackLines
from spawner.logs.log import Log
from spawner.logs.log_writer import PENDING_LIMIT, LogWriter


@given(st.lists(st.binary(max_size=30)), st.integers(1, 9))
def test_cuts_in_the_stream_change_no_line(pieces: list[bytes], length: int) -> None:
    whole = LineSplitter(length)
    expected = whole.feed(b"".join(pieces)) + whole.finish()
    cut = LineSplitter(length)
    found = [line for piece in pieces for line in cut.feed(piece)] + cut.finish()
    assert found == expected
    assert all(len(line) <= length for line in found)
    assert b"".join(found) == b"".join(pieces).replace(b"\n", b"")


def test_a_line_longer_than_the_limit_is_split() -> None:
    assert LineSplitter(4).feed(b"123456789\n") == [b"1234", b"5678", b"9"]


def test_a_line_of_exactly_the_limit_makes_no_empty_line() -> None:
    splitter = LineSplitter(4)
    assert splitter.feed(b"1234") == []
    assert splitter.feed(b"\n\n") == [b"1234", b""]


def test_an_unfinished_last_line_is_kept_until_the_end() -> None:
    splitter = LineSplitter()
    assert splitter.feed(b"half") == []
    assert splitter.finish() == [b"half"]
    assert splitter.finish() == []


def test_a_line_carries_time_and_pid() -> None:
    line = OutputFormat(3, True).lines(42, [b"hello\r"], TracebackLines())[0]
    time = rb"\[\w{3} \w{3} \d{2} \d\d:\d\d:\d\d\.\d{6} \d{4}\]"
    assert re.fullmatch(time + rb" \[passenger:notice\] \[pid 42\] App 42 output: hello\n", line)


LINKED = """\
before
Traceback (most recent call last):
  File "a.py", line 1, in f
    g()
ValueError: one

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "a.py", line 3, in <module>
KeyError: 'two'
after
Traceback (most recent call last):
  File "b.py", line 1, in <module>
OSError: three
Traceback (most recent call last):
  File "b.py", line 1, in <module>
OSError: four
"""
GROUP = """\
  + Exception Group Traceback (most recent call last):
  |   File "a.py", line 1, in <module>
  | ExceptionGroup: two things (1 sub-exception)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "a.py", line 2, in f
    | ValueError: one
    +------------------------------------
after
"""


@pytest.mark.parametrize(
    ("text", "first"),
    [
        (LINKED, ["before", "Traceback (", "after", "Traceback (", "Traceback ("]),
        (GROUP, ["  + Exception Group", "after"]),
        ("a\n  b\n\n  c\n", ["a", "  b", "", "  c"]),
    ],
    ids=["linked", "group", "none"],
)
def test_lines_that_continue_a_traceback_have_a_short_prefix(text: str, first: list[str]) -> None:
    tracebacks, form = TracebackLines(), OutputFormat(3, True)
    lines = [form.lines(42, [line], tracebacks)[0].decode() for line in text.encode().splitlines()]
    assert [line.partition("output: ")[2].rstrip("\n") for line in lines] == text.splitlines()
    full = [line.partition("output: ")[2] for line in lines if line.startswith("[")]
    assert [line[: len(start)] for line, start in zip(full, first)] == first
    assert len(full) == len(first)
    assert all(line.startswith("App 42 output: ") for line in lines if not line.startswith("["))


def test_a_traceback_without_end_has_the_time_again_and_again() -> None:
    lines = OutputFormat(3, True).lines(42, [b"Traceback (most recent call last):", *[b"  x"] * 1100], TracebackLines())
    assert [number for number, line in enumerate(lines) if line.startswith(b"[")] == [0, 501, 1002]


def test_without_prefix_the_line_stands_alone() -> None:
    assert OutputFormat(3, False).lines(42, [b'{"a": 1}'], TracebackLines())[0] == b'{"a": 1}\n'


def test_control_characters_cannot_reach_a_terminal_nor_other_bytes_be_lost() -> None:
    lines = [b"\x1b[31m\tred\xff\xc3\xa9", b"\xc2\x9b31m \x9b31m"]
    written = OutputFormat(3, False).lines(1, lines, TracebackLines())
    assert written == [b"\\x1b[31m\tred\xff\xc3\xa9\n", b"\\x9b31m \\x9b31m\n"]


@pytest.mark.parametrize("line", [b"plain", b"", b"tab\there", b"bell\x07", b"wide \xc3\xa9", b"cut \xc3", b"dos\r\r"])
def test_a_line_is_written_alike_whatever_stands_beside_it(line: bytes) -> None:
    output_format = OutputFormat(3, prefixed=False)
    (alone,) = output_format.lines(7, [line], TracebackLines())
    for beside in (b"plain", b"\x07", b"dos\r", b"\xc3\xa9"):
        assert output_format.lines(7, [beside, line, beside], TracebackLines())[1] == alone


def test_the_output_of_apps_is_of_level_three() -> None:
    assert OutputFormat(3, True).wanted
    assert not OutputFormat(2, True).wanted


def make_output(writer: LogWriter, level: int = 3) -> tuple[AppOutput, int]:
    read_end, write_end = os.pipe()
    form = OutputFormat(level, False)
    return AppOutput(read_end, 7, lambda: writer, lambda: form), write_end


def test_what_is_left_in_the_pipe_is_logged_at_the_end_with_its_unfinished_line(tmp_path: Path) -> None:
    writer = LogWriter.open(str(tmp_path / "log"))
    output, write_end = make_output(writer)
    os.write(write_end, b"one\ntwo")
    assert output.read_some()
    os.write(write_end, b"\nthree")
    os.close(write_end)
    output.close()
    writer.close()
    assert (tmp_path / "log").read_bytes() == b"one\ntwo\nthree\n"


def test_the_end_of_the_pipe_is_told(tmp_path: Path) -> None:
    writer = LogWriter.open(str(tmp_path / "log"))
    output, write_end = make_output(writer)
    assert output.read_some(), "an empty pipe is not its end"
    os.close(write_end)
    assert not output.read_some()
    output.close()
    writer.close()


def test_the_last_lines_are_kept_for_a_report_even_when_they_are_not_logged(tmp_path: Path) -> None:
    writer = LogWriter.open(str(tmp_path / "log"))
    output, write_end = make_output(writer, level=1)
    os.write(write_end, b"".join(b"line %d\n" % number for number in range(60)))
    output.read_some()
    assert output.tail().startswith("line 10\n")
    assert output.tail().endswith("line 59")
    os.close(write_end)
    output.close()
    writer.close()
    assert (tmp_path / "log").read_bytes() == b""


def test_a_log_pipe_that_nobody_reads_does_not_hang_and_tells_how_much_was_lost() -> None:
    read_end, write_end = os.pipe()
    writer = LogWriter(write_end)
    line = b"x" * 1023 + b"\n"
    count = PENDING_LIMIT // len(line) + 200
    for _ in range(count):
        writer.write(line)
    assert writer.blocked
    assert writer.dropped > 0
    dropped = writer.dropped
    received = b""
    os.set_blocking(read_end, False)
    while writer.blocked or writer.dropped:
        received += os.read(read_end, 1 << 20)
        writer.flush()
    writer.write(b"after\n")
    received += os.read(read_end, 1 << 20)
    assert received.count(line) == count - dropped
    assert b"%d lines were dropped" % dropped in received
    assert received.endswith(b"after\n")
    writer.close()
    os.close(read_end)


def test_a_log_socket_that_nobody_reads_does_not_hang_either() -> None:
    reader, other_end = socket.socketpair()
    writer = LogWriter(other_end.detach())
    for _ in range(600):
        writer.write(b"x" * 4095 + b"\n")
    assert writer.dropped > 0
    reader.close()
    writer.close()


def test_the_pipe_s_other_writers_keep_their_blocking_descriptor() -> None:
    read_end, write_end = os.pipe()
    writer = LogWriter(os.dup(write_end))
    assert os.get_blocking(write_end)
    writer.close()
    os.close(write_end)
    os.close(read_end)


def test_a_log_pipe_whose_reader_has_gone_costs_lines_only() -> None:
    read_end, write_end = os.pipe()
    writer = LogWriter(write_end)
    os.close(read_end)
    writer.write(b"lost\n")
    writer.close()


def own_log(tmp_path: Path) -> Log:
    return Log(LogWriter.open(str(tmp_path / "own")))


def test_a_line_of_the_spawner_looks_like_apache_s_and_has_its_number(tmp_path: Path) -> None:
    log = own_log(tmp_path)
    log.notice(3999, "first\nsecond\x1b")
    log.close()
    pattern = r"\[[^]]+\] \[passenger:notice\] \[pid %d\] JS3999: first\n    second\\x1b\n" % os.getpid()
    assert re.fullmatch(pattern, (tmp_path / "own").read_text())


@pytest.mark.parametrize(("level", "expected"), [(0, 1), (3, 4), (7, 6)])
def test_lines_above_the_configured_level_are_not_written(tmp_path: Path, level: int, expected: int) -> None:
    log = own_log(tmp_path)
    log.level = level
    for name in ("crit", "error", "warn", "notice", "info", "debug"):
        log.write(name, 3999, name)
    log.close()
    assert len((tmp_path / "own").read_text().splitlines()) == expected


def test_logs_that_httpd_sends_again_replace_those_before(tmp_path: Path) -> None:
    log = own_log(tmp_path)
    log.set_error_log("site", os.open(tmp_path / "1", os.O_WRONLY | os.O_CREAT))
    log.set_error_log("site", os.open(tmp_path / "2", os.O_WRONLY | os.O_CREAT))
    writer = log.error_log("site")
    assert writer is not None
    writer.write(b"here\n")
    log.close()
    assert ((tmp_path / "1").read_bytes(), (tmp_path / "2").read_bytes()) == (b"", b"here\n")


def test_a_log_that_is_not_known_is_the_main_one(tmp_path: Path) -> None:
    log = Log(LogWriter.open(str(tmp_path / "stderr")))
    log.set_error_log("", os.open(tmp_path / "main", os.O_WRONLY | os.O_CREAT))
    log.set_log_file(None)
    assert log.error_log("no such") is log.main_writer()
    log.error(3999, "x")
    log.close()
    assert "JS3999" in (tmp_path / "main").read_text()


def test_a_flood_of_short_lines_is_read_in_bounded_parts_and_each_is_written_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = LogWriter.open(str(tmp_path / "log"))
    output, write_end = make_output(writer)
    os.write(write_end, b"\n" * 60_000)
    writes, write = [], os.write

    def counted_write(descriptor: int, data: bytes) -> int:
        writes.append(descriptor)
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", counted_write)
    assert output.read_some()
    assert len(writes) == 1, "a write for each line takes over a second"
    assert 0 < (tmp_path / "log").read_bytes().count(b"\n") <= 4096
    os.close(write_end)
    output.close()
    writer.close()
    assert (tmp_path / "log").read_bytes().count(b"\n") == 60_000


def test_what_a_log_does_not_take_is_kept_up_to_a_bound() -> None:
    reader, writer = os.pipe()
    log = LogWriter(writer)
    for _ in range(2000):
        log.write(b"x" * 1023 + b"\n")
        assert log._pending_bytes == sum(map(len, log._pending)) <= 262_144
    assert (len(log._pending), log.dropped > 1000) == (256, True)
    os.close(reader)
    log.close()


def test_a_line_is_split_after_8192_bytes_unless_the_operator_wants_it_otherwise() -> None:
    assert [len(line) for line in LineSplitter().feed(b"x" * 20_000 + b"\n")] == [8192, 8192, 3616]
