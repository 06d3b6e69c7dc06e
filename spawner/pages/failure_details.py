"""What a friendly error page shows of a failure beyond what the log has: source lines, environment, output apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable, Mapping

from spawner.loaders import exposition, masking
from spawner.loaders.exposition import Raised


@dataclass(frozen=True)
class FailureDetails:
    """Everything in here came from an app's process, which may say what it likes.

    :ivar raised: the exceptions with source, the first cause first.
    :ivar traceback: as Python prints it; may be empty.
    :ivar environment: the variables of the process, secrets hidden.
    :ivar output: its last lines on standard output and standard error.
    """

    raised: tuple[Raised, ...] = ()
    traceback: str = ""
    environment: tuple[tuple[str, str], ...] = ()
    output: str = ""


def raised_from(text: str) -> tuple[Raised, ...]:
    """The `exceptions` of a `failed` (docs/protocol.md, section 5); none if it is not what it should be."""
    try:
        return tuple(exposition.from_json(text)) if text else ()
    except ValueError:
        return ()


def hidden(environment: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """An environment as it may be shown."""
    return tuple((name, masking.variable(name, value)) for name, value in sorted(environment.items()))


def variables_from(fields: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """The `env:NAME` fields of a `failed`; hidden once more, for nobody has to trust an app's process."""
    return hidden({name[4:]: value for name, value in fields if name.startswith("env:")})
