"""The app's stdout and stderr: each line is written as soon as it ends."""

import io
import sys
from typing import Any, Optional


def buffer_by_line() -> None:
    """Make sys.stdout and sys.stderr line-buffered, also where they are pipes, and never fail for want of a character.

    An interpreter that was started in the C locale before Python 3.7 writes UTF-8 from then on.
    """
    for name in ("stdout", "stderr"):
        stream = _line_buffered(getattr(sys, name))
        setattr(sys, name, stream)
        setattr(sys, "__{}__".format(name), stream)


def flush() -> None:
    """Write out what the streams hold, wherever the app has put them. What cannot be written is lost."""
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
