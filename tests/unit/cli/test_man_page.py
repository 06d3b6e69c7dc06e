"""The manual page, made from the commands' help."""

from __future__ import annotations

import click

from spawner.cli.main import jumpseat
from spawner.cli.man_page import man_page


def test_every_command_and_option_is_in_the_page() -> None:
    page = man_page(jumpseat)
    for name, command in jumpseat.commands.items():
        assert ".SS jumpseat %s" % name.replace("-", "\\-") in page
        for parameter in command.params:
            for option in parameter.opts if isinstance(parameter, click.Option) else []:
                assert option.replace("-", "\\-") in page


def test_text_that_looks_like_a_macro_stays_text() -> None:
    group = click.Group("tool", help="A tool.")
    group.add_command(click.Command("go", help=".so /etc/passwd\n\n'quoted \\n text"))
    page = man_page(group)
    assert "\n\\&.so /etc/passwd\n" in page
    assert "\n\\&'quoted \\en text\n" in page
