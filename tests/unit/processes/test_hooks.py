"""Hooks: which commands are run, with which variables, and what is said of them."""

from __future__ import annotations

from pathlib import Path
from typing import Awaitable, Callable

import pytest

from spawner.logs.log import Log
from spawner.logs.log_writer import LogWriter
from spawner.processes import hooks as hooks_module
from spawner.processes.helper_process import HelperProcesses
from spawner.processes.hooks import HookEvent, Hooks, arguments_of, commands_of
from tests.unit.support.loops import run_with_helper_processes, until

SHOP = HookEvent("spawn_failed", "shop (production)", "/srv/shop", 0, "0123abcd", "No module named 'x'")


def run_hooks(folder: Path, commands: dict[str, str], test: Callable[[Hooks], Awaitable[None]]) -> str:
    """Run a test of hooks; gives the log."""
    log = Log(LogWriter.open(str(folder / "log")))
    log.level = 5

    async def main(processes: HelperProcesses) -> None:
        hooks = Hooks(processes, log)
        hooks.configure(commands)
        await test(hooks)
        await until(lambda: hooks.idle, "the end of all hooks")

    run_with_helper_processes(main)
    log.close()
    return (folder / "log").read_text()


def one(folder: Path, command: str, event: HookEvent = SHOP) -> str:
    async def test(hooks: Hooks) -> None:
        hooks.run(event)

    return run_hooks(folder, {event.name: command}, test)


def test_semicolons_stand_between_commands() -> None:
    assert commands_of(" /bin/a x ;; /bin/b;") == ["/bin/a x", "/bin/b"]


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("/bin/logger -t shop", ("/bin/logger", "-t", "shop")),
        ("/bin/logger 'two words'", ("/bin/logger", "two words")),
        ("notify $PASSENGER_APP_ROOT", ("/bin/sh", "-c", "notify $PASSENGER_APP_ROOT")),
        ("mail root < /dev/null", ("/bin/sh", "-c", "mail root < /dev/null")),
        ("echo 'open", ("/bin/sh", "-c", "echo 'open")),
    ],
)
def test_a_shell_is_taken_only_where_one_is_needed(command: str, arguments: tuple[str, ...]) -> None:
    assert tuple(arguments_of(command)) == arguments


def test_a_program_whose_path_has_spaces_is_executed_as_it_stands(tmp_path: Path) -> None:
    program = tmp_path / "a program"
    program.write_text("#!/bin/sh\n")
    assert arguments_of(str(program)) == (str(program),)


def test_the_commands_are_told_what_has_happened(tmp_path: Path) -> None:
    one(tmp_path, "env > %s/found" % tmp_path)
    found = dict(line.split("=", 1) for line in (tmp_path / "found").read_text().splitlines())
    assert {name: value for name, value in found.items() if name.startswith("PASSENGER_")} == {
        "PASSENGER_HOOK_NAME": "spawn_failed",
        "PASSENGER_APP_ROOT": "/srv/shop",
        "PASSENGER_APP_GROUP_NAME": "shop (production)",
        "PASSENGER_ERROR_ID": "0123abcd",
        "PASSENGER_ERROR_MESSAGE": "No module named 'x'",
    }


def test_the_pid_is_told_where_a_process_is_concerned(tmp_path: Path) -> None:
    one(tmp_path, "echo $PASSENGER_PROCESS_PID > %s/found" % tmp_path, HookEvent("attached_process", "a", "/a", 4711))
    assert (tmp_path / "found").read_text() == "4711\n"


def test_what_an_app_puts_into_the_message_is_no_command(tmp_path: Path) -> None:
    event = HookEvent("spawn_failed", "a", "/a", 0, "", "$(touch %s/hacked)\0`id`" % tmp_path)
    one(tmp_path, 'printf %%s "$PASSENGER_ERROR_MESSAGE" > %s/found' % tmp_path, event)
    assert (tmp_path / "found").read_text() == event.message.replace("\0", "")
    assert not (tmp_path / "hacked").exists()


def test_a_hook_that_is_not_configured_runs_nothing(tmp_path: Path) -> None:
    async def test(hooks: Hooks) -> None:
        hooks.run(SHOP)
        assert hooks.idle

    assert run_hooks(tmp_path, {"attached_process": "/bin/false"}, test) == ""


def test_commands_run_one_after_the_other_and_what_they_print_is_logged(tmp_path: Path) -> None:
    found = one(tmp_path, "sleep 0.2 && echo first; echo second")
    assert found.index("first\n") < found.index("second\n")
    assert "JS3103" in found


def test_after_one_that_fails_the_rest_is_not_run(tmp_path: Path) -> None:
    found = one(tmp_path, "false; touch %s/done" % tmp_path)
    assert "JS3104: hook failed: spawn_failed: false: exit status 1; its further commands are not run" in found
    assert not (tmp_path / "done").exists()


def test_a_command_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert "JS3102: hook cannot be executed: spawn_failed: /no/such: No such file" in one(tmp_path, "/no/such; true")


def test_only_so_many_run_at_a_time_and_all_get_their_turn(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(
        "#!/bin/sh\nmkdir %(f)s/run.$$; ls -d %(f)s/run.* | wc -l >> %(f)s/counts; sleep 0.1; rmdir %(f)s/run.$$\n"
        % {"f": tmp_path}
    )
    script.chmod(0o755)

    async def test(hooks: Hooks) -> None:
        for _ in range(12):
            hooks.run(SHOP)

    run_hooks(tmp_path, {"spawn_failed": str(script)}, test)
    counts = [int(line) for line in (tmp_path / "counts").read_text().split()]
    assert len(counts) == 12
    assert max(counts) <= 4


def test_a_flood_is_cut_with_a_line_that_says_so(tmp_path: Path) -> None:
    async def test(hooks: Hooks) -> None:
        for _ in range(105):
            hooks.run(SHOP)
        hooks.close()

    found = run_hooks(tmp_path, {"spawn_failed": "/bin/true"}, test)
    assert found.count("JS3100") == 1


def test_a_command_that_does_not_end_is_killed_and_the_next_event_has_its_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hooks_module, "_TIMEOUT", 0.05)

    async def test(hooks: Hooks) -> None:
        for _ in range(5):  # one more than run at the same time
            hooks.run(SHOP)

    log = run_hooks(tmp_path, {SHOP.name: "sleep 600; touch %s/never" % tmp_path}, test)
    assert log.count("killed after 0 s") == 5
    assert not (tmp_path / "never").exists()


def test_a_long_message_is_cut_before_the_kernel_refuses_the_command() -> None:
    event = HookEvent("spawn_failed", "shop", "/srv/shop", 0, "0123abcd", "x" * 1_000_000)
    assert len(event.environment()["PASSENGER_ERROR_MESSAGE"]) == 16_384
