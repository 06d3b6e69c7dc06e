"""What is kept of a run: a JSON file with every round, and the page below docs/bench that shows it.

The page is written by hand but for its tables: `<!-- rack speed -->` begins the part that a run of the scenario "rack"
replaces, `<!-- end -->` ends it.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import re
import subprocess
import textwrap
from pathlib import Path
from typing import Callable, Optional

import psutil

from bench.contestants import Contestant
from bench.plot import draw
from bench.scenarios import Scenario
from bench.tables import TABLES, Record, Table

PAGES = Path(__file__).resolve().parents[1] / "docs" / "bench"
_WIDTH = 100  # columns of prose


def new_record(scenario: Scenario, contestants: list[Contestant], terms: str) -> Record:
    """A record without figures: what was measured, where and on which terms."""
    packages = ("apache2", *scenario.packages)
    return {
        "scenario": scenario.name,
        "when": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": machine(),
        "versions": {package: version(package) for package in packages},
        "terms": terms,
        "contestants": [
            {
                "name": one.name,
                "title": one.title,
                "kind": one.kind.name,
                "version": version(next(iter(one.server.needs), "")),
                "rounds": [],
            }
            for one in contestants
        ],
    }


def machine() -> Record:
    """This machine, and how busy it is at the moment."""
    models = re.findall(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return {
        "processor": models[0] if models else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9),
        "kernel": "%s %s" % (platform.system(), re.sub(r"^(\d+\.\d+).*", r"\1", platform.release())),
        "distribution": platform.freedesktop_os_release().get("PRETTY_NAME", ""),
        "load_average": round(os.getloadavg()[0], 2),
    }


def version(package: str) -> Optional[str]:
    """The version of a Debian package without Debian's own part, if it is installed."""
    answer = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], stdout=-1, stderr=-1, text=True)
    return re.sub(r"^\d+:|[-+~].*$", "", answer.stdout) or None


def conditions(record: Record) -> list[str]:
    """Where, when and on which terms the figures were taken, in sentences."""
    where = record["machine"]
    peers = {"%s %s" % (one["name"].partition("-")[0], one["version"]) for one in record["contestants"]
             if one["version"]}  # fmt: skip
    versions = [*("%s %s" % pair for pair in record["versions"].items() if pair[1]), *sorted(peers)]
    return [
        "%s: %s." % (record["when"], record["terms"]),
        "%s, %d cores, %d GB, %s, %s." % tuple(where[name] for name in
            ("processor", "cores", "memory_gb", "distribution", "kernel")),
        "%s. Load average at the start: %s." % (", ".join(versions), where["load_average"]),
    ]  # fmt: skip


def keep(folder: Path, scenario: Scenario, measure: str, record: Record) -> Path:
    """Put a comparison's record into the JSON file, and make the page's tables and its picture of all that is there.

    :param measure: "speed" or "memory".
    :returns: the page.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / (scenario.report + ".json")
    known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    known["%s %s" % (scenario.name, measure)] = record
    file.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    draw(known, folder / (scenario.report + ".svg"))
    text = (PAGES / (scenario.report + ".md")).read_text(encoding="utf-8")
    for name, one in known.items():
        text = fill(text, name, shown(one, *TABLES[name.split(" ")[1]]))
    page = folder / (scenario.report + ".md")
    page.write_text(text, encoding="utf-8")
    return page


def fill(text: str, name: str, part: str) -> str:
    """Replace the part of a page that has this name.

    :raises ValueError: the page has no such part.
    """
    begin, end = "<!-- %s -->\n" % name, "<!-- end -->"
    found = re.compile(re.escape(begin) + r".*?" + re.escape(end), re.DOTALL)
    if not found.search(text):
        raise ValueError("the page has no %s" % begin.strip())
    return found.sub(lambda _: "%s\n%s\n%s" % (begin, part.strip("\n"), "\n" + end), text, count=1)


def shown(record: Record, table: Callable[[Record], Table], verdict: Callable[[Record], str]) -> str:
    """What a page shows of a comparison."""
    prose = [textwrap.fill(text, _WIDTH) for text in (verdict(record), " ".join(conditions(record))) if text]
    return "\n\n".join([table(record).markdown().rstrip(), *prose])
