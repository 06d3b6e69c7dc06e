"""The scoreboard shows what workers say, and an app cannot hurt the spawner through it."""

from __future__ import annotations

import mmap
import os
import struct
from typing import Iterator

import pytest

from spawner.pool.process import SLOTS, OverdueRequest
from spawner.processes.scoreboard_reader import ScoreboardReader
from spawner.shared.constants import SCOREBOARD_SLOT_SIZE


@pytest.fixture
def scoreboard() -> Iterator[ScoreboardReader]:
    board = ScoreboardReader.create()
    yield board
    board.close()


def write(board: ScoreboardReader, slot: int, *fields: int) -> None:
    """Write a slot as a worker does: through a mapping of its own."""
    with mmap.mmap(board.descriptor, SLOTS * SCOREBOARD_SLOT_SIZE) as memory:
        struct.pack_into("<IIIIQQQQ", memory, slot * SCOREBOARD_SLOT_SIZE, *fields, *[0] * (8 - len(fields)))


def test_a_new_scoreboard_shows_no_busy_worker(scoreboard: ScoreboardReader) -> None:
    assert not any(scoreboard.read(slot).busy for slot in range(SLOTS))


def test_what_a_worker_wrote_is_read_in_seconds(scoreboard: ScoreboardReader) -> None:
    write(scoreboard, 3, 1, 4711, 1, 1, 99, 5_500_000_000, 4_250_000_000)
    slot = scoreboard.read(3)
    assert (slot.busy, slot.pid, slot.requests, slot.busy_since, slot.idle_since) == (True, 4711, 99, 5.5, 4.25)


def test_slots_do_not_touch_one_another(scoreboard: ScoreboardReader) -> None:
    write(scoreboard, 3, 1, 1, 1, 1, 1, 1, 1)
    assert not scoreboard.read(2).busy
    assert not scoreboard.read(4).busy


def test_a_cleared_slot_is_free(scoreboard: ScoreboardReader) -> None:
    write(scoreboard, 3, 1, 1, 1, 1, 7, 1, 1)
    scoreboard.clear(3)
    assert scoreboard.read(3).requests == 0


def test_an_app_cannot_shrink_it_under_the_spawner(scoreboard: ScoreboardReader) -> None:
    with pytest.raises(PermissionError):
        os.ftruncate(scoreboard.descriptor, 0)


def write_cell(board: ScoreboardReader, slot: int, thread: int, state: int, since: int, deadline: int) -> None:
    with mmap.mmap(board.descriptor, SLOTS * SCOREBOARD_SLOT_SIZE) as memory:
        struct.pack_into("<IIQQ", memory, slot * SCOREBOARD_SLOT_SIZE + (thread + 1) * 512, state, 0, since, deadline)


@pytest.mark.parametrize(
    ("state", "deadline", "overdue"),
    [(1, 9_000_000_000, True), (1, 11_000_000_000, False), (1, 0, False), (0, 9_000_000_000, False)],
)
def test_a_request_is_overdue_once_its_deadline_has_passed(
    scoreboard: ScoreboardReader, state: int, deadline: int, overdue: bool
) -> None:
    write_cell(scoreboard, 2, 3, state, 1, deadline)
    assert bool(scoreboard.overdue_requests(2, 4, 10.0)) is overdue


def test_cells_beyond_a_worker_s_capacity_are_not_looked_at(scoreboard: ScoreboardReader) -> None:
    write_cell(scoreboard, 2, 3, 1, 1, 1)
    assert not scoreboard.overdue_requests(2, 3, 10.0)


@pytest.mark.parametrize(("running", "capacity", "cells"), [(0, 1, 1), (2, 2, 4), (100, 100, 128)])
def test_requests_that_need_no_thread_stand_behind_those_of_the_threads(
    scoreboard: ScoreboardReader, running: int, capacity: int, cells: int
) -> None:
    write(scoreboard, 2, 1, 4711, running, capacity, 0, 0, 0)
    write_cell(scoreboard, 2, cells - 1, 1, 1, 1)
    assert scoreboard.read(2).cells == cells
    assert [request.thread for request in scoreboard.requests(2)] == [cells - 1]


def test_no_more_cells_are_looked_at_than_a_slot_has(scoreboard: ScoreboardReader) -> None:
    write_cell(scoreboard, 2, 127, 1, 1, 1)
    for cell in (0, 1):
        write_cell(scoreboard, 3, cell, 1, 1, 1)  # behind the slot
    assert len(scoreboard.overdue_requests(2, 65_536, 10.0)) == 1


def test_figures_that_cannot_be_are_taken_for_the_largest_that_can(scoreboard: ScoreboardReader) -> None:
    write(scoreboard, 1, 1, 4711, 0xFFFFFFFF, 0xFFFFFFFF, 0, 0, 0)
    assert (scoreboard.read(1).running, scoreboard.read(1).capacity) == (65_536, 65_536)
    assert not scoreboard.overdue_requests(1, 0xFFFFFFFF, 10.0)


def test_out_of_band_work_is_busy(scoreboard: ScoreboardReader) -> None:
    write(scoreboard, 1, 2, 4711, 0, 1, 0, 0, 0)
    assert scoreboard.read(1).working
    assert scoreboard.read(1).busy


def test_an_overdue_request_is_named_by_its_cell_and_its_start(scoreboard: ScoreboardReader) -> None:
    write_cell(scoreboard, 2, 3, 1, 77, 9_000_000_000)
    assert scoreboard.overdue_requests(2, 4, 10.0) == (OverdueRequest(3, 77),)


@pytest.mark.parametrize(("deadline", "overdue"), [(9_000_000_000, True), (11_000_000_000, False), (0, False)])
def test_requests_without_a_cell_are_overdue_by_the_first_of_their_deadlines(
    scoreboard: ScoreboardReader, deadline: int, overdue: bool
) -> None:
    write(scoreboard, 2, 1, 4711, 300, 1000, 0, 0, 0, deadline)
    assert (scoreboard.read(2).running, scoreboard.read(2).capacity) == (300, 1000)
    assert scoreboard.overdue_requests(2, 1000, 10.0) == ((OverdueRequest(None, 0),) if overdue else ())
