"""What may separate processes from each other: SELinux, and PrivateTmp of systemd."""

from __future__ import annotations

import subprocess  # nosec B404  # runs the module's checks
from pathlib import Path
from typing import Iterator

from spawner.cli.checks.apache import find_program
from spawner.cli.checks.findings import OK, WARNING, Finding

SELINUX = Path("/sys/fs/selinux/enforce")
_UNITS = ("apache2.service", "httpd.service")


class SecurityModule:
    """SELinux, where it enforces.

    :param switch: the file in which the kernel says so.
    """

    def __init__(self, switch: Path = SELINUX) -> None:
        self._switch = switch

    def run(self) -> Iterator[Finding]:
        """Whether it enforces."""
        try:
            enforces = self._switch.read_text(encoding="ascii").strip() == "1"
        except OSError:
            enforces = False
        if not enforces:
            yield Finding(OK, "SELinux", "it does not enforce")
            return
        text = "it enforces: if it refuses an app a file, a port or a program, /var/log/audit/audit.log says so"
        remedy = "setsebool -P httpd_can_network_connect on, for apps with databases; then: ausearch -m avc -ts recent"
        yield Finding(WARNING, "SELinux", text, remedy)


class PrivateFolders:
    """PrivateTmp of Apache's unit, which gives it a /tmp of its own.

    :param registry: the registry folder.
    """

    def __init__(self, registry: Path) -> None:
        self._registry = registry

    def run(self) -> Iterator[Finding]:
        """Whether the registry folder is hidden by it."""
        if self._registry.parts[1:2] != ("tmp",) and self._registry.parts[1:3] != ("var", "tmp"):
            yield Finding(OK, "PrivateTmp", "the registry folder is not in /tmp")
            return
        text = "%s is in a folder in which the system deletes old files" % self._registry
        if any(_has_private_tmp(unit) for unit in _UNITS):
            text += ", and Apache's unit has its own (PrivateTmp): commands look in a different one"
        remedy = "leave PassengerInstanceRegistryDir out, or set it to a folder below /run"
        yield Finding(WARNING, "PrivateTmp", text, remedy)


def _has_private_tmp(unit: str) -> bool:
    systemctl = find_program("systemctl")
    if systemctl is None:
        return False
    command = [systemctl, "show", unit, "-p", "PrivateTmp", "--value"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)  # nosec B603  # a list of words, without a shell
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.stdout.strip() == "yes"
