"""Which clients want JSON: the same table as for the module in httpd (tests/c/accept_test.c)."""

from __future__ import annotations

from pathlib import Path

import pytest

from spawner.shared.accept_header import wants_json

TABLE = Path(__file__).parents[2] / "protocol" / "accept_header.tsv"
LINES = [line for line in TABLE.read_text().splitlines() if line and not line.startswith("#")]


@pytest.mark.parametrize("line", LINES)
def test_the_client_gets_what_it_would_rather_have(line: str) -> None:
    answer, accept, content_type = (None if field == "(none)" else field for field in line.split("\t"))
    assert wants_json(accept, content_type) is (answer == "json")
