"""The numbered lines of the log, found in the sources: in C of the Apache module, in Python of the spawner."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, Optional

_PLACEHOLDER = re.compile(r"%[-+ #0]*[\d.]*(?:l|ll|h|z)?[a-zA-Z]")

# In C: a call up to its number, then the literals and format macros that make its text.
_C_CALL = re.compile(
    r"ap_log_r?error\((?P<before>[^;]*?)PSGLOGNO\((?P<number>\d+)\)(?P<text>(?:\s*(?:\"(?:[^\"\\]|\\.)*\"|\w+_FMT))+)"
)
_C_PIECE = re.compile(r'"((?:[^"\\]|\\.)*)"|(\w+_FMT)')
_C_LEVEL = re.compile(r"APLOG_(EMERG|ALERT|CRIT|ERR|WARNING|NOTICE|INFO|DEBUG)\b")
_C_LEVEL_NAMES = {"WARNING": "warn", "ERR": "error"}

# In Python
_PYTHON_LEVELS = {"crit", "error", "warn", "notice", "info", "debug"}
_PYTHON_NUMBERED = re.compile(r"JS(\d{4}): (.*)", re.DOTALL)
_UNKNOWN = "%s"


@dataclass(frozen=True)
class LogLine:
    """One numbered line of the log.

    :ivar number: its own number.
    :ivar level: as Apache's LogLevel names it.
    :ivar text: an ellipsis stands for each part that changes.
    """

    number: int
    level: str
    text: str


def readable(template: str) -> str:
    """The text of a printf-like template on one line, with an ellipsis for each value.

    :param template: the template, as it stands in the source.
    """
    text = " ".join(_PLACEHOLDER.sub("…", template).replace("%%", "%").split())
    return re.sub("…[… ]*…", "…", text)


def lines_of_c(folder: Path) -> Iterator[LogLine]:
    """Every numbered line that the Apache module logs.

    :param folder: where the C sources are, at any depth.
    """
    for path in sorted(folder.rglob("*.c")):
        for call in _C_CALL.finditer(path.read_text(encoding="utf-8")):
            levels = [_C_LEVEL_NAMES.get(name, name.lower()) for name in _C_LEVEL.findall(call["before"])]
            pieces = _C_PIECE.findall(call["text"])
            texts = ["%d" if macro else literal.replace('\\"', '"') for literal, macro in pieces]
            # Literals and macros alternate as in `"%" APR_INT64_T_FMT " bytes"`: the per cent sign is in the literal.
            template = "".join(texts).replace("%%d", "%d")
            yield LogLine(int(call["number"]), " or ".join(levels), readable(template))


def lines_of_python(folder: Path) -> Iterator[LogLine]:
    """Every numbered line that the spawner logs.

    :param folder: where the spawner's sources are. They are read, not imported.
    """
    for path in sorted(folder.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for function in ast.walk(tree):
            if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
                for call in [node for node in ast.walk(function) if isinstance(node, ast.Call)]:
                    line = _python_line(call, _assignments(function, call.lineno))
                    if line is not None:
                        yield line


def _assignments(function: ast.AST, before: int) -> dict[str, ast.expr]:
    """What each local name of a function was last set to, above a line."""
    found = [
        (node.lineno, node.targets[0].id, node.value)
        for node in ast.walk(function)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.lineno < before
    ]
    return {name: value for _, name, value in sorted(found, key=lambda entry: entry[0])}


def _python_line(call: ast.Call, names: dict[str, ast.expr]) -> Optional[LogLine]:
    method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    if method == "write_own_lines":  # a line among what an app prints, which has this level
        match = _PYTHON_NUMBERED.match(_template(call.args[0], names))
        return LogLine(int(match[1]), "notice", readable(match[2])) if match else None
    words = [argument.value if isinstance(argument, ast.Constant) else None for argument in call.args]
    for place, word in enumerate(words[:-1]):
        level = method if method in _PYTHON_LEVELS else words[0]
        if isinstance(word, int) and 3000 <= word <= 3999 and level in _PYTHON_LEVELS:
            return LogLine(word, str(level), readable(_template(call.args[place + 1], names)))
    return None


def _template(node: ast.expr, names: dict[str, ast.expr]) -> str:
    """The template that an expression fills in. What is known only at run time is a placeholder."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        return _template(node.left, names)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _template(node.left, names) + _template(node.right, names)
    if isinstance(node, ast.IfExp):
        return "%s, or: %s" % (_template(node.body, names), _template(node.orelse, names))
    if isinstance(node, ast.Name) and node.id in names:
        return _template(names[node.id], {name: value for name, value in names.items() if name != node.id})
    return _UNKNOWN
