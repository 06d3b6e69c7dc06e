"""Hooks of Puma's and Unicorn's configuration files, which the Ruby loader runs (PassengerRubyHooksFile)."""

from __future__ import annotations

import re

import pytest

from tests.conformance.conftest import Starter
from tests.conformance.harness.loader_process import Process

PUMA = """
workers ENV.fetch("WEB_CONCURRENCY", 2)
preload_app!
require "a_library_for_puma_alone"
plugin :tmp_restart
supported_http_methods Puma::Const::SUPPORTED_HTTP_METHODS + ["PROPFIND"]
ENV["FROM_THE_FILE"] = "yes"
before_fork { puts "before_fork" }
before_worker_fork { |index| puts "before_worker_fork #{index}" }
after_worker_fork { |index| puts "after_worker_fork #{index}" }
after_booted { puts "after_booted" }
on_worker_boot(:store) { |index, data| data[:was] = index; puts "on_worker_boot #{index}" }
on_worker_boot { raise "the hook fails on purpose" }
before_worker_shutdown(:store) { |index, data| puts "before_worker_shutdown #{index} #{data}" }
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


@pytest.mark.needs("hooks-file")
def test_hooks_of_puma_run_at_their_moments(hooks: Starter) -> None:
    preloader = hooks.load(hooks_file="puma.rb")
    for slot in (2, 5):
        worker = preloader.fork(slot)
        preloader.output.wait_for(f"after_worker_fork {slot}\n")
        assert "FROM_THE_FILE=yes" not in worker.get("/variables").text, "it is of the process, not of the request"
        worker.output.wait_for("out_of_band")
        worker.retire()
        preloader.output.wait_for(f"after_worker_shutdown {slot} 0\n")
        text = worker.output.wait_for_end()
        in_order = [f"on_worker_boot {slot}", "the hook fails on purpose", "after_fork in", "before_thread_start"]
        places = [text.index(word) for word in (*in_order, "out_of_band", f"before_worker_shutdown {slot} ")]
        assert places == sorted(places)
        assert re.search(r"before_worker_shutdown \d \{:was ?=> ?%d\}|before_worker_shutdown \d \{was: %d\}" % (slot, slot), text)
        assert "of single mode" not in text
    expected = ["before_worker_fork 2", "after_worker_fork 2", "after_booted", "after_worker_shutdown 2 0"]
    expected = ["before_fork", *expected, "before_worker_fork 5", "after_worker_fork 5", "after_worker_shutdown 5 0"]
    assert lines(preloader, "before_|after_") == expected
    assert lines(preloader, "jumpseat: puma.rb: these hooks do not run: on_restart .line 18.; ") != []
