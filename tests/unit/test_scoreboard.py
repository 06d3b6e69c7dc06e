"""The scoreboard shows what workers say, and an app cannot hurt the spawner through it."""

from __future__ import annotations

import mmap
import os
import struct
from typing import Iterator

import pytest

from spawner.group import SLOTS
from spawner.scoreboard import SLOT_SIZE, Scoreboard


@pytest.fixture
def scoreboard() -> Iterator[Scoreboard]:
    board = Scoreboard.create()
    yield board
    board.close()


def write(board: Scoreboard, slot: int, *fields: int) -> None:
    """Write a slot as a worker does: through a mapping of its own."""
    with mmap.mmap(board.descriptor, SLOTS * SLOT_SIZE) as memory:
        struct.pack_into("<IIIIQQQ", memory, slot * SLOT_SIZE, *fields)


def test_a_new_scoreboard_shows_no_busy_worker(scoreboard: Scoreboard) -> None:
    assert not any(scoreboard.read(slot).busy for slot in range(SLOTS))


def test_what_a_worker_wrote_is_read_in_seconds(scoreboard: Scoreboard) -> None:
    write(scoreboard, 3, 1, 4711, 1, 1, 99, 5_500_000_000, 4_250_000_000)
    slot = scoreboard.read(3)
    assert (slot.busy, slot.pid, slot.requests, slot.busy_since, slot.idle_since) == (True, 4711, 99, 5.5, 4.25)


def test_slots_do_not_touch_one_another(scoreboard: Scoreboard) -> None:
    write(scoreboard, 3, 1, 1, 1, 1, 1, 1, 1)
    assert not scoreboard.read(2).busy
    assert not scoreboard.read(4).busy


def test_a_cleared_slot_is_free(scoreboard: Scoreboard) -> None:
    write(scoreboard, 3, 1, 1, 1, 1, 7, 1, 1)
    scoreboard.clear(3)
    assert scoreboard.read(3).requests == 0


def test_an_app_cannot_shrink_it_under_the_spawner(scoreboard: Scoreboard) -> None:
    with pytest.raises(PermissionError):
        os.ftruncate(scoreboard.descriptor, 0)
