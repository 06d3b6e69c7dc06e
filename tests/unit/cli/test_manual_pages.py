"""The manual page, made from the commands' help."""

from __future__ import annotations

from pathlib import Path

import click

from spawner.cli.install_files import main, man_page
from spawner.cli.main import PROGRAMS, jumpseat


def test_every_command_and_option_is_in_the_page() -> None:
    page = man_page(jumpseat)
    for name, command in jumpseat.commands.items():
        assert ".SS jumpseat %s" % name.replace("-", "\\-") in page
        for parameter in command.params:
            for option in parameter.opts if isinstance(parameter, click.Option) else []:
                assert option.replace("-", "\\-") in page


def test_every_program_has_a_page_that_names_its_commands(tmp_path: Path) -> None:
    main(tmp_path, tmp_path / "share")
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {"%s.1" % name for name in PROGRAMS}
    assert ".SS passenger\\-config restart\\-app" in (tmp_path / "passenger-config.1").read_text()


def test_examples_stay_as_they_are_typed() -> None:
    page = man_page(click.Command("tool", help="A tool.\n\n\b\nExample:\n  tool  --fast"))
    assert ".nf\nExample:\n  tool  \\-\\-fast\n.fi\n" in page


def test_text_that_looks_like_a_macro_stays_text() -> None:
    group = click.Group("tool", help="A tool.")
    group.add_command(click.Command("go", help=".so /etc/passwd\n\n'quoted \\n text"))
    page = man_page(group)
    assert "\n\\&.so /etc/passwd\n" in page
    assert "\n\\&'quoted \\en text\n" in page
