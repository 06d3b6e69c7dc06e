"""The numbered lines that the spawner logs, found in its Python sources, which are read and not imported."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Iterator, Optional

from apache_module.log_line import LogLine, readable

_LEVELS = {"crit", "error", "warn", "notice", "info", "debug"}
_NUMBERED = re.compile(r"JS(\d{4}): (.*)", re.DOTALL)
_UNKNOWN = "%s"


def log_lines(folder: Path) -> Iterator[LogLine]:
    """Every numbered line.

    :param folder: where the spawner's sources are.
    """
    for path in sorted(folder.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for function in ast.walk(tree):
            if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
                for node in ast.walk(function):
                    line = _line(node, _assignments(function, node.lineno)) if isinstance(node, ast.Call) else None
                    if line is not None:
                        yield line


def _assignments(function: ast.AST, before: int) -> dict[str, ast.expr]:
    """What the local names of a function were set to last above a line."""
    found = [
        (node.lineno, node.targets[0].id, node.value)
        for node in ast.walk(function)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.lineno < before
    ]
    return {name: value for _, name, value in sorted(found, key=lambda entry: entry[0])}


def _line(call: ast.Call, names: dict[str, ast.expr]) -> Optional[LogLine]:
    method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    if method == "write_own_lines":  # a line among what an app prints, which has this level
        match = _NUMBERED.match(_text(call.args[0], names))
        return LogLine(int(match[1]), "notice", readable(match[2])) if match else None
    words = [argument.value if isinstance(argument, ast.Constant) else None for argument in call.args]
    for place, word in enumerate(words[:-1]):
        level = method if method in _LEVELS else words[0]
        if isinstance(word, int) and 3000 <= word <= 3999 and level in _LEVELS:
            return LogLine(word, str(level), readable(_text(call.args[place + 1], names)))
    return None


def _text(node: ast.expr, names: dict[str, ast.expr]) -> str:
    """The template that an expression fills in; what only a run can tell is a placeholder."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        return _text(node.left, names)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _text(node.left, names) + _text(node.right, names)
    if isinstance(node, ast.IfExp):
        return "%s, or: %s" % (_text(node.body, names), _text(node.orelse, names))
    if isinstance(node, ast.Name) and node.id in names:
        return _text(names[node.id], {name: value for name, value in names.items() if name != node.id})
    return _UNKNOWN
