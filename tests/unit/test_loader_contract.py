"""docs/loader-contract.md: each point of the contract has tests, and one of them runs against every loader."""

from __future__ import annotations

import ast
import re

import pytest

from apache_module.generate import CHECKOUT

CONFORMANCE = CHECKOUT / "tests" / "conformance"
_ROW = re.compile(r"^\| (?!the loader \||-)(.+) \| ([0-9]+) \| (.+) \|$", re.MULTILINE)
POINTS = _ROW.findall((CHECKOUT / "docs" / "loader-contract.md").read_text())


def abilities_needed() -> dict[str, set[str]]:
    """Each test of the suite, with the abilities that a loader must have to be held to it."""
    found = {}
    for path in CONFORMANCE.glob("test_*.py"):
        tree = ast.parse(path.read_text())
        assigned = [node for node in tree.body if isinstance(node, ast.Assign)]
        of_all = [node for node in assigned if ast.unparse(node.targets[0]) == "pytestmark"]
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                marks = " ".join(map(ast.unparse, [*node.decorator_list, *of_all]))
                found[node.name] = set(re.findall(r"pytest\.mark\.needs\('([^']+)'\)", marks))
    return found


NEEDED = abilities_needed()


def test_the_contract_has_points() -> None:
    assert len(POINTS) >= 10


@pytest.mark.parametrize(("point", "section", "tests"), POINTS, ids=[point for point, _, _ in POINTS])
def test_each_point_has_tests_that_every_loader_is_held_to(point: str, section: str, tests: str) -> None:
    names = re.findall(r"`(test_\w+)`", tests)
    assert [name for name in names if name not in NEEDED] == []
    for_every_loader, _, for_some = tests.partition(";")
    told = re.findall(r"`(test_\w+)`", for_every_loader)
    assert told
    assert [name for name in told if NEEDED[name]] == []
    assert [name for name in re.findall(r"`(test_\w+)`", for_some) if not NEEDED[name]] == []
    protocol = (CHECKOUT / "docs" / "protocol.md").read_text()
    assert re.search(r"^## %s\. " % section, protocol, re.MULTILINE)
