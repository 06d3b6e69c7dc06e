"""The descriptor store keeps what the next spawner needs."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
from typing import Any, Callable, Iterator

import pytest

from spawner.errors import InternalError
from spawner.state_store.descriptor_store import DescriptorStore, StoreRecord

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """The two ends that httpd's parent holds."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    yield ends
    for end in ends:
        end.close()


def open_store(pair: Pair) -> DescriptorStore:
    """A spawner's view of the store: duplicates, as after a fork."""
    return DescriptorStore(pair[0].dup(), pair[1].dup())


def pipe_with(text: bytes) -> int:
    """A descriptor that can be told from others by what it holds."""
    reader, writer = os.pipe()
    os.write(writer, text)
    os.close(writer)
    return reader


def recovered(pair: Pair) -> dict[str, tuple[str, list[bytes]]]:
    """What a new spawner finds: by key, the field `note` and what the descriptors hold (which uses that up)."""
    store = open_store(pair)
    found = {}
    for record in store.recover():
        found[record.get("key")] = (record.get("note"), [os.read(number, 100) for number in record.descriptors])
        record.close()
    store.close()
    return found


def put(store: DescriptorStore, key: str, note: str, *texts: bytes) -> None:
    """Store an object whose descriptors hold these texts."""
    numbers = [pipe_with(text) for text in texts]
    store.put("process", key, [("note", note)], numbers)
    for number in numbers:
        os.close(number)


def test_what_was_stored_is_found_by_the_next_spawner_with_its_descriptors(pair: Pair) -> None:
    store = open_store(pair)
    put(store, "a", "first", b"one", b"two")
    put(store, "b", "second", b"three")
    store.close()
    assert recovered(pair) == {"a": ("first", [b"one", b"two"]), "b": ("second", [b"three"])}


def test_the_newest_record_of_a_key_counts(pair: Pair) -> None:
    store = open_store(pair)
    put(store, "a", "old", b"old")
    put(store, "a", "new", b"new")
    store.close()
    assert recovered(pair) == {"a": ("new", [b"new"])}


def test_what_was_removed_is_not_found(pair: Pair) -> None:
    store = open_store(pair)
    put(store, "a", "x", b"x")
    put(store, "b", "y", b"y")
    store.remove("a")
    store.close()
    assert list(recovered(pair)) == ["b"]


def test_recovering_leaves_everything_for_a_spawner_after_the_next(pair: Pair) -> None:
    store = open_store(pair)
    put(store, "a", "x", b"")
    store.close()
    for _ in range(3):
        assert recovered(pair) == {"a": ("x", [b""])}


class Killed(BaseException):
    """Stands for SIGKILL: whoever has met it makes no system call any more."""


class MortalSocket(socket.socket):
    """One end of the store as a spawner has it that is killed before one of its system calls.

    :cvar calls_left: of all ends together, until that.
    """

    calls_left = 0

    def sendmsg(self, *arguments: Any) -> int:  # type: ignore[override]
        self._live()
        return super().sendmsg(*arguments)

    def recvmsg(self, *arguments: Any) -> Any:  # type: ignore[override]
        self._live()
        return super().recvmsg(*arguments)

    def _live(self) -> None:
        if MortalSocket.calls_left == 0:
            raise Killed
        MortalSocket.calls_left -= 1


Kept = dict[str, tuple[str, list[bytes]]]
Act = Callable[[DescriptorStore], object]


def fill(store: DescriptorStore) -> None:
    """Two objects, one of them written anew."""
    put(store, "a", "old", b"old")
    put(store, "b", "stays", b"one", b"two")
    put(store, "a", "older", b"older")


def fill_to_the_brim(store: DescriptorStore) -> None:
    """The same, and so many outdated records that one more change is followed by a compaction."""
    fill(store)
    while len(store._queue) < 2 * len(store._latest) + 16:
        put(store, "a", "older", b"older")


def kept_by_a_killed_spawner(fill_store: Act, act: Act, calls: int) -> tuple[Kept, bool]:
    """What the next spawner finds when this one is killed after so many system calls, and whether it was."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    before = set(os.listdir("/proc/self/fd"))
    first = open_store(ends)
    fill_store(first)
    if act is DescriptorStore.recover:  # that of its successor
        first.close()
        first = open_store(ends)
    first._head, first._tail = (MortalSocket(fileno=end.detach()) for end in (first._head, first._tail))
    MortalSocket.calls_left = calls
    killed = False
    try:
        act(first)
    except Killed:
        killed = True
    first.close()
    for left in set(os.listdir("/proc/self/fd")) - before:  # the kernel closes what a killed process had open
        with contextlib.suppress(OSError):
            os.close(int(left))
    kept = recovered(ends)
    for end in ends:
        end.close()
    return kept, killed


OLD = {"a": ("older", [b"older"]), "b": ("stays", [b"one", b"two"])}
NEW = {"a": ("new", [b"new"]), "b": OLD["b"]}


REPLACE = (lambda store: put(store, "a", "new", b"new"), NEW)
REMOVE = (lambda store: store.remove("a"), {"b": OLD["b"]})


@pytest.mark.parametrize(
    ("fill_store", "act", "new"),
    [(fill, *REPLACE), (fill, *REMOVE), (fill_to_the_brim, *REPLACE), (fill_to_the_brim, *REMOVE)]
    + [(fill, DescriptorStore.recover, OLD)],
    ids=["replace", "remove", "replace and compact", "remove and compact", "recover"],
)
def test_a_spawner_that_is_killed_at_any_system_call_leaves_the_old_state_or_the_new(
    fill_store: Act, act: Act, new: Kept
) -> None:
    calls, killed = 0, True
    while killed:
        kept, killed = kept_by_a_killed_spawner(fill_store, act, calls)
        assert kept in (OLD, new), "killed after %d calls" % calls
        calls += 1
    assert kept == new
    assert calls > 1


def test_thousands_of_changes_leave_neither_records_nor_descriptors_behind(pair: Pair) -> None:
    store = open_store(pair)
    put(store, "fixed", "stays", b"fixed")
    before = len(os.listdir("/proc/self/fd"))
    for number in range(2000):
        put(store, "process %d" % (number % 7), "x", b"")
        store.remove("process %d" % (number % 7))
    assert len(os.listdir("/proc/self/fd")) == before
    assert len(store) == 1
    assert len(store._queue) <= 2 + 16
    store.close()
    assert recovered(pair) == {"fixed": ("stays", [b"fixed"])}


def test_more_objects_than_a_packet_queue_would_take_fit(pair: Pair) -> None:
    store = open_store(pair)
    for number in range(300):
        put(store, str(number), "n" * 1000, b"")
    store.close()
    assert len(recovered(pair)) == 300


def test_a_record_that_the_kernel_might_split_is_refused(pair: Pair) -> None:
    store = open_store(pair)
    with pytest.raises(InternalError, match="too long"):
        put(store, "a", "x" * 40_000, b"")
    store.close()


def test_recovering_leaves_no_descriptor_open_but_those_it_hands_out(pair: Pair) -> None:
    store = open_store(pair)
    for _ in range(3):  # most records are outdated, or of objects that are gone
        for number in range(5):
            put(store, str(number), "x", b"", b"")
    for number in range(2):
        store.remove(str(number))
    store.close()
    before = len(os.listdir("/proc/self/fd"))
    store = open_store(pair)
    opened = len(os.listdir("/proc/self/fd")) - before
    records = store.recover()
    assert len(os.listdir("/proc/self/fd")) == before + opened + 3 * 2
    for record in records:
        record.close()
    store.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_record_that_finds_no_room_is_not_left_open(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(pair)
    put(store, "a", "x", b"")
    before = len(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(store, "_send", _no_room)
    with pytest.raises(BlockingIOError):
        store._rotate()
    assert len(os.listdir("/proc/self/fd")) == before
    store.close()


def test_a_compaction_that_finds_no_room_leaves_the_store_in_step(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(pair)
    for number in range(20):
        put(store, "kept %d" % number, "it", b"x")
    monkeypatch.setattr(store, "_rotate", _no_room)
    refused = 0
    while refused < 3:
        try:
            put(store, "churned", "again", b"y")
        except BlockingIOError:
            refused += 1
    monkeypatch.undo()
    for number in range(60):
        put(store, "churned", "round %d" % number, b"y")
    store.close()
    found = recovered(pair)
    assert len(found) == 21
    assert found["churned"][0] == "round 59"


def _no_room(*_: object) -> StoreRecord:
    raise BlockingIOError


def test_descriptors_that_do_not_fit_into_this_process_are_not_lost_from_the_store(pair: Pair) -> None:
    store = open_store(pair)
    put(store, "a", "it", b"one", b"two")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.open(os.devnull, os.O_RDONLY)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + 1, before[1]))
    try:
        with pytest.raises(OSError, match="no descriptors left"):
            store._rotate()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    store.close()
    assert recovered(pair) == {"a": ("it", [b"one", b"two"])}
