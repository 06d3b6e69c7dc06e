"""A program between the spawner and an app's interpreter: it sets the app's limits, becomes its user, and executes it.

`<python> -I -S -B limited_start.py <JSON> <command>...`, executed by the spawner's own interpreter. It runs with the
spawner's rights until the limits are set, so that no process of the app's user can hinder it; for that reason nothing
that the app's user chooses may act before: the variables of the app come under other names (`hide_variables`), and the
app's folder is entered last. It imports the standard library only.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
from typing import Any, Callable, Mapping, NoReturn, Sequence

FAILED = 126  # its exit status when it cannot execute the command; standard error has the reason
_CPU_GRACE = 5  # seconds of processor time between SIGXCPU and SIGKILL
_HIDDEN = "JUMPSEAT_VARIABLE_%d"
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_MOST_CAPABILITIES = 64
_LIMITS = {  # and the unit of the directive
    "PassengerUserProcessLimit": (resource.RLIMIT_NPROC, 1),
    "PassengerAppFileDescriptorUlimit": (resource.RLIMIT_NOFILE, 1),
    "PassengerCpuTimeLimit": (resource.RLIMIT_CPU, 1),
    "PassengerAddressSpaceLimit": (resource.RLIMIT_AS, 1_048_576),  # the last one: this program needs some itself
}


def hide_variables(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables of an app under names that mean nothing to the dynamic linker and to Python."""
    return {_HIDDEN % number: "%s=%s" % pair for number, pair in enumerate(variables.items())}


def _shown_variables(hidden: Mapping[str, str]) -> dict[str, str]:
    prefix = _HIDDEN.partition("%")[0]
    pairs = (value.partition("=") for name, value in hidden.items() if name.startswith(prefix))
    return {name: value for name, _, value in pairs}


def main(arguments: Sequence[str]) -> NoReturn:
    """Set the limits and execute the command. Does not return."""
    orders: Mapping[str, Any] = json.loads(arguments[0])
    command, variables = arguments[1:], _shown_variables(os.environ)
    limits: Mapping[str, int] = orders["limits"]
    try:
        _step("its cgroup", _join, orders["cgroup"])
        if orders["no_new_privileges"]:
            _step("PassengerNoNewPrivileges", _give_privileges_up)
        for directive in [one for one in _LIMITS if one in limits]:
            number, unit = _LIMITS[directive]
            _step("%s %d" % (directive, limits[directive]), _limit, number, limits[directive] * unit)
        if orders["open_files"] is not None and "PassengerAppFileDescriptorUlimit" not in limits:
            _step("the limit of open files", _limit_softly, resource.RLIMIT_NOFILE, orders["open_files"])
        if orders["switch"]:
            _step("its user", _become, orders["uid"], orders["gid"], orders["groups"])
        _step("the app root %s" % orders["app_root"], os.chdir, orders["app_root"])
        for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python, and so by whoever is executed
            signal.signal(ignored, signal.SIG_DFL)
        _step(command[0], os.execvpe, command[0], command, variables)
    except (OSError, ValueError, MemoryError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        os.write(2, ("cannot start the app: %s: %s\n" % (_Step.name, reason)).encode("utf-8", "surrogateescape"))
    os._exit(FAILED)


class _Step:
    """What is being done, for the message if it fails."""

    name = ""


def _step(name: str, action: Callable[..., object], *arguments: Any) -> None:
    _Step.name = name
    action(*arguments)


def _join(cgroup: str) -> None:
    """Everything that this process starts is in that cgroup, too.

    :param cgroup: its folder; empty: none.
    """
    if cgroup:
        with open(os.path.join(cgroup, "cgroup.procs"), "w", encoding="ascii") as file:
            file.write("0")


def _limit(number: int, value: int) -> None:
    """Set a limit that the app cannot raise again; a lower one that is in force already stays.

    More open files than httpd has are allowed where the kernel lets root have them.
    """
    hard = resource.getrlimit(number)[1]
    above = value + _CPU_GRACE if number == resource.RLIMIT_CPU else value
    if number == resource.RLIMIT_NOFILE and hard != resource.RLIM_INFINITY and value > hard:
        try:
            resource.setrlimit(number, (value, value))
            return
        except (OSError, ValueError):
            pass
    most = above if hard == resource.RLIM_INFINITY else min(above, hard)
    resource.setrlimit(number, (min(value, most), most))


def _limit_softly(number: int, value: int) -> None:
    resource.setrlimit(number, (value, resource.getrlimit(number)[1]))


def _give_privileges_up() -> None:
    """Nothing that is executed from now on gets more rights than this process has (prctl(2), capabilities(7))."""
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() == 0:  # without it the set is of no use to anybody: no program gives capabilities
        for capability in range(_MOST_CAPABILITIES):
            if libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
                break  # the kernel knows no more; what is left if it is refused is checked below
        _check_bounding_set()
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _check_bounding_set() -> None:
    with open("/proc/self/status", encoding="utf-8") as file:
        left = next((line.split()[1] for line in file if line.startswith("CapBnd:")), "0")
    if int(left, 16):
        raise OSError("the kernel does not let the capability bounding set be emptied (%s)" % left)


def _become(uid: int, gid: int, groups: Sequence[int]) -> None:
    os.setgroups(groups)
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)


if __name__ == "__main__":
    main(sys.argv[1:])
