"""Completion: what shells are given to load, and what they are offered then."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, Callable

import pytest
from click.shell_completion import BashComplete
from instance_registry import Registry

from spawner.cli.install_files import main
from spawner.cli.main import PROGRAMS

AsLine = Callable[[dict[str, Any]], bytes]


def offered(words: list[str], incomplete: str) -> list[str]:
    found = BashComplete(PROGRAMS["jumpseat"], {}, "jumpseat", "_JUMPSEAT_COMPLETE").get_completions(words, incomplete)
    return [item.value for item in found]


@pytest.fixture
def here(registry: Registry, answer: dict[str, Any], as_line: AsLine, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """A registry that is looked at without being named, with one instance."""
    monkeypatch.setenv("PASSENGER_INSTANCE_REGISTRY_DIR", str(registry.folder))
    registry.add("httpd-1", as_line(answer))
    return registry


def test_every_program_has_files_for_bash_and_zsh_that_the_shell_can_read(tmp_path: Path) -> None:
    main(tmp_path / "man", tmp_path)
    for name in PROGRAMS:
        bash = tmp_path / "bash-completion" / "completions" / name
        subprocess.run(["bash", "-n", str(bash)], check=True)
        assert (tmp_path / "zsh" / "site-functions" / ("_" + name)).read_text().startswith("#compdef %s\n" % name)


@pytest.mark.parametrize(
    ("begun", "completed"),
    [
        ("", r"/var/www/shop\ \(production\)"),
        ("/var", r"/var/www/shop\ \(production\)"),
        (r"/var/www/shop\ ", r"/var/www/shop\ \(production\)"),
        ('"/var', "/var/www/shop (production)"),
        ("'/var", "/var/www/shop (production)"),
    ],
)
def test_bash_escapes_a_word_unless_it_is_within_quotes(
    here: Registry, tmp_path: Path, begun: str, completed: str
) -> None:
    main(tmp_path / "man", tmp_path)
    script = """
        PATH=$1:$PATH; source "$2"
        COMP_WORDS=(jumpseat restart-app --name "$3"); COMP_CWORD=3
        _jumpseat_completion jumpseat && printf '%s\\n' "${COMPREPLY[@]}"
    """
    file = tmp_path / "bash-completion" / "completions" / "jumpseat"
    arguments = ["bash", "-c", script, "bash", str(Path(sys.executable).parent), str(file), begun]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == completed + "\n"


def test_app_roots_are_offered_to_restart(here: Registry) -> None:
    assert offered(["restart-app"], "/var/www/s") == ["/var/www/shop"]


def test_group_names_are_offered_as_names(here: Registry) -> None:
    assert offered(["restart-app", "--name"], "") == ["/var/www/shop (production)"]


def test_pids_are_offered_to_detach(here: Registry) -> None:
    assert offered(["detach-process"], "77") == ["777", "778"]


def test_instances_are_offered(here: Registry) -> None:
    assert offered(["memory-stats", "--instance"], "h") == ["httpd-1"]


def test_where_nothing_runs_nothing_is_said(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSENGER_INSTANCE_REGISTRY_DIR", str(registry.folder))
    assert offered(["detach-process"], "") == []
