"""What this process writes into the app's log, which is its standard error: lines of ours, and errors of the app.

A traceback of the app has its own frames only, never the loader's.
"""

import io
import sys
import traceback
from typing import Any, List, Optional

from ....shared.app_files import is_ours

_LONGEST_TRACEBACK = 64 * 1024  # characters; a traceback travels in one control message


# The streams


def make_streams_line_buffered() -> None:
    """Write each line of sys.stdout and sys.stderr when it ends, also into a pipe. No character makes them fail.

    An interpreter that was started in the C locale before Python 3.7 writes UTF-8 from then on.
    """
    for name in ("stdout", "stderr"):
        stream = _line_buffered(getattr(sys, name))
        setattr(sys, name, stream)
        setattr(sys, "__{}__".format(name), stream)


def flush_streams() -> None:
    """Write what sys.stdout and sys.stderr hold, wherever the app has put them. What cannot be written is lost."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            pass


def _line_buffered(stream: Any) -> Any:
    if stream is None:
        return stream
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")
        return stream
    encoding = "utf-8" if _is_ascii(stream.encoding) else stream.encoding
    return io.TextIOWrapper(stream.detach(), encoding=encoding, errors="backslashreplace", line_buffering=True)


def _is_ascii(encoding: Optional[str]) -> bool:
    return (encoding or "ascii").lower() in ("ascii", "us-ascii", "ansi_x3.4-1968", "646")


# Lines


def log(text: str) -> None:
    """Write `text` as whole lines to the app's stderr. An app that has broken its stderr loses its lines, not more."""
    stream = sys.stderr
    try:
        stream.write(text if text.endswith("\n") else text + "\n")
        stream.flush()
    except (AttributeError, OSError, ValueError):
        pass


def log_app_error(what: str, error: BaseException) -> None:
    """Log that `what` failed, with the app's traceback."""
    log("jumpseat: {}\n{}".format(what, app_traceback(error)))


def log_internal_error(what: str, error: BaseException) -> None:
    """Log an error that no app and no peer should be able to cause, with all frames."""
    frames = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    log("jumpseat: {}\n{}".format(what, frames))


# Errors as text


def summary(error: BaseException) -> str:
    """Return one line that names `error`; for a syntax error also its file and line."""
    lines = traceback.format_exception_only(type(error), error)
    last = lines[-1].strip() or type(error).__name__
    if isinstance(error, SyntaxError) and error.filename:
        last += " ({}, line {})".format(error.filename, error.lineno)
    return " ".join(last.split())


def app_traceback(error: BaseException) -> str:
    """Return the traceback of `error` and of what caused it, without the loader's frames, cut in the middle if long."""
    exception = _without_our_frames(error)
    has_frames = exception.stack or exception.__cause__ or exception.__context__
    return _shortened("".join(exception.format() if has_frames else exception.format_exception_only()))


def _without_our_frames(error: BaseException) -> traceback.TracebackException:
    exception = traceback.TracebackException(type(error), error, error.__traceback__)
    remaining: List[Optional[Any]] = [exception]
    while remaining:
        part = remaining.pop()
        if part is None:
            continue
        part.stack[:] = [frame for frame in part.stack if not is_ours(frame.filename)]
        remaining += [part.__cause__, part.__context__]
        remaining += getattr(part, "exceptions", None) or ()
    return exception


def _shortened(text: str) -> str:
    if len(text) <= _LONGEST_TRACEBACK:
        return text
    half = _LONGEST_TRACEBACK // 2
    return "{}\n  [... {} characters left out ...]\n{}".format(text[:half], len(text) - 2 * half, text[-half:])
