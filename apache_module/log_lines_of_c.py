"""The numbered lines that the Apache module logs, found in its C sources."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Iterator

from apache_module.log_line import LogLine, readable

# A call up to its number, then the literals and format macros that make its text.
_CALL = re.compile(
    r"ap_log_r?error\((?P<before>[^;]*?)PSGLOGNO\((?P<number>\d+)\)(?P<text>(?:\s*(?:\"(?:[^\"\\]|\\.)*\"|\w+_FMT))+)"
)
_PIECE = re.compile(r'"((?:[^"\\]|\\.)*)"|(\w+_FMT)')
_LEVEL = re.compile(r"APLOG_(EMERG|ALERT|CRIT|ERR|WARNING|NOTICE|INFO|DEBUG)\b")
_NAMES = {"WARNING": "warn", "ERR": "error"}


def log_lines(folder: Path) -> Iterator[LogLine]:
    """Every numbered line.

    :param folder: where the C sources are, at any depth.
    """
    for path in sorted(folder.rglob("*.c")):
        for call in _CALL.finditer(path.read_text(encoding="utf-8")):
            levels = [_NAMES.get(name, name.lower()) for name in _LEVEL.findall(call["before"])]
            pieces = ["%d" if macro else literal.replace('\\"', '"') for literal, macro in _PIECE.findall(call["text"])]
            # Literals and macros alternate as in `"%" APR_INT64_T_FMT " bytes"`: the per cent sign is in the literal.
            template = "".join(pieces).replace("%%d", "%d")
            yield LogLine(int(call["number"]), " or ".join(levels), readable(template))
