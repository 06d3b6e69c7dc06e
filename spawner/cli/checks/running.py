"""The instances that run: that each answers, is of this version, and can enforce the limits of its apps."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterable, Iterator, Sequence

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
            yield from _look_at(instance)


def _look_at(instance: Instance) -> Iterator[Finding]:
    try:
        answer = ask(instance.admin_socket, "status")
    except NoAnswer as error:
        yield Finding(ERROR, instance.name, error.format_message(), "see Apache's error log")
        return
    yield _whole(instance, answer)
    yield from limits_without_effect(instance.name, answer["groups"])


def _whole(instance: Instance, answer: dict[str, Any]) -> Finding:
    version = answer["instance"]["version"]
    if version != VERSION:
        text = "version %s runs, %s is installed" % (version, VERSION)
        return Finding(WARNING, instance.name, text, "stop and start Apache (a reload keeps the old one running)")
    failed = [group["name"] for group in answer["groups"] if group["failure"]]
    if failed:
        text = "it runs; the last start of these apps failed: %s" % ", ".join(failed)
        return Finding(WARNING, instance.name, text, "jumpseat status shows why")
    return Finding(OK, instance.name, "it runs and answers")


def limits_without_effect(name: str, groups: Iterable[dict[str, Any]]) -> Iterator[Finding]:
    """Each directive that the machine does not enforce, once, whatever apps have it.

    :param groups: as `status` describes them.
    """
    reasons: dict[tuple[str, str], None] = {}
    for group in groups:
        for directive, limit in group.get("limits", {}).items():
            if limit["without_effect"]:
                reasons[directive, limit["without_effect"]] = None
    for directive, reason in reasons:
        remedy = "delegate cgroups to Apache: docs/shared-hosting.md (cgroups)"
        yield Finding(WARNING, name, "%s has no effect: %s" % (directive, reason), remedy)
