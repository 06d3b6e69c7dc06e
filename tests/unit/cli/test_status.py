"""`jumpseat status`: finding the instance, what is shown, and the words when there is nothing to show."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any, Callable, Sequence

import pytest
from click.testing import CliRunner, Result
from instance_registry import Registry

from spawner.cli.main import jumpseat
from spawner.system import linux

AsLine = Callable[[dict[str, Any]], bytes]


def run(registry: Registry, arguments: Sequence[str] = ()) -> Result:
    return CliRunner().invoke(jumpseat, ["status", "--registry", str(registry.folder), *arguments])


def ended_pid() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_the_only_instance_is_asked_without_a_name(registry: Registry, answer: dict[str, Any], as_line: AsLine) -> None:
    registry.add("httpd-1", as_line(answer))
    result = run(registry)
    assert result.exit_code == 0
    assert "/var/www/shop (production)" in result.output
    assert "serving, generation 4, wsgi, as shop" in result.output


def test_each_process_has_a_line_with_pid_requests_and_age(
    registry: Registry, answer: dict[str, Any], as_line: AsLine
) -> None:
    registry.add("httpd-1", as_line(answer))
    lines = [line.split() for line in run(registry).output.splitlines()]
    preloader = next(line for line in lines if line[:1] == ["777"])
    worker = next(line for line in lines if line[:1] == ["778"])
    assert preloader == "777 preloader 4 ready - 1 h 2 min 1 h ago 0.1 % 30.0 M 1.0 M".split()
    assert worker == "778 worker 4 serving, busy 812 1 min 2 s now - - -".split()


def test_json_is_the_answer_as_it_came(registry: Registry, answer: dict[str, Any], as_line: AsLine) -> None:
    registry.add("httpd-1", as_line(answer))
    result = run(registry, ["--json"])
    assert result.exit_code == 0
    assert json.loads(result.output) == answer


def test_output_that_is_no_terminal_has_neither_colours_nor_folded_lines(
    registry: Registry, answer: dict[str, Any], as_line: AsLine
) -> None:
    warning = "the import left " + "word " * 100 + "behind"
    answer["groups"][0]["warnings"] = [warning, "short"]
    registry.add("httpd-1", as_line(answer))
    output = run(registry).output
    assert "\x1b" not in output
    assert warning in output
    assert [line for line in output.splitlines() if line != line.rstrip()] == []


def test_the_limits_of_an_app_are_shown_with_why_one_has_no_effect(
    registry: Registry, answer: dict[str, Any], as_line: AsLine
) -> None:
    answer["groups"][0]["limits"] = {
        "PassengerAppMemoryLimit": {"value": 512, "without_effect": "no controller"},
        "PassengerNoNewPrivileges": {"value": True, "without_effect": None},
    }
    registry.add("httpd-1", as_line(answer))
    output = run(registry).output
    assert "Limits: PassengerAppMemoryLimit 512, PassengerNoNewPrivileges on\n" in output
    assert "PassengerAppMemoryLimit has no effect: no controller\n" in output


def test_a_failed_start_is_told_with_step_summary_and_traceback(
    registry: Registry, answer: dict[str, Any], as_line: AsLine
) -> None:
    answer["groups"][0]["failure"] = {
        "step": "import",
        "summary": "ImportError: no shop",
        "detail": "Traceback (most recent call last):\nImportError: no shop",
        "facts": {"interpreter": "/srv/shop/venv/bin/python", "user": "shop (uid 1000, gid 1000)"},
        "error_id": "1f2e3d4c",
        "age": 12.3,
        "retry_in": 61.0,
    }
    registry.add("httpd-1", as_line(answer))
    output = run(registry).output
    assert "The last start failed at step import 12 s ago, next try in 1 min 1 s (error 1f2e3d4c)" in output
    assert output.count("ImportError: no shop") == 2
    assert "interpreter: /srv/shop/venv/bin/python" in output


def test_a_deployment_error_that_is_resisted_is_told_with_its_reason_and_age(
    registry: Registry, answer: dict[str, Any], as_line: AsLine
) -> None:
    failure = {"step": "import", "summary": "ImportError: no shop", "detail": "", "facts": {}, "error_id": "1f2e3d4c"}
    answer["groups"][0]["pinned_release"] = {"generation": 5, "age": 61.0, **failure}
    registry.add("httpd-1", as_line(answer))
    output = run(registry).output
    assert "Deployment error: generation 5 failed at step import 1 min 1 s ago" in output
    assert "the previous release continues to serve (error 1f2e3d4c)" in output
    assert "ImportError: no shop" in output


def test_a_restart_under_way_is_told_with_how_far_it_is(
    registry: Registry, answer: dict[str, Any], as_line: AsLine
) -> None:
    restart = {"generation": 5, "stage": "replacing", "done": 1, "total": 4, "age": 2.5}
    answer["groups"][0].update(state="restarting", next_generation=5, restart=restart)
    registry.add("httpd-1", as_line(answer))
    assert "to be replaced by 5 (replacing, 1 of 4 workers, for 2 s)" in run(registry).output


def test_load_rejections_and_memory_of_an_app_are_summed(
    registry: Registry, answer: dict[str, Any], as_line: AsLine
) -> None:
    group = answer["groups"][0]
    group.update(requests_rejected=3, always_restart=True)
    group["processes"][1].update(running=2, capacity=8)
    registry.add("httpd-1", as_line(answer))
    output = run(registry).output
    assert "2 of 8 requests at a time, 3 answered 503 (queue full), 15.0 M in memory" in output
    assert "serving, busy 2/8" in output
    assert "always_restart.txt" in output


def test_out_of_band_work_is_told(registry: Registry, answer: dict[str, Any], as_line: AsLine) -> None:
    answer["groups"][0]["processes"][1].update(working=True)
    registry.add("httpd-1", as_line(answer))
    assert "serving, out-of-band work" in run(registry).output


def test_why_a_worker_is_to_be_replaced_is_told(registry: Registry, answer: dict[str, Any], as_line: AsLine) -> None:
    answer["groups"][0].update(waits_for_place=True)
    answer["groups"][0]["processes"][1].update(max_requests_reached=True, too_large=True)
    registry.add("httpd-1", as_line(answer))
    output = run(registry).output
    assert "serving, busy, request limit reached, too large" in output
    assert "waits for a place in the pool" in output


def test_an_app_that_the_full_pool_gives_fewer_workers_is_told(
    registry: Registry, answer: dict[str, Any], as_line: AsLine
) -> None:
    answer["groups"][0].update(pool_full={"wants": 4, "has": 1})
    registry.add("httpd-1", as_line(answer))
    assert "wants 4, has 1: the pool is full" in run(registry).output


def test_an_app_inside_of_a_library_folder_has_a_short_name(
    registry: Registry, answer: dict[str, Any], as_line: AsLine
) -> None:
    root = "/opt/graphite/lib/python3.11/site-packages/graphite/web"
    answer["groups"][0].update(name=root + " (production)", app_root=root)
    registry.add("httpd-1", as_line(answer))
    lines = run(registry).output.splitlines()
    assert "graphite/web (production)" in lines
    assert "  " + root in lines


def test_two_apps_of_one_short_name_keep_their_whole_names(
    registry: Registry, answer: dict[str, Any], as_line: AsLine
) -> None:
    names = ["/%s/site-packages/graphite (production)" % folder for folder in ("a", "b")]
    answer["groups"] = [{**answer["groups"][0], "name": name} for name in names]
    registry.add("httpd-1", as_line(answer))
    lines = run(registry).output.splitlines()
    assert [name for name in names if name in lines] == names


def test_text_of_apps_cannot_steer_the_terminal(registry: Registry, answer: dict[str, Any], as_line: AsLine) -> None:
    answer["groups"][0]["name"] = "evil\x1b]0;owned\x07[bold]"
    registry.add("httpd-1", as_line(answer))
    output = run(registry).output
    assert "\x1b" not in output
    assert "\x07" not in output
    assert "[bold]" in output


def test_apps_of_other_users_are_counted_but_not_listed(
    registry: Registry, answer: dict[str, Any], as_line: AsLine
) -> None:
    answer["pool"]["groups"] = 3
    registry.add("httpd-1", as_line(answer))
    assert "2 apps of other users not shown" in run(registry).output


def test_no_instance_is_said_with_the_folder_that_was_searched(registry: Registry) -> None:
    result = run(registry)
    assert result.exit_code == 1
    assert "No Jumpseat instance runs here" in result.output
    assert str(registry.folder) in result.output


def test_a_folder_that_an_ended_httpd_left_is_no_instance(registry: Registry) -> None:
    registry.add("httpd-1", httpd_pid=ended_pid())
    result = run(registry)
    assert result.exit_code == 1
    assert "No Jumpseat instance runs here" in result.output


def test_a_folder_without_a_readable_instance_file_is_no_instance(registry: Registry) -> None:
    (registry.add("httpd-1") / "instance.json").write_text('["something else"]', encoding="utf-8")
    assert "No Jumpseat instance runs here" in run(registry).output


def test_several_instances_are_listed_instead_of_one_being_guessed(
    registry: Registry, answer: dict[str, Any], as_line: AsLine
) -> None:
    registry.add("httpd-1", as_line(answer))
    registry.add("httpd-2", as_line(answer))
    result = run(registry)
    assert result.exit_code == 1
    assert "Several instances run" in result.output
    assert "httpd-1 (/etc/apache2), httpd-2 (/etc/apache2)" in result.output


def test_one_of_several_instances_can_be_named(registry: Registry, answer: dict[str, Any], as_line: AsLine) -> None:
    registry.add("httpd-1", b"")
    registry.add("httpd-2", as_line(answer))
    assert run(registry, ["httpd-2"]).exit_code == 0


def test_the_pid_of_its_httpd_is_a_name_too(registry: Registry, answer: dict[str, Any], as_line: AsLine) -> None:
    registry.add("httpd-2", as_line(answer))
    assert run(registry, [str(os.getpid())]).exit_code == 0


def test_a_name_that_none_has_is_answered_with_those_that_run(
    registry: Registry, answer: dict[str, Any], as_line: AsLine
) -> None:
    registry.add("httpd-1", as_line(answer))
    result = run(registry, ["httpd-9"])
    assert result.exit_code == 1
    assert "No instance is called httpd-9. Running: httpd-1" in result.output


def test_a_refusal_is_passed_on_in_the_spawners_words(registry: Registry) -> None:
    registry.add("httpd-1", b'{"ok": false, "error": "only root may ask that"}\n')
    result = run(registry)
    assert result.exit_code == 2
    assert "Only root may ask that" in result.output


def test_a_socket_that_nobody_serves_is_no_answer(registry: Registry) -> None:
    registry.add("httpd-1")
    result = run(registry)
    assert result.exit_code == 2
    assert "does not answer" in result.output


@pytest.mark.parametrize(
    "reply", [b"", b'{"ok": tr', b"[]\n", b'{"ok": 1}\n'], ids=["nothing", "cut", "list", "number"]
)
def test_what_is_not_an_answer_is_refused(registry: Registry, reply: bytes) -> None:
    registry.add("httpd-1", reply)
    result = run(registry)
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    assert "The spawner" in result.output


def test_another_schema_asks_for_a_restart_of_apache(
    registry: Registry, answer: dict[str, Any], as_line: AsLine
) -> None:
    answer["schema"] = 2
    registry.add("httpd-1", as_line(answer))
    result = run(registry)
    assert result.exit_code == 2
    assert "restart Apache" in result.output


def test_an_answer_that_lacks_a_promised_part_names_it(
    registry: Registry, answer: dict[str, Any], as_line: AsLine
) -> None:
    del answer["groups"][0]["state"]
    registry.add("httpd-1", as_line(answer))
    result = run(registry)
    assert result.exit_code == 2
    assert "lacks 'state'" in result.output


def test_the_registry_folder_comes_from_passengers_variable(
    registry: Registry, answer: dict[str, Any], as_line: AsLine
) -> None:
    registry.add("httpd-1", as_line(answer))
    variables = {"PASSENGER_INSTANCE_REGISTRY_DIR": str(registry.folder)}
    assert CliRunner().invoke(jumpseat, ["status"], env=variables).exit_code == 0


def test_a_registry_folder_of_another_user_is_not_believed(
    registry: Registry, answer: dict[str, Any], as_line: AsLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.add("httpd-1", as_line(answer))
    if os.getuid() == 0:
        os.chown(registry.folder, 65534, -1)
    else:
        monkeypatch.setattr(os, "getuid", lambda: 65534)
    assert "No Jumpseat instance runs here" in run(registry).output


def test_a_linked_registry_folder_in_the_shared_temporary_folder_is_not_believed(
    registry: Registry, answer: dict[str, Any], as_line: AsLine
) -> None:
    registry.add("httpd-1", as_line(answer))
    link = Path("/tmp") / (registry.folder.name + "-link")
    link.symlink_to(registry.folder)
    try:
        result = CliRunner().invoke(jumpseat, ["status", "--registry", str(link)])
    finally:
        link.unlink()
    assert "No Jumpseat instance runs here" in result.output


def test_argument_and_option_may_name_the_same_instance_and_not_two(
    registry: Registry, answer: dict[str, Any], as_line: AsLine
) -> None:
    registry.add("httpd-1", as_line(answer))
    assert run(registry, ["httpd-1", "--instance", "httpd-1"]).exit_code == 0
    result = run(registry, ["httpd-1", "--instance", "httpd-2"])
    assert (result.exit_code, "not by both" in result.output) == (2, True)


def test_another_process_with_the_pid_of_an_httpd_that_has_ended_is_no_instance(
    registry: Registry, answer: dict[str, Any], as_line: AsLine
) -> None:
    facts = registry.add("httpd-1", as_line(answer)) / "instance.json"
    own = linux.start_ticks(os.getpid())
    assert own is not None
    for ticks, status in ((own, 0), (own - 1, 1)):
        facts.write_text(json.dumps({**json.loads(facts.read_text()), "httpd_start_ticks": ticks}))
        assert run(registry).exit_code == status
