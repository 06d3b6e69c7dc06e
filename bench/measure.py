"""One round of load on one server, and what it cost."""

from __future__ import annotations

import contextlib
import re
import subprocess
from dataclasses import dataclass
from typing import Callable

import psutil

_MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


@dataclass(frozen=True)
class Load:
    """What wrk tells about one run.

    :ivar requests: per second.
    :ivar answered: in all.
    :ivar p50: milliseconds, as `p99`.
    """

    requests: float
    answered: int
    p50: float
    p99: float
    errors: int


@dataclass(frozen=True)
class Figures:
    """What one round gave.

    :ivar requests: per second.
    :ivar cpu: microseconds of CPU per request, user and system, of all the server's processes.
    :ivar p50: milliseconds, as `p99`.
    """

    requests: float
    cpu: float
    p50: float
    p99: float
    errors: int


def parse_wrk(text: str) -> Load:
    """Read what wrk prints with `--latency`.

    :raises RuntimeError: it cannot be read.
    """
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    answered = re.search(r"(\d+) requests in", text)
    percentiles = {
        name: float(value) * _MILLISECONDS[unit]
        for name, value, unit in re.findall(r"^\s+(\d+)%\s+([\d.]+)(us|ms|s|m)$", text, re.MULTILINE)
    }
    if not (rate and answered and {"50", "99"} <= set(percentiles)):
        raise RuntimeError("wrk said:\n" + text)
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    sockets = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    errors = int(refused.group(1)) if refused else 0
    errors += sum(map(int, sockets.groups())) if sockets else 0
    return Load(float(rate.group(1)), int(answered.group(1)), percentiles["50"], percentiles["99"], errors)


def run_round(url: str, processes: Callable[[], list[psutil.Process]], connections: int, seconds: int) -> Figures:
    """Load a URL with wrk over kept-alive connections.

    :param processes: finds the server's; httpd may start and end children meanwhile.
    :raises RuntimeError: wrk's answer cannot be read.
    """
    before = cpu_seconds(processes())
    command = ["wrk", "-t1", "-c%d" % connections, "-d%ds" % seconds, "--latency", url]
    load = parse_wrk(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
    used = sum(seconds - before.get(pid, 0.0) for pid, seconds in cpu_seconds(processes()).items())
    return Figures(load.requests, used / max(1, load.answered) * 1e6, load.p50, load.p99, load.errors)


def cpu_seconds(processes: list[psutil.Process]) -> dict[int, float]:
    """CPU time of processes so far, by their ids."""
    found = {}
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            found[process.pid] = times.user + times.system
    return found
