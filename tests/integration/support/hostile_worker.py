"""A worker that answers each request as the case says that the request's path names, with the bytes cut as it says."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from dataclasses import dataclass
from typing import Callable, Mapping, Union

from support.cuts import has_gone, send_cut, send_with_descriptors
from support.httpd import Httpd
from support.scripted_loader import Exchange, ScriptedLoader
from support.waiting import TIMEOUT, eventually

NORMAL_HEAD = b"Status: 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\n"
NORMAL_HTTP_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\n"
#: All that a loader can do, and for the groups of plain SCGI nothing.
EVERYTHING = "frames framed-body body-file acknowledge expect token cancel"
#: More than any reader may take.
_ENDLESS = 64 << 20


class Halfway:
    """Where a client stops when it has a part of an answer, until its worker has done something beside it."""

    def __init__(self) -> None:
        self._client_waits = threading.Event()
        self._worker_is_ready = threading.Event()

    def wait_in_client(self) -> None:
        self._client_waits.set()
        assert self._worker_is_ready.wait(TIMEOUT), "the worker does not go on"

    def act_in_worker(self, act: Callable[[], None]) -> None:
        assert self._client_waits.wait(TIMEOUT), "the client has got nothing"
        act()
        self._worker_is_ready.set()


@dataclass
class Answering:
    """One request that is being answered, and the way in which the bytes of the answer are cut."""

    exchange: Exchange
    way: str
    name: str
    halfway: Halfway

    @property
    def connection(self) -> socket.socket:
        return self.exchange.connection

    def send(self, data: bytes) -> None:
        send_cut(self.connection, data, self.way, self.name)

    def send_each(self, data: bytes) -> None:
        """Again and again until the module does not take it any more."""
        sent = 0
        while sent < _ENDLESS:
            self.connection.sendall(data)
            sent += len(data)
        raise AssertionError(f"{self.name}: the module has taken {_ENDLESS} bytes")


#: A part of an answer: bytes, or something else that a worker can do.
Step = Union[bytes, Callable[[Answering], None]]


@dataclass(frozen=True)
class Case:
    """`outcome`: what the client may see; `logged`: the number of the line that httpd logs, `?` behind it where it
    need not, nothing for none; `host`: the virtual host, which decides what the worker is asked for; `stops_halfway`:
    the client, which has a small buffer, waits there for the worker."""

    name: str
    outcome: Callable[[int, bytes, bool], bool]
    logged: str
    steps: tuple[Step, ...]
    host: str = "framed.example"
    stops_halfway: bool = False


# -- what a worker can do beside sending bytes


def passing(data: bytes, *makers: Callable[[], int]) -> Step:
    """Send bytes with descriptors."""

    def act(answering: Answering) -> None:
        descriptors = [make() for make in makers]
        try:
            send_with_descriptors(answering.connection, data, descriptors)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    return act


def endless(data: bytes) -> Step:
    return lambda answering: answering.send_each(data)


def dribble(data: bytes) -> Step:
    """Send it every 20 ms until the module has closed."""

    def act(answering: Answering) -> None:
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            answering.connection.sendall(data)
            time.sleep(0.02)

    return act


def stay(answering: Answering) -> None:
    """Keep silent until the module has closed."""
    eventually(lambda: has_gone(answering.connection), "the module to close")


def stop_writing(answering: Answering) -> None:
    answering.connection.shutdown(socket.SHUT_WR)


def stop_reading(answering: Answering) -> None:
    answering.connection.shutdown(socket.SHUT_RD)


class HostileWorker:
    """Answers all requests to a started httpd: `/<case>/<way>/...` as the case says, everything else normally."""

    def __init__(self, httpd: Httpd, cases: Mapping[str, Case], others: Mapping[str, str]) -> None:
        """`others`: beginnings of the names of groups, and what their loader can do instead of everything."""
        self._cases = cases
        self.loader = ScriptedLoader(
            httpd, EVERYTHING, lambda group: next((can for name, can in others.items() if group.startswith(name)), None)
        )
        self._halfway: dict[str, Halfway] = {}
        #: What went wrong in the worker itself.
        self.errors: list[str] = []
        self._is_closed = threading.Event()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def halfway(self, path: str) -> Halfway:
        """Of the answer to the request of this path."""
        return self._halfway.setdefault(path, Halfway())

    def _accept(self) -> None:
        while not self._is_closed.is_set():
            with contextlib.suppress(OSError):  # nobody has asked for long, or closed
                exchange = self.loader.accept_connection()
                threading.Thread(target=self._serve, args=(exchange,), daemon=True).start()

    def _serve(self, exchange: Exchange) -> None:
        with exchange:
            try:
                exchange.read_head()
                self._answer(exchange)
            except (BrokenPipeError, ConnectionResetError):
                pass  # the module has had enough
            except (AssertionError, OSError, KeyError) as error:
                self.errors.append(repr(error))

    def _answer(self, exchange: Exchange) -> None:
        path = exchange.head["REQUEST_URI"]
        case = self._cases.get(path.split("/")[1])
        if case is None:
            self._answer_normally(exchange)
            return
        way = path.split("/")[2].replace("-", " ")
        answering = Answering(exchange, way, case.name, self.halfway(path))
        for step in case.steps:
            if isinstance(step, bytes):
                answering.send(step)
            else:
                step(answering)

    @staticmethod
    def _answer_normally(exchange: Exchange) -> None:
        extensions = exchange.extensions()
        if exchange.request_line:
            exchange.send(NORMAL_HTTP_HEAD + b"normal")
            return
        begin = b"Status: 102 Processing\r\n\r\n" if "JUMPSEAT_ACKNOWLEDGE" in extensions else b""
        body = b"\0\0\0\x06normal\0\0\0\0" if "JUMPSEAT_FRAMED" in extensions else b"normal"
        exchange.connection.sendall(begin + NORMAL_HEAD + body)

    def close(self) -> None:
        self._is_closed.set()
        self.loader.close()
        self._thread.join(TIMEOUT)
