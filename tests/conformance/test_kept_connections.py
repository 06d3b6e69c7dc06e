"""Connections that take one request after the other, and heads with a tail (docs/protocol.md, sections 2 and 3)."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conformance.conftest import Starter
from tests.conformance.harness.httpd_side import Client, Exchange
from tests.conformance.harness.loader_process import Process

KEEP = {"JUMPSEAT_KEEP": "1"}
TOO_LATE = b"Status: 102 Too Late\r\n\r\n"
MORE_THAN_A_WORKER_KEEPS = 300

pytestmark = [pytest.mark.needs("keep-alive"), pytest.mark.needs("scgi")]


def client_of(process: Process) -> Client:
    return process.group.client()


def kept(client: Client, path: str = "/") -> Exchange:
    """A connection that has served a request and is kept."""
    exchange = client.open(path=path, variables=KEEP)
    assert exchange.answer().slot is not None
    return exchange


def has_ended(exchange: Exchange) -> bool:
    """Whether the worker closes the connection without another byte."""
    try:
        return exchange.socket.recv(1) == b""
    except ConnectionResetError:
        return True


def test_a_connection_takes_one_request_after_the_other_and_says_whose_it_is(starter: Starter) -> None:
    worker = starter.worker()
    client, slot = client_of(worker), int(worker.ready["slot"])
    with client.open(variables=KEEP) as exchange:
        assert exchange.answer().slot == slot
        for number in range(3):
            answer = client.open("POST", "/echo", b"%d" % number, variables=KEEP, on=exchange).answer()
            assert (answer.text, answer.slot) == (str(number), slot)
        assert client.open("HEAD", "/", variables=KEEP, on=exchange).answer().slot == slot
    worker.group.wait_for(lambda group: group.slot(slot).requests == 5 and group.slot(slot).running == 0)


def test_a_connection_is_closed_after_a_request_that_does_not_ask_to_keep_it(starter: Starter) -> None:
    client = client_of(starter.worker())
    with kept(client) as exchange:
        assert client.open(on=exchange).answer().slot is None
        assert has_ended(exchange)


def test_a_connection_whose_body_may_not_be_read_whole_is_not_kept(starter: Starter) -> None:
    client = client_of(starter.worker())
    with client.open("POST", "/", length=5, variables=KEEP) as inline:
        assert inline.answer().slot is None
    with client.open("POST", "/", b"\0\0\0\0", kind="framed", variables=KEEP) as framed:
        assert framed.answer().slot is None


def test_a_connection_is_kept_behind_a_body_in_a_file(starter: Starter, tmp_path: Path) -> None:
    client = client_of(starter.worker())
    (tmp_path / "body").write_bytes(b"from a file")
    with open(tmp_path / "body", "rb") as file:
        exchange = client.open("POST", "/echo", length=11, kind="file", descriptors=(file.fileno(),), variables=KEEP)
    with exchange:
        answer = exchange.answer()
        assert (answer.text, answer.slot) == ("from a file", 0)
        assert client.open(path="/", on=exchange).answer().text == "ok"


def test_a_plain_peer_is_answered_once(starter: Starter) -> None:
    client = client_of(starter.worker(token=""))
    with client.open(framed=False, kind="", token="", variables=KEEP) as exchange:
        assert exchange.answer().text == "ok"


def test_new_connections_are_served_while_others_are_kept(starter: Starter) -> None:
    worker = starter.worker()
    client = client_of(worker)
    with kept(client) as first, kept(client) as second:
        assert worker.get().text == "ok"
        assert client.open(variables=KEEP, on=second).answer().text == "ok"
        assert worker.get().text == "ok"
        assert client.open(variables=KEEP, on=first).answer().text == "ok"


def test_requests_on_kept_and_new_connections_are_served_in_turn(starter: Starter) -> None:
    worker = starter.worker()
    client = client_of(worker)
    keepers = [kept(client) for _ in range(12)]
    with client.open(path="/wait") as busy:
        worker.output.wait_for("waiting")
        waiting = [client.open(variables=KEEP, on=each) for each in keepers] + [client.open() for _ in range(12)]
        starter.open_gate()
        assert busy.answer().text == "ok"
    assert [each.answer().text for each in waiting] == ["ok"] * 24
    for each in waiting:
        each.close()


def test_a_request_whose_time_is_over_is_told_so_without_an_acknowledgement_and_not_run(starter: Starter) -> None:
    worker = starter.worker()
    client = client_of(worker)
    with kept(client) as exchange:
        late = {**KEEP, "JUMPSEAT_START_BEFORE": str(time.monotonic_ns())}
        client.open(path="/say?was run", variables=late, on=exchange)
        assert exchange.read(len(TOO_LATE) + 1) == TOO_LATE
    with kept(client) as exchange:
        early = {**KEEP, "JUMPSEAT_START_BEFORE": str(time.monotonic_ns() + 60 * 10**9)}
        assert client.open(variables=early, on=exchange).answer().text == "ok"
    worker.retire()
    worker.wait_for_end()
    assert "was run" not in worker.output.wait_for_end()


def test_a_request_whose_peer_has_left_meanwhile_is_not_run(starter: Starter) -> None:
    worker = starter.worker()
    client = client_of(worker)
    gone = kept(client)
    with client.open(path="/wait") as busy:
        worker.output.wait_for("waiting")
        client.open(path="/say?was run", variables=KEEP, on=gone).close()
        starter.open_gate()
        assert busy.answer().text == "ok"
    assert worker.get().text == "ok"
    worker.retire()
    worker.wait_for_end()
    assert "was run" not in worker.output.wait_for_end()


def test_a_worker_that_retires_ends_its_kept_connections(starter: Starter) -> None:
    worker = starter.worker()
    with kept(client_of(worker)) as exchange:
        worker.retire()
        assert has_ended(exchange)
    worker.wait_for_end()


def test_a_request_that_a_retiring_worker_has_not_read_is_reset_and_not_run(starter: Starter) -> None:
    worker = starter.worker()
    client = client_of(worker)
    with kept(client) as exchange, client.open(path="/wait") as busy:
        worker.output.wait_for("waiting")
        worker.retire()
        client.open(path="/say?was run", variables=KEEP, on=exchange)
        starter.open_gate()
        assert busy.answer().text == "ok"
        with pytest.raises(ConnectionResetError):
            exchange.socket.recv(1)
    worker.wait_for_end()
    assert "was run" not in worker.output.wait_for_end()


def test_a_worker_at_its_limit_of_requests_keeps_no_connection(starter: Starter) -> None:
    client = client_of(starter.worker(max_requests="2", stop_at_max_requests="1"))
    with kept(client) as first:
        client.open(variables=KEEP, on=first).answer()
        assert has_ended(first)


def test_each_request_on_a_kept_connection_has_to_show_the_token(starter: Starter) -> None:
    client = client_of(starter.worker())
    with kept(client) as exchange:
        answer = client.open(token="wrong", variables=KEEP, on=exchange).answer()
        assert (answer.status, answer.slot) == ("403 Forbidden", None)


@pytest.mark.parametrize("bytes_sent", [b"nonsense", b"6:a\0b\0c\0,", b"0012:", b"3:a\0b,"])
def test_what_is_no_request_ends_a_kept_connection(starter: Starter, bytes_sent: bytes) -> None:
    worker = starter.worker()
    with kept(client_of(worker)) as exchange:
        exchange.again("GET").send(bytes_sent)
        answer = exchange.answer()
        assert (answer.status, answer.slot) == ("400 Bad Request", None)
    assert worker.get().text == "ok"


def test_a_head_that_comes_in_pieces_is_read_whole(starter: Starter) -> None:
    client = client_of(starter.worker())
    with kept(client) as exchange:
        other, theirs = socket.socketpair()
        with other, theirs:
            probe = Exchange.__new__(Exchange)
            probe.__dict__.update(exchange.__dict__, socket=other, slot=0)
            client.open(path="/echo", body=b"pieces", method="POST", variables=KEEP, on=probe)
            request = theirs.recv(1 << 16)
        exchange.again("POST")
        for start in range(0, len(request), 100):
            exchange.send(request[start : start + 100])
        assert exchange.answer().text == "pieces"


def test_an_app_that_fails_costs_its_request_only(starter: Starter) -> None:
    client = client_of(starter.worker())
    with client.open(path="/fail", variables=KEEP) as exchange:
        answer = exchange.answer()
        assert answer.status.startswith("500")
        if answer.slot is not None:
            assert client.open(variables=KEEP, on=exchange).answer().text == "ok"


def test_peers_that_leave_make_room_for_others(starter: Starter) -> None:
    worker = starter.worker()
    client = client_of(worker)
    with ExitStack() as stack:
        slots = []
        for _ in range(MORE_THAN_A_WORKER_KEEPS):
            exchange = stack.enter_context(client.open(variables=KEEP))
            slots.append(exchange.answer().slot)
    assert None in slots
    assert slots[0] is not None
    worker.group.wait_for(lambda group: client.ask(variables=KEEP).slot is not None)


@pytest.mark.needs("threads")
def test_threads_serve_kept_connections_at_the_same_time(starter: Starter) -> None:
    worker = starter.worker(threads="2")
    client = client_of(worker)
    with kept(client) as first, kept(client) as second:
        client.open(path="/wait1", variables=KEEP, on=first)
        client.open(path="/wait2", variables=KEEP, on=second)
        worker.output.wait_for("waiting1")
        worker.output.wait_for("waiting2")
        starter.open_gate("gate1")
        starter.open_gate("gate2")
        assert (first.answer().text, second.answer().text) == ("ok", "ok")
        assert client.open(variables=KEEP, on=first).answer().text == "ok"


# The tail of a head


@pytest.mark.needs("tail")
def test_variables_of_a_tail_are_variables_like_others(starter: Starter) -> None:
    client = client_of(starter.worker())
    for number in (1, 2, 1):
        tail = {"SERVER_ADMIN": f"admin{number}@app.example", "HTTPS": "on"}
        text = client.ask(path="/variables", tail=tail, variables={"HTTP_X": "y"}).text
        assert f"SERVER_ADMIN=admin{number}@app.example\n" in text
        assert "HTTP_X=y\n" in text
        assert "HTTPS=on\n" in text
        assert "JUMPSEAT" not in text


@pytest.mark.needs("tail")
def test_many_tails_are_not_confused(starter: Starter) -> None:
    client = client_of(starter.worker())
    with kept(client) as exchange:
        for number in range(200):
            tail = {**KEEP, "SERVER_ADMIN": str(number)}
            answer = client.open(path="/variables", tail=tail, on=exchange).answer()
            assert f"SERVER_ADMIN={number}\n" in answer.text


@pytest.mark.needs("tail")
@pytest.mark.parametrize("size", ["000000", "000005", "999999", "-00001", "00001x"])
def test_a_tail_of_a_wrong_size_does_no_harm(starter: Starter, size: str) -> None:
    worker = starter.worker()
    answer = client_of(worker).ask(path="/variables", variables={"JUMPSEAT_TAIL": size})
    assert answer.status in ("200 OK", "400 Bad Request")
    assert worker.get().text == "ok"


@pytest.mark.needs("tail")
def test_a_token_in_the_head_and_in_the_tail_is_a_bad_request(starter: Starter) -> None:
    worker = starter.worker()
    answer = client_of(worker).ask(variables={"JUMPSEAT_TOKEN": "the-token"}, tail={})
    assert answer.status == "400 Bad Request"
