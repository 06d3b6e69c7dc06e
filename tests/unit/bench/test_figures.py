"""What `make bench` makes of figures: wrk's output, the tables, the places for them in the pages."""

from __future__ import annotations

from typing import Any

import pytest

from apache_module.generate import CHECKOUT
from bench.contestants import CONTESTANTS, Kind, Measure, chosen
from bench.measure import Load, parse_wrk
from bench.results import PAGES, fill
from bench.scenarios import APPS, SCENARIOS
from bench.tables import Table, memory_table, memory_verdict, speed_table, speed_verdict, spread

WRK = """\
Running 3s test @ http://127.0.0.1:8080/hello
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     2.34ms    1.22ms  28.80ms   95.63%
    Req/Sec     7.03k   628.48     8.04k    76.67%
  Latency Distribution
     50%  980.00us
     75%    2.47ms
     90%    2.83ms
     99%    1.20s
  20981 requests in 3.00s, 2.90MB read
  Socket errors: connect 1, read 2, write 3, timeout 4
  Non-2xx or 3xx responses: 5
Requests/sec:   6990.51
Transfer/sec:      0.97MB
"""


def speed(title: str, kind: str, *requests: float) -> dict[str, Any]:
    rounds = [{"requests": value, "cpu": 100.4, "p50": 1.04, "p99": 2.0, "errors": 1} for value in requests]
    return {"title": title, "kind": kind, "rounds": rounds}


def memory(title: str, kind: str, few: int, many: int) -> dict[str, Any]:
    def size(megabytes: int) -> dict[str, Any]:
        bytes_of_each = {"uss": megabytes * 1_000_000, "pss": 2 * megabytes * 1_000_000}
        return {"least": 7, "most": 9, "wrong": 0, "early": bytes_of_each, "late": bytes_of_each}

    return {"title": title, "kind": kind, "rounds": [{"few": size(few), "many": size(many)}]}


SPEED = {"contestants": [speed("ours", "OURS", 1500, 1000, 2000), speed("limit", "LIMIT", 9000),
                         speed("slow", "PEER", 300), speed("fast", "PEER", 1200)]}  # fmt: skip
MEMORY = {"few": 2, "many": 8, "contestants": [memory("big", "PEER", 20, 80), memory("small", "PEER", 20, 50),
                                               memory("ours", "OURS", 20, 38)]}  # fmt: skip


def test_the_output_of_wrk_is_read_in_milliseconds_with_all_errors() -> None:
    assert parse_wrk(WRK) == Load(requests=6990.51, answered=20981, p50=0.98, p99=1200.0, errors=15)


def test_without_its_figures_the_output_of_wrk_is_told() -> None:
    with pytest.raises(RuntimeError, match="unable to connect"):
        parse_wrk("unable to connect to 127.0.0.1:1 Connection refused\n")


def test_a_spread_has_the_median_and_the_range() -> None:
    assert spread([3000, 1000, 2000]) == "2,000 [1,000-3,000]"
    assert spread([1.26], 1) == "1.3"


def test_the_fastest_is_the_first_row() -> None:
    rows = speed_table(SPEED).rows
    assert [row[0] for row in rows] == ["limit", "ours", "fast", "slow"]
    assert rows[1] == ("ours", "1,500 [1,000-2,000]", "100 [100-100]", "1.0 [1.0-1.0]", "2.0 [2.0-2.0]", "3")


def test_this_project_is_compared_with_the_best_peer_and_not_with_the_limit() -> None:
    assert speed_verdict(SPEED) == "ours: 1.25 times the requests/s of the fastest peer (fast)."
    assert speed_verdict({"contestants": SPEED["contestants"][:2]}) == ""
    needs = "ours: an added worker needs 0.60 times the private memory of the smallest peer's (small)."
    assert memory_verdict(MEMORY) == needs


def test_an_added_worker_costs_the_difference_by_the_number_of_added_workers() -> None:
    rows = memory_table(MEMORY).rows
    assert [row[0] for row in rows] == ["ours", "small", "big"]
    assert rows[1] == ("small", "5.0", "5.0", "10.0", "40.0", "100.0", "7-9", "0")


def test_a_table_becomes_one_of_a_page() -> None:
    assert Table(("a", "b"), [("1", "2")]).markdown() == "| a | b |\n|---|---:|\n| 1 | 2 |\n"


def test_a_part_of_a_page_is_replaced_again_and_again_and_nothing_else() -> None:
    page = "first\n\n<!-- x -->\n<!-- end -->\n\n<!-- y -->\nyes\n<!-- end -->\n"
    once = fill(fill(page, "x", "old"), "x", "new\n")
    assert once == "first\n\n<!-- x -->\n\nnew\n\n<!-- end -->\n\n<!-- y -->\nyes\n<!-- end -->\n"
    with pytest.raises(ValueError, match="no <!-- z -->"):
        fill(page, "z", "text")


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=lambda scenario: scenario.name)
def test_each_scenario_has_an_app_peers_and_a_place_for_its_tables(scenario: Any) -> None:
    assert any(APPS.joinpath(scenario.app).iterdir())
    assert scenario.requirements is None or (CHECKOUT / scenario.requirements).exists()
    for measure in (Measure.SPEED, Measure.MEMORY):
        assert {one.kind for one in chosen(scenario, measure, ())} >= {Kind.OURS, Kind.PEER}
        page = (PAGES / (scenario.report + ".md")).read_text()
        fill(page, "%s %s" % (scenario.name, measure.name.lower()), "")


def test_peers_are_chosen_by_parts_of_their_names_and_this_project_always_takes_part() -> None:
    names = [one.name for one in chosen(SCENARIOS["rack"], Measure.SPEED, ("puma-5", "unicorn"))]
    assert names == ["jumpseat", "puma-5", "puma-5-kept", "unicorn"]


def test_names_and_titles_of_contestants_are_unique() -> None:
    for words in ([one.name for one in CONTESTANTS], [one.title for one in CONTESTANTS]):
        assert len(set(words)) == len(words)
