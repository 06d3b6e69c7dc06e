"""Finds the instances that run here: folders `httpd-<pid>...` in a registry folder (docs/protocol.md, section 9)."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable, Optional, Sequence

from spawner.cli.program import NoInstance, SeveralInstances
from spawner.shared.constants import REGISTRY_OF_ROOT, REGISTRY_OF_USER
from spawner.system import linux

REGISTRY_VARIABLE = "PASSENGER_INSTANCE_REGISTRY_DIR"


@dataclass(frozen=True)
class Instance:
    """One Apache that has loaded the module, as its folder describes it.

    :ivar name: the folder's name, which users type.
    :ivar folder: where its admin socket is.
    :ivar start_ticks: when its httpd was started, in clock ticks since the machine's start.
    """

    name: str
    folder: Path
    httpd_pid: int
    server_root: str
    start_ticks: Optional[int] = None

    @property
    def admin_socket(self) -> Path:
        """The socket that answers commands."""
        return self.folder / "admin.sock"


def registry_folders(named: Optional[Path] = None) -> Sequence[Path]:
    """Where to look: the given folder, or that of the variable, or the two that a server uses by default."""
    chosen = named or os.environ.get(REGISTRY_VARIABLE)
    if chosen:
        return [Path(chosen)]
    return [Path(REGISTRY_OF_ROOT), Path(REGISTRY_OF_USER % os.getuid())]


def find_instances(folders: Iterable[Path]) -> list[Instance]:
    """The instances whose httpd is alive, by name.

    A registry folder that is missing, or that belongs to another user, counts as empty. In a registry where everybody
    may make names, an instance that belongs to another user than root or this one does not count.
    """
    found: dict[Path, Instance] = {}
    for registry in folders:
        if not _is_trusted(registry):
            continue
        for folder in sorted(registry.glob("httpd-*")):
            instance = _read_instance(folder) if _is_of_a_spawner(folder) else None
            if instance is not None and _is_alive(instance):
                found[folder.resolve()] = instance
    return sorted(found.values(), key=lambda instance: instance.name)


def choose_instance(instances: Sequence[Instance], name: Optional[str], folders: Sequence[Path]) -> Instance:
    """The one that is meant.

    :param name: an instance's name or the pid of its httpd; None: the only one.
    :param folders: where they were looked for, for the message.
    :raises NoInstance: there is none, or none has the name.
    :raises SeveralInstances: nothing says which one.
    """
    if not instances:
        raise NoInstance(_nothing_runs(folders))
    if name is not None:
        for instance in instances:
            if name in (instance.name, str(instance.httpd_pid)):
                return instance
        raise NoInstance("No instance is called %s. Running: %s" % (name, _listed(instances)))
    if len(instances) > 1:
        raise SeveralInstances("Several instances run, name one of them: %s" % _listed(instances))
    return instances[0]


def _nothing_runs(folders: Sequence[Path]) -> str:
    return (
        "No Jumpseat instance runs here: looked in %s. Is Apache running with the passenger module? "
        "If PassengerInstanceRegistryDir is set, give the same folder with --registry or in %s."
        % (" and ".join(str(folder) for folder in folders), REGISTRY_VARIABLE)
    )


def _listed(instances: Sequence[Instance]) -> str:
    return ", ".join("%s (%s)" % (instance.name, instance.server_root or "?") for instance in instances)


def _is_trusted(registry: Path) -> bool:
    # In /tmp, anybody can make a folder with the expected name and give false answers.
    try:
        facts = registry.stat() if registry.parent != Path("/tmp") else registry.lstat()  # nosec B108  # the folder itself, not a file in it
    except OSError:
        return False
    return stat.S_ISDIR(facts.st_mode) and facts.st_uid in (0, os.getuid())


def _is_of_a_spawner(folder: Path) -> bool:
    """Whether only root or this user can have made the folder and what is in it. Others may make names in /tmp."""
    try:
        facts = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(facts.st_mode) and facts.st_uid in (0, os.getuid()) and not facts.st_mode & 0o022


def _read_instance(folder: Path) -> Optional[Instance]:
    """None where the file is not there yet, or is not what the spawner writes."""
    try:
        facts = json.loads((folder / "instance.json").read_text(encoding="utf-8"))
        pid, root, ticks = int(facts["httpd_pid"]), str(facts.get("server_root", "")), facts.get("httpd_start_ticks")
        return Instance(folder.name, folder, pid, root, None if ticks is None else int(ticks))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _is_alive(instance: Instance) -> bool:
    """Whether its httpd runs: that process, and not a later one with its pid."""
    ticks = linux.start_ticks(instance.httpd_pid)
    if ticks is not None and instance.start_ticks is not None:
        return ticks == instance.start_ticks
    try:
        os.kill(instance.httpd_pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
