"""The rooms of the spawner: who may import whom, and that no modules import each other in a circle."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Iterator

import pytest

ROOT = Path(__file__).resolve().parents[2]

# From the top down: a room imports rooms below it, never one above it or beside it. docs/architecture.md draws them.
FLOORS = (
    ("spawner.daemon",),
    ("spawner.admin", "spawner.pages", "spawner.state_store"),
    ("spawner.httpd", "spawner.watching"),
    ("spawner.processes",),
    ("spawner.pool",),
    ("spawner.logs",),
    ("spawner.system",),
    ("spawner.options", "spawner.spawner_conf", "spawner.start_failure"),
    ("spawner.app_types",),
    ("spawner.errors", "spawner.version"),
    ("spawner.shared",),
)

# Rooms that stand apart: what runs in the apps' own interpreters, and the commands, which know a spawner by its socket.
APART = {
    "spawner.loaders": {"spawner.shared"},
    "spawner.cli": {"spawner.options", "spawner.shared", "spawner.spawner_conf", "spawner.system", "spawner.version"},
}

# The rooms within the Python loader, from the top down; the modules beside them are on top.
LOADER = "spawner.loaders.python"
LOADER_ROOMS = ("executors", "wsgi", "fork_safety", "diagnostics", "core")

# The instance folder holds a copy of the loaders: whoever makes it has to know where they lie.
COPIES = {("spawner.state_store.instance_directory", "spawner.loaders")}


def modules() -> dict[str, Path]:
    """Every module of the spawner by its dotted name."""
    found = {}
    for path in sorted((ROOT / "spawner").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imports_of(name: str) -> set[str]:
    """The modules of the spawner that a module imports, wherever in it: for types only and within functions, too."""
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.update(_imported(name, node))
    return {module for module in found if module in MODULES and module != name}


def _imported(name: str, node: ast.ImportFrom) -> Iterator[str]:
    base = node.module or ""
    if node.level:
        is_package = MODULES[name].name == "__init__.py"
        parts = name.split(".")
        above = parts[: len(parts) - node.level + is_package]
        base = ".".join([*above, *([node.module] if node.module else [])])
    for alias in node.names:
        inner = "%s.%s" % (base, alias.name)
        yield inner if inner in MODULES else base


def room_of(name: str) -> str:
    """The room that a module is in: a folder below spawner, or a module beside the folders."""
    return ".".join(name.split(".")[:2])


def floor_of(room: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if room in rooms)


def is_allowed(room: str, imported: str) -> bool:
    if room == imported:
        return True
    if room in APART:
        return imported in APART[room]
    return imported not in APART and floor_of(imported) > floor_of(room)


def loader_floor_of(name: str) -> int:
    """The floor of a module of the Python loader: 0 for one beside the rooms."""
    room = name[len(LOADER) + 1 :].split(".")[0]
    return LOADER_ROOMS.index(room) + 1 if room in LOADER_ROOMS else 0


def arrows() -> list[tuple[str, str]]:
    """Every import of a module of the spawner by another one, without those that only copy it."""
    found = [(name, imported) for name in MODULES for imported in sorted(imports_of(name))]
    return [arrow for arrow in found if arrow not in COPIES]


def circle_in(graph: dict[str, set[str]]) -> list[str]:
    """A chain of modules in which each imports the next and the last one the first; empty if there is none."""
    done: set[str] = set()
    for start in graph:
        found = _circle_from(start, graph, [], done)
        if found:
            return found
    return []


def _circle_from(name: str, graph: dict[str, set[str]], path: list[str], done: set[str]) -> list[str]:
    if name in path:
        return [*path[path.index(name) :], name]
    if name in done:
        return []
    for imported in sorted(graph.get(name, ())):
        found = _circle_from(imported, graph, [*path, name], done)
        if found:
            return found
    done.add(name)
    return []


def test_every_room_has_its_place_in_the_table() -> None:
    known = {room for rooms in FLOORS for room in rooms} | set(APART) | {"spawner"}
    assert {room_of(name) for name in MODULES} <= known


def test_a_module_imports_only_rooms_below_its_own() -> None:
    wrong = ["%s imports %s" % arrow for arrow in arrows() if not is_allowed(*map(room_of, arrow))]
    assert wrong == []


def test_a_module_of_the_loader_imports_only_rooms_below_its_own() -> None:
    within = [arrow for arrow in arrows() if all(name.startswith(LOADER + ".") for name in arrow)]
    assert len(within) > 50
    floors = {arrow: (loader_floor_of(arrow[0]), loader_floor_of(arrow[1])) for arrow in within}
    assert ["%s imports %s" % arrow for arrow, (own, other) in floors.items() if other < own] == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert " -> ".join(circle_in({name: imports_of(name) for name in MODULES})) == ""


@pytest.mark.parametrize(
    ("importing", "imported"),
    [("spawner.pool", "spawner.daemon"), ("spawner.system", "spawner.pool"), ("spawner.loaders", "spawner.errors")],
)
def test_an_arrow_that_points_up_is_refused(importing: str, imported: str) -> None:
    assert not is_allowed(importing, imported)


def test_a_circle_is_found() -> None:
    assert circle_in({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]


# What an app may replace for itself, as gevent and eventlet do. A loader uses the copies that `core.unpatched` made
# before the app was loaded; start.py has ended by then.
REPLACEABLE = {"_thread", "fcntl", "mmap", "os", "select", "signal", "socket", "threading", "time"}
MAKES_COPIES = {LOADER + ".core.unpatched", LOADER + ".start"}
# This one asks for the app's own view of its threads.
OF_APP = {LOADER + ".executors.thread_executor": {"threading"}}


def test_a_loader_uses_no_module_that_an_app_may_have_replaced() -> None:
    wrong = {}
    for name in MODULES:
        if name.startswith(LOADER) and name not in MAKES_COPIES:
            tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
            plain = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
            absolute = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level]
            plain |= {node.module or "" for node in absolute}
            wrong[name] = plain & REPLACEABLE - OF_APP.get(name, set())
    assert {name: found for name, found in wrong.items() if found} == {}
