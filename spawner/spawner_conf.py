"""spawner.conf, the spawner's own configuration: read by ConfigObj and checked against its configspec."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from configobj import ConfigObj, ConfigObjError, flatten_errors, get_extra_values
from validate import Validator

from spawner.app_types import CAPABILITIES, WIRE
from spawner.errors import OperatorError

CONFIGSPEC = Path(__file__).resolve().parent.parent / "conf.d" / "spawner.configspec"


# Seconds. httpd kills a spawner that has not ended after 8 (STOP_SECONDS, apache_module/src/parent/spawner_process.c).
LONGEST_GRACE = 6.0


class SpawnerConfError(OperatorError):
    """spawner.conf is wrong; the message names file, section and key."""


@dataclass(frozen=True)
class SpawnerConf:
    """The settings of spawner.conf, which conf.d/spawner.conf explains.

    :ivar active_interval: seconds between two samples of the scoreboards while requests come in.
    :ivar idle_interval: seconds between two samples of the scoreboards otherwise.
    :ivar active_window: seconds after its last request for which an app counts as active.
    :ivar memory_interval: seconds between two samples of the memory of workers that have a limit.
    :ivar accept_plain_scgi: whether workers answer SCGI clients that do not know the app's token.
    :ivar disabled_capabilities: what httpd and the spawner do not use of any loader, of app_types.CAPABILITIES.
    :ivar parallel_starts: how many interpreters may import an app at the same time; 0: as many as there are cores.
    :ivar htaccess_apps: how many apps the .htaccess files of one user may choose.
    :ivar line_length: bytes after which a line of an app's output is split.
    :ivar shutdown_grace: seconds for apps to end by themselves before they are killed.
    :ivar prestart_timeout: seconds for a request of PassengerPreStart.
    :ivar answer_timeout: seconds for a client to send its request's head, when its app has failed to start.
    """

    active_interval: float
    idle_interval: float
    active_window: float
    memory_interval: float
    accept_plain_scgi: bool
    disabled_capabilities: frozenset[str]
    parallel_starts: int
    htaccess_apps: int
    line_length: int
    shutdown_grace: float
    prestart_timeout: float
    answer_timeout: float


def load(path: str) -> SpawnerConf:
    """Read a spawner.conf.

    :param path: empty: use the defaults.
    :raises SpawnerConfError: it cannot be read, or has an unknown key or a wrong value.
    """
    name = path or "spawner.conf"
    try:
        specification = ConfigObj(
            str(CONFIGSPEC), list_values=False, interpolation=False, _inspec=True, file_error=True
        )
        found = ConfigObj(
            path or None, configspec=specification, file_error=bool(path), interpolation=False, encoding="utf-8"
        )
    except (ConfigObjError, OSError, UnicodeError) as error:
        raise SpawnerConfError("%s: %s" % (name, error)) from error
    problems = _problems(found)
    if problems:
        raise SpawnerConfError("\n".join("%s: %s" % (name, problem) for problem in problems))
    values = {key: found[section][key] for section in found.sections for key in found[section]}
    return SpawnerConf(**{**values, "disabled_capabilities": frozenset(_disabled(found))})


def _problems(found: ConfigObj) -> list[str]:
    result = found.validate(Validator(), preserve_errors=True)
    problems = []
    for sections, key, error in flatten_errors(found, result):
        problems.append("%s: %s" % (_setting(sections, key), error or "is missing"))
    grace = found.get("times", {}).get("shutdown_grace")
    if isinstance(grace, float) and grace > LONGEST_GRACE:
        text = "%s: %g is more than %g: httpd itself waits 8 seconds for the spawner's end, and kills it then"
        problems.append(text % (_setting(["times"], "shutdown_grace"), grace, LONGEST_GRACE))
    for word in _disabled(found):
        if word not in CAPABILITIES:
            text = "%s: there is no capability %s; there are: %s"
            problems.append(text % (_setting(["apps"], "disabled_capabilities"), word, ", ".join(CAPABILITIES)))
        elif word == WIRE:
            text = "%s: %s cannot be switched off: loaders that have it understand nothing else"
            problems.append(text % (_setting(["apps"], "disabled_capabilities"), word))
    for sections, key in get_extra_values(found):
        problems.append("%s: there is no such setting" % _setting(sections, key))
    return problems


def _disabled(found: ConfigObj) -> list[str]:
    return [word for word in found.get("apps", {}).get("disabled_capabilities", ()) if word]


def _setting(sections: "tuple[str, ...] | list[str]", key: "str | None") -> str:
    return " ".join(["[%s]" % section for section in sections] + ([key] if key else []))
