"""`jumpseat validate-install`: checks the installation, and says how to repair what is wrong."""

from __future__ import annotations

import json
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Optional, Sequence

import click
from rich.console import Console

from spawner.cli.arguments import json_option, registry_option
from spawner.cli.checks.apache import Apache, Module
from spawner.cli.checks.confinement import PrivateFolders, SecurityModule
from spawner.cli.checks.findings import Check, exit_status, report
from spawner.cli.checks.folders import RegistryFolders, SpawnerConfiguration
from spawner.cli.checks.installation import Packages, Permissions
from spawner.cli.checks.running import Running
from spawner.cli.console import page_console
from spawner.cli.instances import registry_folders
from spawner.shared.constants import SPAWNER_CONFIGURATION

CHECKS_FAILED = 9


@click.command("validate-install", short_help="Check the installation and say how to repair it")
@click.option("--auto", is_flag=True, help="No effect: this command never asks anything.")
@click.option("--httpd", metavar="PROGRAM", help="Check this httpd or apachectl.")
@click.option("--config", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Its httpd.conf.")
@click.option("--spawner-conf", type=click.Path(path_type=Path), help="The spawner.conf to check.")
@json_option
@registry_option
def validate_install(
    auto: bool,
    httpd: Optional[str],
    config: Optional[Path],
    spawner_conf: Optional[Path],
    as_json: bool,
    registry: Optional[Path],
) -> None:
    """Check the installation. For each fault, say how to repair it. Nothing is changed.

    The command checks the interpreter and its packages, the module, the Apache that loads it, folders and their
    permissions, SELinux, PrivateTmp, and the running instances.

    Exit status: 0 no fault; 1 at least one error; 2 only warnings, or wrong usage; 9 the checks themselves failed.

    \b
    Example:
      sudo jumpseat validate-install
    """
    checks = standard_checks(Apache(httpd, config), registry_folders(registry), spawner_conf)
    validate(checks, as_json, page_console(), summary=True)


def standard_checks(apache: Apache, folders: Sequence[Path], spawner_conf: Optional[Path] = None) -> list[Check]:
    """Every check, in the order in which an installation is made.

    :param folders: where instances are looked for.
    """
    return [
        Packages(),
        Module(apache),
        SpawnerConfiguration(spawner_conf or Path(SPAWNER_CONFIGURATION), needed=spawner_conf is not None),
        RegistryFolders(folders),
        Permissions(Path(__file__).resolve().parents[3]),
        SecurityModule(),
        PrivateFolders(folders[0]),
        Running(folders),
    ]


def validate(checks: Sequence[Check], as_json: bool, console: Console, summary: bool) -> None:
    """Run the checks, print what they find, and end the program with the exit status that follows."""
    try:
        found = [finding for check in checks for finding in check.run()]
    except Exception:  # noqa: BLE001 - the boundary of this command: a check that fails is no finding of an installation
        click.echo(traceback.format_exc(), err=True)
        raise SystemExit(CHECKS_FAILED) from None
    status = exit_status(found)
    if as_json:
        click.echo(json.dumps({"status": status, "findings": [asdict(finding) for finding in found]}, indent=2))
    else:
        report(found, console, summary)
    raise SystemExit(status)
