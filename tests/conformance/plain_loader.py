"""A loader that can do the least that docs/protocol.md asks for: it shows that nothing more is needed.

Every process serves the app that it has loaded (`load` names a slot). Requests are plain SCGI, each in a thread. It has
one capability, `cancel`, for it costs nothing here. The apps are WSGI apps; wsgiref makes CGI responses of what they
answer. Run as `<python> plain_loader.py <descriptor> <title>`. Not for use: it does not survive hostile peers.
"""

from __future__ import annotations

import ctypes
import io
import os
import select
import signal
import socket
import struct
import sys
import threading
import time
import traceback
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from mmap import mmap
from pathlib import Path
from typing import Any
from wsgiref.handlers import SimpleHandler

SLOT_SIZE, CELL_SIZE, CELLS = 66_048, 512, 128
HEADER, CELL = struct.Struct("<IIIIQQQQ"), struct.Struct("<IIQQ488s")


class Cancelled(BaseException):
    """The request is to end."""


class LoadError(Exception):
    """The app cannot be loaded: the step, and why."""


def encode(pairs: list[tuple[str, str]]) -> bytes:
    payload = "".join(f"{name}\0{value}\0" for name, value in pairs).encode("utf-8", "surrogateescape")
    return b"%d:%s," % (len(payload), payload)


def decode(packet: bytes) -> list[tuple[str, str]]:
    parts = packet[packet.index(b":") + 1 : -1].decode("utf-8", "surrogateescape").split("\0")
    return list(zip(parts[:-1:2], parts[1::2]))


class Request:
    """One connection, from its head to its end, in a thread of its own."""

    def __init__(self, loader: Loader, connection: socket.socket, number: int) -> None:
        self.number = number
        self.since = time.monotonic_ns()
        self._loader = loader
        self._connection = connection
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def cancel(self) -> None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._thread.ident or 0), ctypes.py_object(Cancelled))

    def _run(self) -> None:
        try:
            with self._connection, self._connection.makefile("rwb") as stream:
                self._answer(stream)
        except (Cancelled, OSError, ValueError, EOFError):
            pass
        finally:
            self._loader.request_ended(self)

    def _answer(self, stream: Any) -> None:
        size = b""
        while not size.endswith(b":"):
            byte = stream.read(1)
            if not byte:
                raise EOFError
            size += byte
        head = stream.read(int(size[:-1]))
        stream.read(1)
        self._loader.show(self, head)
        parts = head.decode("latin-1").split("\0")
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "QUERY_STRING": ""}
        environ.update(zip(parts[:-1:2], parts[1::2]))
        body = io.BytesIO(stream.read(int(environ["CONTENT_LENGTH"])))
        handler = SimpleHandler(body, stream, sys.stderr, environ, multithread=True, multiprocess=False)
        handler.origin_server = False  # `Status:` as in CGI
        handler.run(self._loader.application)
        self._loader.served += 1


class Loader:
    """The process: one control line, one app, one slot."""

    def __init__(self, descriptor: int) -> None:
        self.line = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, fileno=descriptor)
        self.application: Any = None
        self.served = 0
        self._lock = threading.RLock()
        self._running: dict[int, Request] = {}

    def run(self) -> int:
        version = "{}.{}.{}".format(*sys.version_info[:3])
        self._send("hello", ("runtime", "Python " + version), ("executable", sys.executable))
        packet, descriptors, _, _ = socket.recv_fds(self.line, 1 << 19, 8)
        load = dict(decode(packet)) if packet else {"type": "retire"}
        if load["type"] == "retire":
            return 0
        if load["type"] != "load":
            print(f"got {load['type']} instead of load", file=sys.stderr)
            return 1
        started = time.monotonic()
        try:
            module = self._load(Path(load["app_root"]), load["startup_file"])
        except LoadError as error:
            self._report(error, load)
            return 1
        self._send("loaded", ("seconds", f"{time.monotonic() - started:.3f}"))
        if "slot" not in load:  # a preloader, which is told to fork: this loader cannot
            packet = self.line.recv(1 << 19)
            return int(bool(packet) and decode(packet)[0][1] != "retire")
        getattr(module, "after_fork", int)()
        self._serve(load, *descriptors)
        getattr(module, "before_exit", int)()
        return 0

    def _load(self, root: Path, name: str) -> Any:
        path = root / name
        try:
            source = path.read_bytes()
        except OSError as error:
            raise LoadError("read the entry file", str(error)) from error
        try:
            compile(source, str(path), "exec")
        except SyntaxError as error:
            raise LoadError("compile the entry file", str(error).replace("\n", " ")) from error
        module = module_from_spec(spec_from_loader("app", SourceFileLoader("app", str(path))))  # type: ignore[arg-type]
        try:
            exec(compile(source, str(path), "exec"), module.__dict__)
        except (Exception, SystemExit) as error:
            raise LoadError("import the app", repr(error)) from error
        if not hasattr(module, "application"):
            raise LoadError("find the application", f"{name} has no application")
        self.application = module.application
        return module

    def _report(self, error: LoadError, load: dict[str, str]) -> None:
        step, summary = error.args
        text = "".join(traceback.format_exception(error.__cause__)) if error.__cause__ else ""
        self._send("failed", ("step", step), ("summary", summary), ("traceback", text), ("cwd", os.getcwd()))

    # Serving

    def _serve(self, load: dict[str, str], listener: int, board: int, lifeline: int, *own: int) -> None:
        self._board, self._start = mmap(board, 0), int(load["slot"]) * SLOT_SIZE
        self._capacity = int(load.get("threads", "1"))
        self._idle_since, self._busy_since = time.monotonic_ns(), 0
        wake, self._waker = os.pipe()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: os.write(self._waker, b"t"))
        listeners = {number: socket.socket(fileno=number) for number in (listener, *own)}
        for one in listeners.values():
            one.setblocking(False)
        self._write_header(1)
        route = [("route", load["route"])] if own else []
        self._send("ready", ("slot", load["slot"]), *route, ("capabilities", "cancel"))
        while self._step(listeners, lifeline, wake):
            pass
        for number in own:
            self._accept(listeners[number])
        while self._running:
            time.sleep(0.005)
        self._write_header(0)

    def _step(self, listeners: dict[int, socket.socket], lifeline: int, wake: int) -> bool:
        """Wait for something and deal with it; False at the end."""
        sockets = list(listeners.values()) if len(self._running) < self._capacity else []
        ready, _, _ = select.select([self.line, lifeline, wake, *sockets], [], [])
        if lifeline in ready or (wake in ready and b"t" in os.read(wake, 4096)):
            return False
        if self.line in ready:
            packet, descriptors, _, _ = socket.recv_fds(self.line, 1 << 19, 8)
            for descriptor in descriptors:
                os.close(descriptor)  # of a second `load`
            return bool(packet) and self._handle(dict(decode(packet)))
        for one in set(sockets) & set(ready):
            self._accept(one)
        return True

    def _handle(self, message: dict[str, str]) -> bool:
        if message["type"] == "cancel":
            with self._lock:
                request = self._running.get(int(message["cell"]))
                if request is not None and str(request.since) == message["since"]:
                    request.cancel()
        elif message["type"] not in ("load", "retire"):
            os._exit(1)
        return message["type"] != "retire"

    def _accept(self, listener: socket.socket) -> None:
        try:
            connection, _ = listener.accept()
        except BlockingIOError:
            return
        connection.setblocking(True)
        with self._lock:
            number = min(set(range(self._capacity)) - self._running.keys())
            if not self._running:
                self._busy_since = time.monotonic_ns()
            self._running[number] = Request(self, connection, number)
            self._write_header(1)

    def show(self, request: Request, head: bytes) -> None:
        """Write the request's cell, if it has one."""
        if request.number < CELLS:
            cell = self._start + CELL_SIZE * (1 + request.number)
            CELL.pack_into(self._board, cell, 1, min(len(head), 488), request.since, 0, head[:488])

    def request_ended(self, request: Request) -> None:
        with self._lock:
            del self._running[request.number]
            if request.number < CELLS:
                cell = self._start + CELL_SIZE * (1 + request.number)
                self._board[cell : cell + 24] = bytes(24)
            if not self._running:
                self._idle_since = time.monotonic_ns()
            self._write_header(1)
        os.write(self._waker, b"r")

    def _write_header(self, state: int) -> None:
        values = (state, os.getpid(), len(self._running), self._capacity, self.served)
        HEADER.pack_into(self._board, self._start, *values, self._busy_since, self._idle_since, 0)

    def _send(self, kind: str, *fields: tuple[str, str]) -> None:
        self.line.send(encode([("type", kind), *fields]))


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    status = Loader(int(sys.argv[1])).run()
    sys.stdout.flush()
    os._exit(status)
