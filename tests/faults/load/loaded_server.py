"""The server that the tests put under load, and what these tests share."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Protocol, Sequence

from load.generator import Load
from load.kinds import MIXED, Kind
from load.outcome import Result
from support.applications import AppFolder
from support.serving import CheckedHttpd
from support.status import group, wait_for_workers
from support.waiting import eventually

#: How many times the long variants repeat themselves; `make soak` sets what the documentation has figures of.
ROUNDS = int(os.environ.get("FAULT_ROUNDS", "1"))
WORKERS = 3
GLOBALS = "PassengerMaxPoolSize 6\nMaxKeepAliveRequests 0\nKeepAliveTimeout 5"
SITE = f"PassengerMinInstances {WORKERS}\n<Location /direct>\nPassengerBufferUpload off\n</Location>"


@dataclass
class LoadedServer:
    """A server, not yet started, and the app request_log, which will be its site `site.example`."""

    server: CheckedHttpd
    app: AppFolder
    http2_port: int = 0  # where the site speaks HTTP/2, without TLS; 0: nowhere

    def start(self, body: str = "", globals_text: str = GLOBALS) -> None:
        """Start, with so many workers as the site wants at least."""
        self.server.add(globals_text)
        self.server.site(document_root=self.app.public, body=f"{SITE}\n{body}")
        if self.http2_port:
            self._speak_http2(f"{SITE}\n{body}")
        self.server.start()
        eventually(lambda: self.server.get("/fast?id=first").status == 200, "the first answer")
        wait_for_workers(self.server, WORKERS)

    def offer_http2(self) -> None:
        """To be called before `start`: the site speaks HTTP/2 on a port of its own, and loads have clients for it."""
        self.http2_port = self.server.another_port()

    def _speak_http2(self, body: str) -> None:
        self.server.module("http2")
        self.server.add(f"Listen 127.0.0.1:{self.http2_port}")
        lines = f"{body}\nProtocols h2c\nH2Direct on"
        self.server.site(document_root=self.app.public, body=lines, port=self.http2_port)

    def deploy(self, release: str, seconds: float = 40) -> float:
        """Touch restart.txt for a new release and wait until it alone answers; returns when (CLOCK_MONOTONIC)."""
        self.app.write("release.txt", release)
        self.app.touch_restart()
        return self.wait_for_release(release, seconds)

    def wait_for_release(self, release: str, seconds: float = 40) -> float:
        def told() -> str:
            return f"release {release}: {group(self.server)}\n{self.server.logs.text()[-3000:]}"

        def complete() -> float:
            """First an answer of the new release, so that what is settled then is not how things stood before it."""
            return time.monotonic() if self.answering_release() == release and self.is_settled() else 0.0

        return eventually(complete, told, seconds)

    def is_settled(self) -> bool:
        """Whether the last restart is complete, as `jumpseat status` has it."""
        found = group(self.server)
        generations = {process["generation"] for process in found["processes"]}
        return found["state"] == "serving" and generations == {found["generation"]}

    def answering_release(self) -> str:
        return self.server.get("/fast?id=release").text.split()[2]

    def wait_for_configuration(self, number: int) -> None:
        """Wait until the spawner has what httpd has read so often, whichever log it says so in."""
        line = f"JS3045: configuration {number} is in force"

        def said() -> bool:
            return any(line in path.read_text(errors="replace") for path in self.server.logs.folder.glob("*.log*"))

        eventually(said, line)

    def wait_for_end(self, seconds: float) -> None:
        """Wait until httpd, which something has ended, and all of its processes are gone."""
        process = self.server.process
        assert process is not None
        eventually(lambda: not process.running and not process.descendants(), "the end of everything", seconds)

    def load(self, kinds: Sequence[Kind] = MIXED, clients: int = 10, pause: float = 0.01, sticky: bool = False) -> Load:
        """With `offer_http2`, a third of the clients more, who speak that."""
        http2 = (max(1, clients // 3), self.http2_port) if self.http2_port else (0, 0)
        return Load(self.server.port, self.app.events, kinds, clients, pause, sticky=sticky, http2=http2)


class LoadCheck(Protocol):
    """Checks a load that has ended."""

    def __call__(
        self, load: Load, case: str, failed: int = 0, late: int = 0, note: str = "", least: int = 30
    ) -> Result: ...
