"""What an import has left behind that forks cannot share: a hazard each, and what is known of libraries.

A hazard is told only when a real worker has looked: the app's `after_fork()`, or its libraries, may have put it right.
"""

import re
import sys
from typing import Any, Callable, Iterator, NamedTuple, Optional

from ....shared.app_files import AppFiles
from ..core.unpatched import os
from .import_tracer import ImportTracer

_PAGE = "docs/preloading.md"
_LONGEST_NAME = 200  # characters
_LONGEST = 900  # characters of a text, without the link
_NO_PART_OF_A_NAME = re.compile(r"[\s\x00-\x1f\x7f\"'\\]+")
DIRECT = "create what you need of it in after_fork(), or load the app in each worker (PassengerSpawnMethod direct)."
# Libraries that say of themselves that they do not survive a fork once they are in use: why, and the recipe.
UNSAFE = {
    "grpc": ("channels and servers that were created before a fork hang or crash after it", "grpc"),
    "confluent_kafka": ("clients that were created before a fork deliver nothing after it", "clients-and-sessions"),
    "tensorflow": ("if it has computed something before a fork, it hangs after it", "clients-and-sessions"),
    "polars": ("if it has computed something before a fork, it can hang after it", "clients-and-sessions"),
    "jpype": ("a Java machine that was started before a fork hangs after it", "clients-and-sessions"),
}
# Classes of pools that notice a fork: the connections that only they hold are not used by a worker.
_NOTICES_A_FORK = (
    ("redis.connection", "ConnectionPool"),
    ("pymongo.pool", "Pool"),
    ("pymongo.synchronous.pool", "Pool"),
)


def _always() -> bool:
    return True


def _never() -> bool:
    return False


class Hazard(NamedTuple):
    """`name`: by which an operator says that it is known (PassengerKnownImportWarnings); it has no blanks.

    `is_so`: asked in a worker, whether it is so there. `is_over`: asked in the preloader, whether it has ceased to be.
    """

    name: str
    text: str
    is_so: Callable[[], bool]
    is_over: Callable[[], bool]


def hazard(
    kind: str,
    subject: str,
    text: str,
    recipe: str,
    is_so: Callable[[], bool] = _always,
    is_over: Callable[[], bool] = _never,
) -> Hazard:
    """Return a hazard. `subject`: what tells it from others of its `kind`, the same with each import."""
    name = _NO_PART_OF_A_NAME.sub("_", "{}:{}".format(kind, subject) if subject else kind)
    told = "{} See {}#{}.".format(text[:_LONGEST], _PAGE, recipe)
    return Hazard(name[:_LONGEST_NAME], told, is_so, is_over)


def unsafe_modules(tracer: ImportTracer, _: AppFiles) -> Iterator[Hazard]:
    """Yield a hazard for each library that does not survive a fork."""
    for name, (reason, recipe) in UNSAFE.items():
        if name in sys.modules:
            call_site = tracer.imports.get(name)
            where = " at {}".format(call_site) if call_site is not None else ""
            text = "{} was imported{}: {}. If the app uses it during the import, {}".format(name, where, reason, DIRECT)
            yield hazard("module", name, text, recipe)


def notices_a_fork(value: Any) -> bool:
    """Whether a pool of connections finds out by itself that it is in another process, and makes new ones there."""
    for base in type(value).__mro__:
        if "_checkpid" in vars(base) or (base.__module__, base.__name__) in _NOTICES_A_FORK:
            return True
    return False


def knows_its_process(value: Any) -> bool:
    """Whether an object has noted this process's pid: what does that finds out that it is in another one."""
    variables = instance_variables(value) or {}
    pid = os.getpid()
    return any("pid" in str(name).lower() and other == pid for name, other in variables.items() if type(other) is int)


def instance_variables(value: Any) -> Optional[Any]:
    """Return the variables of an object without asking the object."""
    try:
        variables = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return None
    return variables if isinstance(variables, dict) else None
