"""`jumpseat migrate`: what becomes of each word of Puma and Unicorn, and what Ruby makes of their files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from spawner.cli.main import jumpseat
from spawner.cli.migration.conversion import Migration, convert, server_of
from spawner.cli.migration.evaluation import Call, Recording
from spawner.cli.migration.words import SERVERS, Fate

#: The methods of Puma's and Unicorn's own classes for these files.
WORDS = {
    "puma": "app activate_control_app bind clear_binds! bind_to_activated_sockets port first_data_timeout "
    "persistent_timeout idle_timeout fiber_per_request clean_thread_locals drain_on_shutdown environment "
    "force_shutdown_after before_restart on_restart restart_command pidfile quiet log_requests custom_logger debug "
    "rackup rack_url_scheme early_hints stdout_redirect log_formatter threads max_io_threads ssl_bind state_path "
    "state_permission workers silence_single_worker_warning silence_fork_callback_warning single cluster before_fork "
    "before_worker_boot on_worker_boot before_worker_shutdown on_worker_shutdown before_worker_fork on_worker_fork "
    "after_worker_fork after_worker_boot after_worker_shutdown after_booted on_booted after_stopped on_stopped "
    "before_refork on_refork after_refork before_thread_start on_thread_start before_thread_exit on_thread_exit "
    "out_of_band directory preload_app! lowlevel_error_handler prune_bundler raise_exception_on_sigterm "
    "extra_runtime_dependencies tag worker_check_interval worker_timeout worker_boot_timeout worker_shutdown_timeout "
    "worker_culling_strategy queue_requests shutdown_debug wait_for_less_busy_worker set_remote_address fork_worker "
    "max_fast_inline max_keep_alive enable_keep_alives allow_underscore_headers io_selector_backend "
    "mutate_stdout_and_stderr_to_sync_on_write http_content_length_limit supported_http_methods plugin "
    "set_default_host daemonize",
    "unicorn": "logger after_fork after_worker_exit after_worker_ready before_fork before_exec timeout worker_exec "
    "worker_processes default_middleware early_hints listeners listen pid preload_app rewindable_input "
    "client_body_buffer_size check_client_connection stderr_path stdout_path working_directory user",
}


def call(word: str, *arguments: object, parameters: int | None = None, line: int = 1) -> Call:
    return Call(word, arguments, parameters, Path("/srv/shop/config/puma.rb"), "config/puma.rb:%d" % line)


def converted(*calls: Call, **variables: str) -> Migration:
    recording = Recording((Path("/srv/shop/config/puma.rb"),), calls, (), "3.1.2", "/usr/bin/ruby")
    return convert(recording, Path("/srv/shop"), "production", variables)


def values(migration: Migration) -> dict[str, str]:
    return {line.directive: line.value for line in migration.lines}


@pytest.mark.parametrize("server", WORDS)
def test_every_word_of_the_server_is_known(server: str) -> None:
    assert sorted(set(WORDS[server].split()) - SERVERS[server].keys()) == []


@pytest.mark.parametrize("server", WORDS)
def test_a_word_that_is_not_converted_says_why(server: str) -> None:
    told = [word for word in SERVERS[server].values() if word.fate in (Fate.UNNEEDED, Fate.ELSEWHERE)]
    assert [word for word in told if not word.advice] == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            [call("workers", "4")],
            {"PassengerMinInstances": "4", "PassengerMaxInstances": "4", "PassengerSpawnMethod": "smart"},
        ),
        ([call("workers", 2), call("preload_app!", False)], {"PassengerSpawnMethod": "direct"}),
        ([call("threads", 1, 16)], {"PassengerConcurrencyModel": "thread", "PassengerThreadCount": "16"}),
        ([call("environment", "staging")], {"PassengerAppEnv": "staging"}),
        (
            [call("directory", "/srv/x"), call("rackup", "/srv/x/my.ru")],
            {"PassengerAppRoot": "/srv/x", "PassengerStartupFile": "my.ru"},
        ),
        (
            [call("bind", "tcp://a?backlog=5"), call("bind", "unix:///b?backlog=9")],
            {"PassengerMaxRequestQueueSize": "9"},
        ),
        ([call("worker_boot_timeout", 30)], {"PassengerStartTimeout": "30"}),
        ([call("http_content_length_limit", 99)], {"LimitRequestBody": "99"}),
        ([call("stdout_redirect", "log/out", "log/err")], {"PassengerAppLogFile": "/srv/shop/log/err"}),
        ([call("early_hints", True)], {"PassengerEarlyHints": "On"}),
        ([call("on_worker_boot", parameters=0)], {"PassengerRubyHooksFile": "config/puma.rb"}),
        (
            [call("worker_processes", 3)],
            {"PassengerMinInstances": "3", "PassengerMaxRequestTime": "60", "PassengerSpawnMethod": "direct"},
        ),
        (
            [call("timeout", 30), call("preload_app", True)],
            {"PassengerMaxRequestTime": "30", "PassengerSpawnMethod": "smart"},
        ),
        ([call("listen", "/a.sock", {"backlog": 64})], {"PassengerMaxRequestQueueSize": "64"}),
        ([call("listen", 80), call("user", "shop", "web")], {"PassengerUser": "shop", "PassengerGroup": "web"}),
    ],
)
def test_a_word_becomes_its_directives(words: list[Call], expected: dict[str, str]) -> None:
    assert expected.items() <= values(converted(*words)).items()


def test_early_hints_that_are_off_stay_off() -> None:
    for words in ([], [call("early_hints", False)]):
        assert "PassengerEarlyHints" not in values(converted(*words))


def test_defaults_and_variables_of_puma_count_where_the_file_says_nothing() -> None:
    assert values(converted())["PassengerThreadCount"] == "5"
    assert values(converted(WEB_CONCURRENCY="3"))["PassengerMinInstances"] == "3"


def test_more_workers_than_the_pool_has_raise_the_pool() -> None:
    assert [(line.directive, line.value) for line in converted(call("workers", 8)).server_lines] == [
        ("PassengerMaxPoolSize", "8")
    ]


def test_what_has_no_equivalent_is_told_with_its_place_and_what_to_do() -> None:
    migration = converted(
        call("pidfile", "tmp/puma.pid", line=7), call("of_a_plugin", line=8), call("plugin", "tmp_restart")
    )
    assert [(one.place, one.source) for one in migration.remarks] == [
        ("config/puma.rb:7", 'pidfile "tmp/puma.pid"'),
        ("config/puma.rb:8", "of_a_plugin"),
    ]
    assert "jumpseat status" in migration.remarks[0].advice
    assert [one.source for one in migration.unneeded] == ['plugin "tmp_restart"']


def test_a_before_fork_with_two_parameters_is_unicorns() -> None:
    for parameters, server in ((0, "puma"), (2, "unicorn")):
        recording = Recording((Path("a.rb"),), (call("before_fork", parameters=parameters),), (), "", "")
        assert server_of(recording) == server


def migrate(*arguments: str) -> tuple[int, str]:
    answer = CliRunner().invoke(jumpseat, ["migrate", *arguments])
    return answer.exit_code, answer.output


@pytest.fixture
def app(tmp_path: Path) -> Path:
    (tmp_path / "config").mkdir()
    return tmp_path


def test_a_file_is_evaluated_as_the_ruby_that_it_is(app: Path) -> None:
    (app / "config" / "puma.rb").write_text(
        "puts 'noise'\nrequire 'not_there'\nthreads Integer(ENV.fetch('NO_SUCH', 7))\n"
        "workers(Dir.pwd == %r ? 2 : 9) if get(:threads) == 7\nload 'more.rb'\n" % str(app)
    )
    (app / "more.rb").write_text("cluster { environment ENV['RACK_ENV'] + ' \"x\"' }\nsingle { tag 'no' }\n")
    status, output = migrate("--app-root", str(app), "--environment", "staging", "--server-name", "shop.example")
    assert status == 0, output
    assert '\n    # more.rb:1: environment "staging \\"x\\""\n    PassengerAppEnv "staging \\"x\\""\n' in output
    assert "\n    # config/puma.rb:4: workers 2\n    PassengerMinInstances 2\n    PassengerMaxInstances 2\n" in output
    assert "\n    PassengerThreadCount 7\n" in output
    assert '\n# config/puma.rb:2: require "not_there"\n' in output
    assert "    ServerName shop.example\n" in output
    assert 'tag "no"' not in output


def test_a_file_that_fails_is_named_with_its_line(app: Path) -> None:
    (app / "puma.rb").write_text("workers 2\nthreads Rails.max\n")
    assert migrate(str(app / "puma.rb")) == (1, "Error: puma.rb:2: NameError: uninitialized constant Rails\n")


def test_json_has_the_same(app: Path) -> None:
    (app / "config" / "unicorn.rb").write_text("timeout 9\npid 'x'\n")
    status, output = migrate("--app-root", str(app), "--json")
    answer = json.loads(output)
    assert (status, answer["server"], answer["app_root"]) == (0, "unicorn", str(app))
    assert {"directive": "PassengerMaxRequestTime", "value": "9", "reason": "config/unicorn.rb:1: timeout 9"} in answer[
        "lines"
    ]
    assert [one["place"] for one in answer["remarks"]] == ["config/unicorn.rb:2"]


def test_a_folder_without_a_file_is_an_error_that_names_what_was_looked_for(tmp_path: Path) -> None:
    status, output = migrate("--app-root", str(tmp_path))
    assert status == 1
    assert "config/puma.rb" in output
    assert "config/unicorn.rb" in output


def test_root_does_not_run_the_file_of_another_user(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = app / "puma.rb"
    file.write_text("abort 'it was run'\n")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("spawner.cli.migration.evaluation._owner_of", lambda path: 4242 if path == file else 0)
    status, output = migrate(str(file))
    assert status == 1
    assert "sudo -u '#4242' jumpseat migrate" in output
    assert "it was run" not in output
