"""A picture of a page's comparisons: bars for the medians, whiskers for the ranges, one panel for each comparison."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping

from bench.scenarios import SCENARIOS
from bench.tables import Record, added_private, median

COLORS = {"OURS": "#1f6f8b", "VARIANT": "#8fb8c6", "PEER": "#b0b0b0"}


def draw(records: Mapping[str, Record], file: Path) -> None:
    """Draw the comparisons of a JSON file.

    :param records: by scenario and measure, such as "rack speed".
    """
    import matplotlib

    matplotlib.use("svg")
    # Without these, the same figures would give another file each time.
    matplotlib.rcParams.update({"svg.hashsalt": "bench", "font.size": 9})
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(len(records), 1, figsize=(9, 2.6 * len(records)), squeeze=False)
    for panel, (name, record) in zip(panels[:, 0], sorted(records.items(), key=_order)):
        scenario, measure = name.split(" ")
        shown = [one for one in record["contestants"] if one["kind"] in COLORS]  # the limit would make others short
        if measure == "speed":
            title, values = "requests/s", [_requests(one) for one in shown]
        else:
            title, values = "private MB of an added worker", [added_private(record, one) for one in shown]
        _bars(panel, shown, values)
        panel.set_title("%s: %s" % (SCENARIOS[scenario].title, title), loc="left")
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)


def _order(item: tuple[str, Record]) -> tuple[bool, int]:
    scenario, measure = item[0].split(" ")
    return measure == "memory", list(SCENARIOS).index(scenario)


def _requests(contestant: Record) -> list[float]:
    return [figures["requests"] for figures in contestant["rounds"]]


def _bars(panel: Any, contestants: list[Record], values: list[list[float]]) -> None:
    longest_last = sorted(zip(contestants, values), key=lambda bar: median(bar[1]))
    middles = [median(found) for _, found in longest_last]
    ranges = [
        [median(found) - min(found) for _, found in longest_last],
        [max(found) - median(found) for _, found in longest_last],
    ]
    titles = [one["title"].replace("`", "") for one, _ in longest_last]
    colors = [COLORS[one["kind"]] for one, _ in longest_last]
    panel.barh(titles, middles, xerr=ranges, color=colors, ecolor="#404040")
    panel.spines[["top", "right"]].set_visible(False)
