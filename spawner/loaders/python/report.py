"""How an error of the app is shown: its own frames only, never ours."""

import sys
import traceback
from typing import Any, List, Optional

from ...shared.app_files import is_ours

_LONGEST_TRACEBACK = 64 * 1024  # characters; a traceback travels in one control message


def app_traceback(error: BaseException) -> str:
    """Return the traceback of `error` and of what caused it, without the loader's frames, cut in the middle if long."""
    report = _without_our_frames(error)
    has_frames = report.stack or report.__cause__ or report.__context__
    return _shortened("".join(report.format() if has_frames else report.format_exception_only()))


def summary(error: BaseException) -> str:
    """Return one line that names `error`; for a syntax error also its file and line."""
    lines = traceback.format_exception_only(type(error), error)
    last = lines[-1].strip() or type(error).__name__
    if isinstance(error, SyntaxError) and error.filename:
        last += " ({}, line {})".format(error.filename, error.lineno)
    return " ".join(last.split())


def log(text: str) -> None:
    """Write `text` as whole lines to the app's stderr. An app that has broken its stderr loses its lines, not more."""
    stream = sys.stderr
    try:
        stream.write(text if text.endswith("\n") else text + "\n")
        stream.flush()
    except (AttributeError, OSError, ValueError):
        pass


def log_failure(what: str, error: BaseException) -> None:
    """Log that `what` failed, with the app's traceback."""
    log("jumpseat: {}\n{}".format(what, app_traceback(error)))


def log_bug(what: str, error: BaseException) -> None:
    """Log an error that no app and no peer should be able to cause, with all frames."""
    frames = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    log("jumpseat: {}\n{}".format(what, frames))


def _without_our_frames(error: BaseException) -> traceback.TracebackException:
    report = traceback.TracebackException(type(error), error, error.__traceback__)
    waiting: List[Optional[Any]] = [report]
    while waiting:
        part = waiting.pop()
        if part is None:
            continue
        part.stack[:] = [frame for frame in part.stack if not is_ours(frame.filename)]
        waiting += [part.__cause__, part.__context__]
        waiting += getattr(part, "exceptions", None) or ()
    return report


def _shortened(text: str) -> str:
    if len(text) <= _LONGEST_TRACEBACK:
        return text
    half = _LONGEST_TRACEBACK // 2
    return "{}\n  [... {} characters left out ...]\n{}".format(text[:half], len(text) - 2 * half, text[-half:])
