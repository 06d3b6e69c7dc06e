"""What `make install` writes from the commands' own help: manual pages, and what bash and zsh complete with.

`python -m spawner.cli.install_files MAN SHARE`: MAN is a folder for manual pages, such as /usr/local/share/man/man1;
SHARE is a share folder, such as /usr/local/share, below which both shells look.
"""

from __future__ import annotations

import re
import sys
import textwrap
from pathlib import Path
from typing import Iterator

import click
from click.shell_completion import ZshComplete

from spawner.cli.completion import QuotingBash
from spawner.cli.main import PROGRAMS
from spawner.shared.constants import REGISTRY_OF_ROOT
from spawner.version import VERSION

BASH_FOLDER = "bash-completion/completions"
ZSH_FOLDER = "zsh/site-functions"

_AS_TYPED = "\b"  # click's mark of a paragraph whose lines stay as they are
_ENVIRONMENT = (
    ("PASSENGER_INSTANCE_REGISTRY_DIR", "The registry folder, where --registry is not given."),
    ("NO_COLOR", "Set to anything: no colours (https://no-color.org)."),
)
_FILES = ((REGISTRY_OF_ROOT + "/httpd-<pid>", "The folder of a running instance."),)


def man_page(root: click.Command) -> str:
    """The page of a program in man(7)'s macros.

    :param root: its command; the subcommands of a group are sections of the same page.
    """
    name = root.name or "jumpseat"
    lines = ['.TH %s 1 "" "Jumpseat %s"' % (name.upper(), VERSION)]
    lines += [".SH NAME", "%s \\- %s" % (_escaped(name), _escaped(_first_line(root)))]
    with click.Context(root, info_name=name) as context:
        lines += [".SH SYNOPSIS", ".B %s" % _escaped(name)]
        lines.append(_escaped(" ".join(root.collect_usage_pieces(context))))
        lines += [".SH DESCRIPTION", *_paragraphs(root)]
        lines += [".SH OPTIONS", *_options(root, context)]
        if isinstance(root, click.Group):
            lines.append(".SH COMMANDS")
            for command_name in root.list_commands(context):
                lines += _command(command_name, root.commands[command_name], context)
    for title, entries in (("ENVIRONMENT", _ENVIRONMENT), ("FILES", _FILES)):
        lines.append(".SH %s" % title)
        for word, meaning in entries:
            lines += [".TP", ".B %s" % _escaped(word), _escaped(meaning)]
    others = ", ".join("%s(1)" % other for other in PROGRAMS if other != name)
    lines += [".SH SEE ALSO", _escaped(others)]
    return "\n".join(lines) + "\n"


def _command(name: str, command: click.Command, parent: click.Context) -> list[str]:
    with click.Context(command, info_name=name, parent=parent) as context:
        usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
        return [".SS %s" % _escaped(usage), *_paragraphs(command), *_options(command, context)]


def _paragraphs(command: click.Command) -> Iterator[str]:
    for paragraph in re.split(r"\n\s*\n", (command.help or "").strip()):
        head, mark, typed = paragraph.partition(_AS_TYPED + "\n")
        if mark and not head.strip():
            yield ".nf"
            yield from (_escaped(line.rstrip()) for line in textwrap.dedent(typed).splitlines())
            yield ".fi"
        else:
            yield _escaped(" ".join(paragraph.split()))
        yield ".PP"


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and isinstance(parameter, click.Option):
            yield from (".TP", ".B %s" % _escaped(record[0]), _escaped(record[1]))


def _first_line(command: click.Command) -> str:
    text = re.split(r"\n\s*\n", (command.help or "").strip())[0]
    return " ".join(text.split()).split(". ")[0].rstrip(".")


def _escaped(text: str) -> str:
    # A dot or quote that begins a line would be a macro; plain hyphens are to stay copyable.
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text[:1] in (".", "'") else text


def completion_scripts() -> dict[str, str]:
    """What each file holds, by its path below the share folder."""
    found = {}
    for name, command in PROGRAMS.items():
        variable = "_%s_COMPLETE" % name.replace("-", "_").upper()
        bash, zsh = QuotingBash(command, {}, name, variable), ZshComplete(command, {}, name, variable)
        found["%s/%s" % (BASH_FOLDER, name)] = bash.source_template % bash.source_vars()
        found["%s/_%s" % (ZSH_FOLDER, name)] = zsh.source()
    return found


def main(man_folder: Path, share_folder: Path) -> None:
    """Write all files; folders are made when they are missing."""
    man_folder.mkdir(parents=True, exist_ok=True)
    for name, command in PROGRAMS.items():
        (man_folder / ("%s.1" % name)).write_text(man_page(command), encoding="utf-8")
    for name, text in completion_scripts().items():
        path = share_folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
