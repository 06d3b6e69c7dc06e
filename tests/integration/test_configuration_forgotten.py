"""httpd's parent when the spawner hangs, and when a new configuration does not load the module any more."""

from __future__ import annotations

import os
import signal
import time

import psutil

from support.serving import CheckedHttpd
from support.waiting import eventually, remains_true

SITES = 150


def test_a_spawner_that_hangs_delays_a_graceful_restart_by_seconds_only_and_is_replaced(httpd: CheckedHttpd) -> None:
    for number in range(SITES):
        httpd.site(f"site{number}.example")
    httpd.start()
    httpd.wait_for_spawner()
    hanging = httpd.spawner_pid()
    httpd.logs.expect(r"JS1022: the spawner \(pid %d\) does not take the configuration: killed" % hanging)
    httpd.logs.expect("JS1025")
    os.kill(hanging, signal.SIGSTOP)
    slowest = 0.0
    while not httpd.logs.count("JS1022"):
        begin = time.monotonic()
        httpd.graceful()
        slowest = max(slowest, time.monotonic() - begin)
    assert slowest < 15
    eventually(lambda: httpd.instance()["spawner_pid"] != hanging, "another spawner at work")


def test_a_spawner_that_ends_after_the_module_was_taken_away_is_not_missed(httpd: CheckedHttpd) -> None:
    httpd.start()
    httpd.wait_for_spawner()
    spawner = httpd.spawner_pid()
    httpd.configuration.product = ""
    httpd.graceful()
    httpd.graceful()
    os.kill(spawner, signal.SIGTERM)
    eventually(lambda: not psutil.pid_exists(spawner), "the spawner's end to be noticed")
    remains_true(lambda: httpd.process is not None and httpd.process.running, "httpd serves on", 1.0)
    assert httpd.get("/").status < 500
