"""The global variables of this process's modules, read without side effects.

Modules may be lazy, and values may be proxies that do something when touched: neither is asked for an attribute.
"""

import sys
from types import ModuleType
from typing import Any, Callable, Dict, Iterator, NamedTuple, Tuple


class GlobalVariable(NamedTuple):
    """`line`: of the first assignment to it, 0 where that cannot be found."""

    file: str
    name: str
    line: int

    def __str__(self) -> str:
        return "{!r} of {}{}".format(self.name, self.file, ":{}".format(self.line) if self.line else "")


def all_modules() -> Iterator[Tuple[ModuleType, Dict[str, Any]]]:
    """Yield each loaded module with its globals."""
    for module in list(sys.modules.values()):
        if issubclass(type(module), ModuleType):
            try:
                variables = object.__getattribute__(module, "__dict__")
            except AttributeError:
                continue
            yield module, variables


def find_all(
    wanted: Callable[[Any], bool], in_file: Callable[[str], bool]
) -> Iterator[Tuple[GlobalVariable, Any, Callable[[], bool]]]:
    """Yield every variable of the modules whose file is `in_file` whose value is `wanted`; each value once.

    With it comes what says whether the variable still has that value.
    """
    seen = set()
    for variables, file, name, value in _values():
        if in_file(file) and id(value) not in seen and wanted(value):
            seen.add(id(value))
            yield GlobalVariable(file, name, assigned_at(file, name)), value, _is_value(variables, name, value)


def _is_value(variables: Dict[str, Any], name: str, value: Any) -> Callable[[], bool]:
    return lambda: variables.get(name) is value


def has_method(value: Any, name: str) -> bool:
    """Whether the class of `value` has a method of that name."""
    return any(name in vars(base) for base in type(value).__mro__)


def _values() -> Iterator[Tuple[Dict[str, Any], str, str, Any]]:
    for _, variables in all_modules():
        file = variables.get("__file__")
        if isinstance(file, str):
            for name, value in list(variables.items()):
                yield variables, file, name, value


def assigned_at(file: str, name: str) -> int:
    """Return the line of the first assignment to the global `name` in `file`."""
    import ast  # only when there is something to tell

    try:
        with open(file, "rb") as source:
            tree = ast.parse(source.read(4 * 1024 * 1024), file)
    except (OSError, SyntaxError, ValueError, RecursionError):
        return 0
    lines = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id == name
    ]
    return min(lines, default=0)
