"""Each line that the spawner logs has a number of its own."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import spawner

LEVELS = {"crit", "error", "warn", "notice", "info", "debug"}


def names_a_level(call: ast.Call) -> bool:
    """Whether it is `log.warn(...)`, or has the level as its first argument."""
    first = call.args[0] if call.args else None
    by_method = isinstance(call.func, ast.Attribute) and call.func.attr in LEVELS
    return by_method or (isinstance(first, ast.Constant) and first.value in LEVELS)


def numbers() -> "Counter[int]":
    found: Counter[int] = Counter()
    for path in sorted(Path(spawner.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and names_a_level(node):
                found.update(
                    argument.value
                    for argument in node.args
                    if isinstance(argument, ast.Constant) and isinstance(argument.value, int) and argument.value > 99
                )
    return found


def test_no_number_is_used_twice() -> None:
    assert [number for number, count in numbers().items() if count > 1] == []


def test_every_number_is_one_of_the_spawner_s() -> None:
    found = numbers()
    assert len(found) > 30
    assert all(3000 <= number <= 3999 for number in found)
