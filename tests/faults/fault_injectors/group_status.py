"""What the spawner says of the app, asked at its admin socket: fast, and also while no spawner answers."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from typing import Any

from support.httpd import Httpd

#: Seconds within which a spawner that has been stopped for a moment answers.
TIMEOUT = 10.0


def ask(server: Httpd, **question: Any) -> dict[str, Any]:
    """The answer to one question; empty while no spawner answers."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(TIMEOUT)
        try:
            connection.connect(str(server.instance_folder() / "admin.sock"))
            connection.sendall(json.dumps(question).encode() + b"\n")
            line = connection.makefile("rb").readline()
        except OSError:
            return {}
    answer: dict[str, Any] = json.loads(line) if line.endswith(b"\n") else {}
    return answer


@dataclass(frozen=True)
class GroupStatus:
    """The state of the one app group in an answer of the spawner. `spawner`: its pid."""

    spawner: int
    group: dict[str, Any]

    @classmethod
    def take(cls, server: Httpd) -> GroupStatus | None:
        """None while no spawner answers, or it does not know the app (yet)."""
        told = ask(server, command="status")
        groups = told.get("groups", [])
        return cls(told["instance"]["spawner_pid"], groups[0]) if groups else None

    @property
    def pids(self) -> set[int]:
        return {one["pid"] for one in self.group["processes"]}

    def preloaders(self) -> list[dict[str, Any]]:
        return [one for one in self.group["processes"] if one["kind"] == "preloader"]

    def workers(self, *states: str) -> list[dict[str, Any]]:
        """Those in one of these states."""
        return [one for one in self.group["processes"] if one["kind"] != "preloader" and one["state"] in states]

    @property
    def is_settled(self) -> bool:
        """No restart under way or failed; all workers, and the preloader if there is to be one, of one generation."""
        generations = {one["generation"] for one in self.group["processes"]}
        quiet = self.group["restart"] is None and self.group["pinned_release"] is None
        ready = [one["state"] for one in self.preloaders()] == ["ready"] * (self.group["spawn_method"] == "smart")
        return quiet and ready and self.group["state"] == "serving" and generations == {self.group["generation"]}
