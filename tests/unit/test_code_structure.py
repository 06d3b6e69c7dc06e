"""Keeps the code readable for newcomers: whole stories, short functions, one name for one thing."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path
from typing import Iterator

CHECKOUT = Path(__file__).resolve().parents[2]
SHORTEST_FILE, LONGEST_FILE = 40, 400  # lines
LONGEST_FUNCTION, LONG_FUNCTION = 80, 40  # lines
SHARE_OF_SHORT_FUNCTIONS = 0.9
GENERATED = {"spawner/options.py", "spawner/shared/constants.py"}
NOT_COUNTED = {"__init__.py", "version.py"}
#: Both sides of the admin socket have a module for each command, and each program has a main.
NAMES_OF_SEVERAL = {"main"} | {path.stem for path in (CHECKOUT / "spawner" / "cli" / "commands").glob("*.py")}

#: What breaks a rule all the same, and why: files by their path, else the name of a module or class.
EXCEPTIONS = {
    "apache_module/directives.py": "a table: one row after the other",
    "apache_module/embedding.py": "all that runs between the shared object and the spawner",
    "start": "each loader's program has this name",
    "spawner/loaders/program/start.py": "a program, which only imports",
    "spawner/shared/app_files.py": "one question, asked in all rooms of a loader",
    "spawner/shared/start_steps.py": "a table of words",
    "spawner/cli/commands/module_config.py": "a command is found by the name of its file",
}


def files(*packages: str) -> Iterator[tuple[str, ast.Module, int]]:
    """Path below the checkout, syntax tree and number of lines of each module that is written by hand."""
    for package in packages:
        for path in sorted((CHECKOUT / package).rglob("*.py")):
            name = str(path.relative_to(CHECKOUT))
            if path.name not in NOT_COUNTED and name not in GENERATED:
                text = path.read_text(encoding="utf-8")
                yield name, ast.parse(text), text.count("\n")


BOTH = list(files("spawner", "apache_module"))
SPAWNER = list(files("spawner"))


def functions() -> Iterator[tuple[str, int]]:
    """Each function with its file, and its length in lines."""
    for name, tree, _ in BOTH:
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                assert node.end_lineno is not None
                yield f"{name}:{node.lineno} {node.name}", node.end_lineno - node.lineno + 1


def several(found: dict[str, list[str]]) -> dict[str, list[str]]:
    return {name: places for name, places in found.items() if len(places) > 1 and name not in EXCEPTIONS}


def test_a_file_tells_one_whole_story() -> None:
    wrong = {name: lines for name, _, lines in BOTH if not SHORTEST_FILE <= lines <= LONGEST_FILE}
    assert {name: lines for name, lines in wrong.items() if name not in EXCEPTIONS} == {}


def test_no_function_is_very_long() -> None:
    assert [found for found in functions() if found[1] > LONGEST_FUNCTION] == []


def test_nearly_all_functions_are_short() -> None:
    lengths = [length for _, length in functions()]
    assert sum(length < LONG_FUNCTION for length in lengths) >= SHARE_OF_SHORT_FUNCTIONS * len(lengths)


def test_no_two_modules_of_the_spawner_have_the_same_name() -> None:
    found = defaultdict(list)
    for name, _, _ in SPAWNER:
        if Path(name).stem not in NAMES_OF_SEVERAL:
            found[Path(name).stem].append(name)
    assert several(found) == {}


def test_no_two_classes_of_the_spawner_have_the_same_name() -> None:
    found = defaultdict(list)
    for name, tree, _ in SPAWNER:
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].append(name)
    assert several(found) == {}


def test_every_exception_is_still_one() -> None:
    paths = {name: lines for name, _, lines in BOTH}
    needless = [name for name in EXCEPTIONS if SHORTEST_FILE <= paths.get(name, 0) <= LONGEST_FILE]
    assert needless == []
