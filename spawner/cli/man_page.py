"""Writes jumpseat(1) from the commands' own help: `python -m spawner.cli.man_page >jumpseat.1`."""

from __future__ import annotations

import re
import sys

import click

from spawner.cli.main import jumpseat
from spawner.version import VERSION


def man_page(root: click.Group) -> str:
    """The page in man(7)'s macros.

    :param root: the group whose commands it tells.
    """
    name = root.name or "jumpseat"
    lines = ['.TH %s 1 "" "Jumpseat %s"' % (name.upper(), VERSION)]
    lines += [".SH NAME", "%s \\- %s" % (name, _escaped(_first_line(root)))]
    lines += [".SH SYNOPSIS", ".B %s" % name, "COMMAND [OPTIONS]"]
    lines += [".SH COMMANDS"]
    with click.Context(root, info_name=name) as context:
        for command_name in root.list_commands(context):
            lines += _command(root.commands[command_name], context)
    return "\n".join(lines) + "\n"


def _command(command: click.Command, parent: click.Context) -> list[str]:
    with click.Context(command, info_name=command.name, parent=parent) as context:
        usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
        lines = [".SS %s" % _escaped(usage)]
        for paragraph in re.split(r"\n\s*\n", (command.help or "").strip()):
            lines += [_escaped(" ".join(paragraph.split())), ".PP"]
        for parameter in command.get_params(context):
            record = parameter.get_help_record(context)
            if record is not None and isinstance(parameter, click.Option):
                lines += [".TP", ".B %s" % _escaped(record[0]), _escaped(record[1])]
    return lines


def _first_line(command: click.Command) -> str:
    return (command.help or "").strip().split("\n", 1)[0].rstrip(".")


def _escaped(text: str) -> str:
    # A dot or quote that begins a line would be a macro; plain hyphens are to stay copyable.
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text[:1] in (".", "'") else text


if __name__ == "__main__":
    sys.stdout.write(man_page(jumpseat))
