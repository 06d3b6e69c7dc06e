"""httpd's parent when the spawner hangs, and when a new configuration does not load the module any more."""

from __future__ import annotations

import os
import signal
import time

import psutil

from support.serving import CheckedHttpd
from support.waiting import eventually, remains_true

SITES = 150


def test_a_spawner_that_takes_no_configuration_holds_no_restart_up_and_gets_the_newest_when_it_goes_on(
    httpd: CheckedHttpd,
) -> None:
    for number in range(SITES):
        httpd.site(f"site{number}.example")
    httpd.start()
    httpd.wait_for_spawner()
    spawner = httpd.spawner_pid()
    httpd.logs.allow("JS1030")  # it is stopped for long, where the machine is slow
    os.kill(spawner, signal.SIGSTOP)
    configurations = 1
    while not httpd.logs.count(r"JS1033: the spawner \(pid %d\) has not taken all of the configuration" % spawner):
        begin = time.monotonic()
        httpd.graceful()
        configurations += 1
        assert time.monotonic() - begin < 15
    httpd.graceful()
    configurations += 1
    os.kill(spawner, signal.SIGCONT)
    eventually(lambda: httpd.logs.count(f"JS3045: configuration {configurations} is in force"), "the newest one")
    assert httpd.instance()["spawner_pid"] == spawner


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
