"""`jumpseat about`: paths and versions, for scripts."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
from pathlib import Path
from typing import Callable, Optional

import click

from spawner.cli.arguments import json_option
from spawner.cli.instances import registry_folders
from spawner.version import VERSION


def _packages() -> str:
    return str(Path(__file__).resolve().parents[3])


def _module() -> str:
    from apache_module.build import DEFAULT_OUTPUT, MODULE_FILE  # brings cffi, which no other fact needs

    return str(DEFAULT_OUTPUT / MODULE_FILE)


def _apxs() -> str:
    folders = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin"
    return next((found for name in ("apxs2", "apxs") for found in [shutil.which(name, path=folders)] if found), "")


FACTS: dict[str, tuple[str, Callable[[], str]]] = {
    "version": ("the version", lambda: VERSION),
    "root": ("the folder that holds the server's Python packages", _packages),
    "python": ("the interpreter that the spawner and these commands run in", lambda: sys.executable),
    "python-version": ("its version", platform.python_version),
    "module": ("the Apache module that was built with these packages", _module),
    "loaders": ("what runs in the apps' own interpreters", lambda: os.path.join(_packages(), "spawner", "loaders")),
    "registry": ("where the commands look for running instances", lambda: " ".join(map(str, registry_folders()))),
    "apxs": ("Apache's build tool; empty if there is none", _apxs),
}


@click.command(short_help="Show paths and versions of this installation")
@click.argument("what", required=False, type=click.Choice(list(FACTS)), metavar="[WHAT]")
@json_option
def about(what: Optional[str], as_json: bool) -> None:
    """Print the paths and versions of this installation. With WHAT, print only that value, for scripts.

    \b
    WHAT is one of: version, root, python, python-version, module, loaders, registry, apxs.

    Exit status: 0; 2 wrong usage.

    \b
    Example:
      jumpseat about module
    """
    if what is not None:
        value = FACTS[what][1]()
        click.echo(json.dumps({what: value}) if as_json else value)
        return
    values = {name: read() for name, (_, read) in FACTS.items()}
    if as_json:
        click.echo(json.dumps(values, indent=2))
        return
    for name, value in values.items():
        click.echo("%-16s%s" % (name, value))
