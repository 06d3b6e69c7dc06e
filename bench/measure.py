"""One round of load on one server, and what it cost."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Figures:
    """What one round gave.

    :ivar requests: per second.
    :ivar cpu: microseconds of CPU per request, user and system, of all the server's processes.
    :ivar p99: milliseconds.
    """

    requests: float
    cpu: float
    p99: float
    errors: int


def cpu_seconds(pids: list[int]) -> float:
    """CPU time of processes and all their descendants so far."""
    total = 0.0
    for pid in pids:
        parent = psutil.Process(pid)
        for process in [parent, *parent.children(recursive=True)]:
            times = process.cpu_times()
            total += times.user + times.system
    return total


def run_round(url: str, pids: list[int], connections: int, seconds: int) -> Figures:
    """Load a URL with wrk over kept-alive connections.

    :raises RuntimeError: wrk's answer cannot be read.
    """
    before = cpu_seconds(pids)
    command = ["wrk", "-t1", "-c%d" % connections, "-d%ds" % seconds, "--latency", url]
    text = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    used = cpu_seconds(pids) - before
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    done = re.search(r"(\d+) requests in", text)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", text)
    if not (rate and done and p99):
        raise RuntimeError("wrk said:\n" + text)
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    sockets = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    errors = int(failed.group(1)) if failed else 0
    errors += sum(map(int, sockets.groups())) if sockets else 0
    scale = {"us": 0.001, "ms": 1.0, "s": 1000.0}[p99.group(2)]
    requests = max(1, int(done.group(1)))
    return Figures(float(rate.group(1)), used / requests * 1e6, float(p99.group(1)) * scale, errors)
