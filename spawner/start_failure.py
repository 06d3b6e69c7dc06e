"""Why a process of an app did not come up: what the log, the error page and `jumpseat status` tell of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Iterable, Mapping

from spawner.errors import new_error_id
from spawner.shared import exception_serializer, masking
from spawner.shared.exception_serializer import SerializedException


@dataclass(frozen=True)
class FailureDetails:
    """What a friendly error page shows of a failure beyond what the log has.

    Everything in here came from an app's process, which may say what it likes.

    :ivar raised: the exceptions with source, the first cause first.
    :ivar traceback: as Python prints it; may be empty.
    :ivar environment: the variables of the process, secrets hidden.
    :ivar output: its last lines on standard output and standard error.
    """

    raised: tuple[SerializedException, ...] = ()
    traceback: str = ""
    environment: tuple[tuple[str, str], ...] = ()
    output: str = ""


@dataclass(frozen=True)
class StartFailure:
    """Why a process of an app did not come up: for the log, the error page and `jumpseat status`.

    :ivar step: the step that failed, one of spawner/shared/start_steps.py.
    :ivar summary: one line.
    :ivar detail: the app's own traceback or captured output, may be empty.
    :ivar facts: what helps to find the cause (interpreter, user, cwd, search path ...), in order.
    :ivar error_id: eight hex digits that stand on the error page and in the log.
    :ivar details: what a friendly error page shows besides.
    """

    step: str
    summary: str
    detail: str = ""
    facts: tuple[tuple[str, str], ...] = field(default=())
    error_id: str = field(default_factory=new_error_id)
    details: FailureDetails = field(default_factory=FailureDetails, repr=False)


def raised_from(text: str) -> tuple[SerializedException, ...]:
    """The `exceptions` of a `failed` (docs/protocol.md, section 5); none if it is not what it should be."""
    try:
        return tuple(exception_serializer.from_json(text)) if text else ()
    except ValueError:
        return ()


def hidden(environment: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """An environment as it may be shown."""
    return tuple((name, masking.variable(name, value)) for name, value in sorted(environment.items()))


def variables_from(fields: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """The `env:NAME` fields of a `failed`; hidden once more, for nobody has to trust an app's process."""
    return hidden({name[4:]: value for name, value in fields if name.startswith("env:")})
