"""Hooks of Puma's and Unicorn's configuration files, which the Ruby loader runs (PassengerRubyHooksFile)."""

from __future__ import annotations

import re

import pytest

from tests.conformance.conftest import Starter
from tests.conformance.harness.loader_process import Process

pytestmark = pytest.mark.needs("hooks-file")

PUMA = """
workers ENV.fetch("WEB_CONCURRENCY", 2)
preload_app!
require "a_library_for_puma_alone"
plugin :tmp_restart
supported_http_methods Puma::Const::SUPPORTED_HTTP_METHODS + ["PROPFIND"]
before_fork { puts "before_fork" }
before_worker_fork { |index| puts "before_worker_fork #{index}" }
after_worker_fork { |index| puts "after_worker_fork #{index}" }
after_booted { puts "after_booted" }
on_worker_boot(:store) { |index, data| data[:was] = index; puts "on_worker_boot #{index}" }
on_worker_boot { raise "the hook fails on purpose" }
before_worker_shutdown(:store) { |index, data| puts "before_worker_shutdown #{index} was #{data[:was]}" }
after_worker_shutdown { |handle| puts "after_worker_shutdown #{handle.index} #{handle.process_status.exitstatus}" }
cluster { before_thread_start { puts "before_thread_start" } }
single { on_worker_boot { puts "of single mode" } }
on_restart { puts "on_restart" }
out_of_band { puts "out_of_band" }
"""
UNICORN = """
worker_processes 3
timeout 30
DEFAULTS[:logger].formatter = nil
working_directory "/nonexistent"
before_fork do |server, worker|
  puts "before_fork #{worker.nr} of #{server.worker_processes}"
  raise "an older one" if File.exist?("#{server.config[:pid]}.oldbin") && server.pid != ".oldbin"
end
after_fork do |server, worker|
  server.listen("127.0.0.1:#{9293 + worker.nr}")
  server.logger.info("after_fork #{worker.nr}")
  raise "the hook fails on purpose" if worker == 3
end
after_worker_ready { |server, worker| puts "after_worker_ready #{worker.nr}" }
after_worker_exit { |server, worker, status| puts "after_worker_exit #{worker.nr} #{status.exitstatus}" }
"""


@pytest.fixture
def hooks(starter: Starter) -> Starter:
    """A starter of a Ruby loader, whose app root is prepared."""
    (starter.folder / "puma.rb").write_text(PUMA)
    (starter.folder / "unicorn.rb").write_text(UNICORN)
    return starter


def lines(process: Process, pattern: str) -> list[str]:
    """Return the lines of its output that begin with it."""
    return [line for line in process.output.text().splitlines() if re.match(pattern, line)]


def test_hooks_of_puma_run_at_their_moments(hooks: Starter) -> None:
    preloader = hooks.load(hooks_file="puma.rb")
    for slot in (2, 5):
        worker = preloader.fork(slot)
        preloader.output.wait_for(f"after_worker_fork {slot}\n")
        worker.get()
        worker.line.expect("work_requested")
        worker.line.send("work_granted")
        worker.line.expect("work_done")
        worker.retire()
        preloader.output.wait_for(f"after_worker_shutdown {slot} 0\n")
        text = worker.output.wait_for_end()
        order = [f"on_worker_boot {slot}", "the hook fails on purpose", "after_fork in", "before_thread_start"]
        places = [text.index(one) for one in (*order, "out_of_band", f"before_worker_shutdown {slot} was {slot}")]
        assert places == sorted(places)
        assert "of single mode" not in text
    once = ["before_worker_fork 2", "after_worker_fork 2", "after_booted", "after_worker_shutdown 2 0"]
    again = ["before_worker_fork 5", "after_worker_fork 5", "after_worker_shutdown 5 0"]
    assert lines(preloader, "before_|after_") == ["before_fork", *once, *again]
    assert len(lines(preloader, r"jumpseat: puma.rb: these hooks do not run: on_restart \(line 17\); ")) == 1


def test_hooks_of_unicorn_are_given_server_and_worker(hooks: Starter) -> None:
    preloader = hooks.load(hooks_file="unicorn.rb")
    for slot in (0, 1):
        worker = preloader.fork(slot)
        worker.retire()
        preloader.output.wait_for(f"after_worker_exit {slot} 0\n")
        ours = [r"jumpseat: server.listen has no effect", f"after_fork {slot}", f"after_fork in {worker.pid}"]
        text = worker.output.wait_for_end()
        places = [text.index(one) for one in (*ours, f"after_worker_ready {slot}")]
        assert places == sorted(places)
    assert lines(preloader, "before_fork") == ["before_fork 0 of 3", "before_fork 1 of 3"]


def test_a_worker_whose_hook_of_unicorn_fails_does_not_serve(hooks: Starter) -> None:
    worker = hooks.load(hooks_file="unicorn.rb").begin_fork(slot=3)
    failure = worker.line.expect("failed")
    assert (failure["step"], failure["summary"]) == ("run after_fork()", "RuntimeError: the hook fails on purpose")


def test_a_direct_process_runs_the_hooks_of_workers_and_names_the_others(hooks: Starter) -> None:
    process = hooks.direct(slot=2, hooks_file="puma.rb")
    process.retire()
    text = process.output.wait_for_end()
    assert "on_worker_boot 2\n" in text
    assert "after_booted\n" in text
    assert "before_fork\n" not in text
    assert "do not run: before_fork (line 7), before_worker_fork (line 8)" in text


@pytest.mark.parametrize(
    ("last_line", "summary"),
    [
        ("threads Rails.max", "NameError: uninitialized constant Rails"),
        ('ENV["PROBE"] = "fail"', "RuntimeError: the probe fails on purpose"),
    ],
)
def test_a_hooks_file_is_evaluated_before_the_app_and_may_fail(hooks: Starter, last_line: str, summary: str) -> None:
    (hooks.folder / "puma.rb").write_text("workers 2\n" + last_line)
    failure = hooks.start().load_failure(hooks.loader.entry("probe"), hooks_file="puma.rb")
    assert failure["summary"] == summary
    assert (f"{hooks.folder}/puma.rb:2:" in failure["traceback"]) == ("Rails" in last_line)
