"""The instances that run: that each answers, and is of this version."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator, Sequence

from spawner.cli.admin_client import ask
from spawner.cli.checks.findings import ERROR, OK, WARNING, Finding
from spawner.cli.instances import Instance, find_instances
from spawner.cli.program import NoAnswer
from spawner.version import VERSION


class Running:
    """Every instance.

    :param folders: where they are looked for.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders

    def run(self) -> Iterator[Finding]:
        """Ask each for its status."""
        found = find_instances(self._folders)
        if not found:
            text = "none runs in %s" % " or ".join(str(folder) for folder in self._folders)
            yield Finding(WARNING, "instances", text, "start Apache; if no instance runs then, see its error log")
        for instance in found:
            yield _look_at(instance)


def _look_at(instance: Instance) -> Finding:
    try:
        answer = ask(instance.admin_socket, "status")
    except NoAnswer as error:
        return Finding(ERROR, instance.name, error.format_message(), "see Apache's error log")
    version = answer["instance"]["version"]
    if version != VERSION:
        text = "version %s runs, %s is installed" % (version, VERSION)
        return Finding(WARNING, instance.name, text, "stop and start Apache (a reload keeps the old one running)")
    failed = [group["name"] for group in answer["groups"] if group["failure"]]
    if failed:
        text = "it runs; the last start of these apps failed: %s" % ", ".join(failed)
        return Finding(WARNING, instance.name, text, "jumpseat status shows why")
    return Finding(OK, instance.name, "it runs and answers")
