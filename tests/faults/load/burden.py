"""The server that the cases load, and what they share."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Protocol, Sequence

from load.generator import Load
from load.kinds import MIXED, Kind
from load.outcome import Result
from support.applications import AppFolder
from support.serving import CheckedHttpd
from support.status import wait_for_workers
from support.waiting import eventually

#: How many times the long variants repeat themselves; `make soak` sets what the documentation has figures of.
ROUNDS = int(os.environ.get("FAULT_ROUNDS", "1"))
WORKERS = 3
GLOBALS = "PassengerMaxPoolSize 6\nMaxKeepAliveRequests 0\nKeepAliveTimeout 5"
SITE = f"PassengerMinInstances {WORKERS}\n<Location /direct>\nPassengerBufferUpload off\n</Location>"


@dataclass
class Burdened:
    """A server, not yet started, and the ledger app, which will be its site `site.example`."""

    server: CheckedHttpd
    app: AppFolder

    def start(self, body: str = "", globals_text: str = GLOBALS) -> None:
        """Start, with so many workers as the site wants at least."""
        self.server.add(globals_text)
        self.server.site(document_root=self.app.public, body=f"{SITE}\n{body}")
        self.server.start()
        assert self.server.get("/fast?id=first").status == 200
        wait_for_workers(self.server, WORKERS)

    def wait_for_end(self, seconds: float) -> None:
        """Wait until httpd, which something has ended, and all of its processes are gone."""
        kept = self.server.kept
        assert kept is not None
        eventually(lambda: not kept.running and not kept.descendants(), "the end of everything", seconds)

    def load(self, kinds: Sequence[Kind] = MIXED, clients: int = 10, pause: float = 0.01) -> Load:
        return Load(self.server.port, self.app.events, kinds, clients, pause)


class Judge(Protocol):
    """Judges a load that has ended."""

    def __call__(self, load: Load, case: str, failed: int = 0, late: int = 0, note: str = "") -> Result: ...
