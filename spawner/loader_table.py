"""The loaders: which program runs an app of each type, and what it can do (docs/protocol.md, section 5).

The spawner has to know it before a process of an app exists: httpd sends the first request of an app while nothing of
it runs yet. A process says with `ready` what it can do; if that is less, it is not used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import AbstractSet

from spawner.errors import OperatorError

#: Every capability. A loader without any speaks plain SCGI.
CAPABILITIES = {
    "acknowledge": "says when it accepts a request, before it calls the app",
    "body-file": "takes the body of a request as a descriptor of a file",
    "cancel": "ends one of the requests that it is in",
    "expect": "says when the app reads the body of a request that expects `100 Continue`",
    "framed-body": "takes the body of a request in frames, whose length nobody knows",
    "frames": "sends the body of a response in frames, so that a cut one is seen",
    "token": "checks that a request comes from who knows the app's token",  # nosec B105  # a capability
}


@dataclass(frozen=True)
class Loader:
    """One row of the table.

    :ivar program: path of the program that the app's interpreter executes, below the folder of the loaders.
    :ivar capabilities: what its workers can do, of CAPABILITIES.
    """

    program: str
    capabilities: frozenset[str]


#: By PassengerAppType.
LOADERS = {
    "wsgi": Loader(
        "python/start.py",
        frozenset(("acknowledge", "body-file", "expect", "framed-body", "frames", "token")),
    ),
}


def loader_of(app_type: str) -> Loader:
    """The loader for a type of apps.

    :raises OperatorError: there is none.
    """
    try:
        return LOADERS[app_type]
    except KeyError:
        known = ", ".join(sorted(LOADERS))
        raise OperatorError("PassengerAppType %s is not supported; supported: %s" % (app_type, known)) from None


def capabilities_of(app_type: str, disabled: AbstractSet[str] = frozenset()) -> frozenset[str]:
    """What httpd and the spawner may use of a loader.

    :param disabled: capabilities that the operator has switched off (spawner.conf).
    :raises OperatorError: there is no such loader.
    """
    return loader_of(app_type).capabilities - disabled
