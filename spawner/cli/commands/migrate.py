"""`jumpseat migrate`: a virtual host from the configuration of Puma or Unicorn."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import textwrap
from pathlib import Path
from typing import Iterator, Optional, Sequence

import click

from spawner.cli.arguments import NON_EMPTY, FolderPath, json_option
from spawner.cli.console import printable
from spawner.cli.migration.conversion import DirectiveLine, Migration, Remark, convert
from spawner.cli.migration.evaluation import app_root_of, environment_of, evaluate, find_files
from spawner.cli.migration.words import TITLES

_WIDTH = 100  # columns of a comment
_PLAIN = re.compile(r"[\w./:@%+,-]+")  # a value that needs no quotation marks


@click.command(short_help="Convert a configuration of Puma or Unicorn")
@click.argument("files", nargs=-1, metavar="[FILE]...", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--app-root", type=FolderPath(), metavar="DIRECTORY", help="The app's folder.")
@click.option("--environment", type=NON_EMPTY, metavar="NAME", help="The environment, such as production.")
@click.option("--ruby", type=NON_EMPTY, default="ruby", metavar="PROGRAM", help="The Ruby that evaluates the file.")
@click.option("--server-name", type=NON_EMPTY, default="www.example.com", metavar="NAME", help="The name of the site.")
@json_option
def migrate(
    files: tuple[Path, ...],
    app_root: Optional[Path],
    environment: Optional[str],
    ruby: str,
    server_name: str,
    as_json: bool,
) -> None:
    """Print a virtual host that serves an app as Puma or Unicorn does now, from its configuration FILE.

    Without FILE, it is the one that Puma or Unicorn reads: config/puma/NAME.rb (of the environment), config/puma.rb,
    puma.rb, or the same for unicorn. Ruby evaluates the file, with the rights of the user who runs the command. So
    run it as the owner of the app. Nothing is changed.

    Behind the virtual host, comments say what needs nothing, and what has no equivalent and what to do about it.

    Exit status: 0; 1 there is no file, or it cannot be evaluated; 2 wrong usage.

    \b
    Examples:
      jumpseat migrate > shop.conf
      sudo -u shop jumpseat migrate /srv/shop/config/puma.rb --server-name shop.example
    """
    root = (app_root or (app_root_of(files[0]) if files else Path())).absolute()
    name = environment or environment_of(os.environ)
    recording = evaluate(files or find_files(root, name), root, name, ruby)
    migration = convert(recording, root, name, os.environ)
    if as_json:
        click.echo(json.dumps({**dataclasses.asdict(migration), "app_root": str(migration.app_root)}, indent=2))
        return
    click.echo(printable("\n".join(_page(migration, recording.files, server_name))))


def _page(migration: Migration, files: Sequence[Path], server_name: str) -> Iterator[str]:
    yield from _comment("From %s of %s." % (", ".join(map(str, files)), TITLES[migration.server]))
    start = DirectiveLine("PassengerPreStart", "http://%s/" % server_name, "the app starts together with Apache")
    yield from _directives([start, *migration.server_lines], "")
    public = migration.app_root / "public"
    yield "<VirtualHost *:80>"
    yield "    ServerName %s" % _quoted(server_name)
    yield "    DocumentRoot %s" % _quoted(str(public))
    yield "    <Directory %s>" % _quoted(str(public))
    yield "        Require all granted"
    yield "    </Directory>"
    yield "    PassengerEnabled On"
    yield from _directives(migration.lines, "    ")
    yield "</VirtualHost>"
    yield from _remarks("These need nothing:", migration.unneeded)
    yield from _remarks("These have no equivalent, or something is to be done:", migration.remarks)


def _directives(lines: Sequence[DirectiveLine], indent: str) -> Iterator[str]:
    reason = ""
    for line in lines:
        if line.reason != reason:
            yield from _comment(line.reason, indent)
        reason = line.reason
        yield "%s%s %s" % (indent, line.directive, _quoted(line.value))


def _remarks(title: str, remarks: Sequence[Remark]) -> Iterator[str]:
    if remarks:
        yield ""
        yield "# " + title
    for remark in remarks:
        yield from _comment("%s: %s" % (remark.place, remark.source), rest="    ")
        yield from _comment(remark.advice, inner="    ")


def _comment(text: str, indent: str = "", inner: str = "", rest: str = "") -> Iterator[str]:
    """Comment lines. None ends with a backslash, which would continue it in the next line."""
    first, following = "%s# %s" % (indent, inner), "%s# %s" % (indent, inner or rest)
    for line in textwrap.wrap(" ".join(text.split()), _WIDTH, initial_indent=first, subsequent_indent=following):
        yield line + "." if line.endswith("\\") else line


def _quoted(value: str) -> str:
    """A value as Apache reads it: one word on one line."""
    one_line = " ".join(value.split()) if "\n" in value or "\r" in value else value
    return one_line if _PLAIN.fullmatch(one_line) else '"%s"' % one_line.replace("\\", "\\\\").replace('"', '\\"')
