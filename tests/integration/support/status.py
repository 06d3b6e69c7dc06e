"""What `jumpseat status --json` says about one server, as objects; the other commands."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from spawner.cli.commands.status import describe
from spawner.cli.instances import find_instances
from spawner.cli.program import NoAnswer
from support.httpd import Httpd
from support.module_lines import REPOSITORY
from support.sanitizers import environment
from support.waiting import TIMEOUT, eventually

#: A restart waits so long in all for workers that retire; then they do not count any more (docs/survival.md).
DRAIN_SECONDS = 2.0


def run_command(
    server: Httpd, *arguments: str, user: str = "", program: str = "jumpseat"
) -> subprocess.CompletedProcess[str]:
    """Run one of our commands against the registry of `server`."""
    folder = next(
        path for path in (Path(sys.executable).parent, REPOSITORY / ".venv" / "bin") if (path / program).exists()
    )
    command = [str(folder / program), *arguments, "--registry", str(server.run_folder)]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=60,
        user=user or None,
        env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "COLUMNS": "200", **environment(server.reports)},
    )


def status(server: Httpd) -> dict[str, Any]:
    """What the command prints. It is asked here, as the command does it, because tests ask again and again.

    Raises NoAnswer.
    """
    (instance,) = find_instances([server.run_folder])
    return describe(instance)


def wait_for_new_spawner(server: Httpd, old: int) -> int:
    """Wait until the spawner that follows `old` answers commands; until then its sockets may be those of `old`."""

    def at_work() -> int:
        pid = server.spawner_pid()
        try:
            return pid if pid != old and status(server) else 0
        except (NoAnswer, ValueError):  # no socket yet; or no instance, while its file is replaced
            return 0

    return eventually(at_work, lambda: f"a new spawner at work:\n{server.logs.text()}")


def group(server: Httpd, name: str = "") -> dict[str, Any]:
    """The one group whose name contains `name`; empty when there is none."""
    found = [one for one in status(server)["groups"] if name in one["name"]]
    assert len(found) < 2, [one["name"] for one in found]
    return found[0] if found else {}


def workers(server: Httpd, name: str = "") -> list[dict[str, Any]]:
    """The serving workers of that group."""
    return [
        process
        for process in group(server, name).get("processes", [])
        if process["kind"] != "preloader" and process["state"] == "serving"
    ]


def preloaders(server: Httpd, name: str = "") -> list[dict[str, Any]]:
    return [process for process in group(server, name).get("processes", []) if process["kind"] == "preloader"]


def seconds_of_restarts(server: Httpd) -> list[float]:
    """How long each completed restart has taken, as the log says."""
    return [float(found) for found in re.findall(r"JS3510: .*, (\d+\.\d+) s$", server.logs.text(), re.MULTILINE)]


def wait_for_workers(server: Httpd, count: int, name: str = "", seconds: float = TIMEOUT) -> list[dict[str, Any]]:
    """Wait until the group has exactly that many serving workers and no other worker."""

    def settled() -> list[dict[str, Any]] | None:
        present = [process for process in group(server, name).get("processes", []) if process["kind"] != "preloader"]
        return present if len(present) == count == len(workers(server, name)) else None

    if count == 0:
        eventually(lambda: not workers(server, name), "the end of all workers", seconds)
        return []
    found = eventually(settled, lambda: f"{count} workers in {group(server, name)}", seconds)
    assert found is not None
    return found
