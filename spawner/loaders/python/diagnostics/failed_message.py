"""What a process that cannot serve its app tells the spawner: the fields of `failed` (docs/protocol.md, section 5)."""

import sys
from typing import List, Optional, Tuple

from ....shared import exception_serializer, masking, wire
from ....shared.app_files import AppFiles
from ..core.control_line import ControlLine
from ..core.loader_errors import LoadFailure
from ..core.unpatched import os

Field = Tuple[str, str]

_LONGEST_VALUE = 500  # characters of an environment variable
_LONGEST_ENVIRONMENT = 16 * 1024  # characters
# A message that is larger than the line's send buffer cannot be sent: the rest leaves room for other scripts' letters.
_LONGEST_PATH = 16 * 1024  # characters of sys.path
_LONGEST_SUMMARY = 4 * 1024  # characters
_LONGEST_END = 16 * 1024  # characters of a traceback


def send(line: ControlLine, failure: LoadFailure, friendly: bool, files: AppFiles) -> None:
    """Send it. `friendly`: with what only a friendly error page shows. Raises LineClosed."""
    try:
        line.send("failed", _sendable(_fields(failure, friendly, files)))
    except (OSError, wire.MessageTooLong):
        line.send("failed", _sendable(_brief(failure)))


def _fields(failure: LoadFailure, friendly: bool, files: AppFiles) -> List[Field]:
    told = [("step", failure.step), ("summary", failure.summary[:_LONGEST_SUMMARY]), ("traceback", failure.traceback)]
    told += [("search_path", entry) for entry in _within([e for e in sys.path if isinstance(e, str)], _LONGEST_PATH)]
    told.append(("cwd", _working_directory()))
    return told + (_for_friendly_pages(failure.__cause__, files) if friendly else [])


def _brief(failure: LoadFailure) -> List[Field]:
    """Return what is told where there is no room for more: the end of a traceback says most."""
    end = failure.traceback[-_LONGEST_END:]
    return [("step", failure.step), ("summary", failure.summary[:_LONGEST_SUMMARY]), ("traceback", end)]


def _sendable(fields: List[Field]) -> List[Field]:
    return [(name, value.replace("\0", "\\0")) for name, value in fields]


def _for_friendly_pages(error: Optional[BaseException], files: AppFiles) -> List[Field]:
    told: List[Field] = []
    try:
        if error is not None:
            told.append(("exceptions", exception_serializer.to_json(exception_serializer.serialize(error, files))))
    except Exception:  # nosec B110  # noqa: BLE001 - an exception class of the app's own may do anything; the traceback stands
        pass
    room = _LONGEST_ENVIRONMENT
    for name, value in sorted(os.environ.items()):
        shown = masking.variable(name, value)[:_LONGEST_VALUE]
        room -= len(name) + len(shown)
        if room < 0:
            break
        told.append(("env:" + name, shown))
    return told


def _within(texts: List[str], limit: int) -> List[str]:
    kept: List[str] = []
    for text in texts:
        limit -= len(text)
        if limit < 0:
            break
        kept.append(text)
    return kept


def _working_directory() -> str:
    try:
        return os.getcwd()
    except OSError as error:
        return "({})".format(error.strerror)
