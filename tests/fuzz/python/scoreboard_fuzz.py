"""The scoreboard, in which the app's user can write anything. Checked: figures are cut to their bounds; only the cells
that the worker may use are read; a request is shown without its query; a cleared slot is free."""

from __future__ import annotations

import os

from tests.fuzz.python.harness import Input, fuzz, instrumented

with instrumented():
    from spawner.pool.process import SLOTS
    from spawner.processes.scoreboard_reader import CELL_SIZE, MOST_REQUESTS, ScoreboardReader, parse_cell
    from spawner.shared.constants import SCOREBOARD_SLOT_SIZE

_CELLS = 128
_BOARD = ScoreboardReader.create()


def _write(slot: int, given: Input) -> None:
    start = slot * SCOREBOARD_SLOT_SIZE
    os.pwrite(_BOARD.descriptor, given.take(48).ljust(48, b"\0"), start)
    while given.left:
        cell = given.number() % 160
        content = given.take(24) + given.take(given.number())
        if cell < _CELLS or slot + 1 < SLOTS:  # also in the slot behind it
            os.pwrite(_BOARD.descriptor, content, start + CELL_SIZE + cell * CELL_SIZE)


def one(data: bytes) -> None:
    """A slot, as some worker has left it."""
    given = Input(data)
    slot = given.choice(range(SLOTS))
    _write(slot, given)
    values = _BOARD.read(slot)
    assert 0 <= values.running <= MOST_REQUESTS
    assert 0 <= values.capacity <= MOST_REQUESTS
    assert values.busy == (values.running > 0 or values.working)
    requests = _BOARD.requests(slot)
    assert values.cells == min(values.capacity + values.running, _CELLS)
    assert len(requests) <= values.cells
    assert all("?" not in request.path and request.thread < _CELLS for request in requests)
    overdue = _BOARD.overdue_requests(slot, values.cells, 1e9)
    assert len(overdue) <= values.cells + 1
    assert parse_cell(0, bytes(CELL_SIZE)) is None
    _BOARD.clear(slot)
    assert _BOARD.read(slot).capacity == 0
    assert _BOARD.requests(slot) == []
    os.pwrite(_BOARD.descriptor, bytes(SCOREBOARD_SLOT_SIZE * min(2, SLOTS - slot)), slot * SCOREBOARD_SLOT_SIZE)


if __name__ == "__main__":
    fuzz(one)
