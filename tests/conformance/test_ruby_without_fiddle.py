"""The Ruby loader in a Ruby that was built without Fiddle: no epoll, no shared memory, and it serves all the same."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Iterator

import pytest

from tests.conformance.conftest import Starter, copy_of_apps
from tests.conformance.loaders import ruby_loaders

pytestmark = pytest.mark.skipif(not ruby_loaders(), reason="needs Ruby and Rack")


@pytest.fixture(params=ruby_loaders(), ids=lambda loader: loader.name)
def starter(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Starter]:
    folder = tmp_path / "without"
    folder.mkdir()
    (folder / "fiddle.rb").write_text('raise LoadError, "cannot load such file -- fiddle"\n')
    ruby, program = request.param.command
    without = replace(request.param, command=(ruby, "-I", str(folder), program))
    with ExitStack() as stack:
        yield Starter(without, copy_of_apps(without, tmp_path), stack)


def test_requests_are_served_in_threads_and_shown_in_the_scoreboard(starter: Starter) -> None:
    worker = starter.worker(threads="2")
    maps = Path(f"/proc/{worker.pid}/maps").read_text()
    assert ("fiddle" in maps, "memfd:" in maps) == (False, False)
    with worker.group.client().open(path="/wait1") as exchange:
        worker.output.wait_for("waiting1")
        assert worker.get().text == "ok"
        worker.group.wait_for(lambda group: group.slot(0)[2:5] == (1, 2, 1))
        assert b"/wait1" in worker.group.cell(0).text
        starter.open_gate("gate1")
        assert exchange.answer().text == "ok"


def test_a_body_may_come_as_a_file(starter: Starter, tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(b"of the file")
    descriptor = os.open(tmp_path / "body", os.O_RDONLY)
    try:
        options = {"kind": "file", "length": 11, "descriptors": (descriptor,)}
        assert starter.worker().get("/echo", method="POST", **options).text == "of the file"
    finally:
        os.close(descriptor)


def test_a_worker_finishes_its_request_and_the_next_one_takes_over(starter: Starter) -> None:
    preloader = starter.load()
    first = preloader.fork()
    with first.group.client().open(path="/wait") as exchange:
        first.output.wait_for("waiting")
        first.retire()
        second = preloader.fork()
        assert second.get().header("X-Pid") == str(second.pid)
        starter.open_gate()
        assert exchange.answer().header("X-Pid") == str(first.pid)
    first.wait_for_end()
    assert preloader.line.expect("exited")["status"] == "0"
