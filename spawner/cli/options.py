"""Options that several commands have, each said once."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Optional, TypeVar

import click

from spawner.cli.completion import complete_instance
from spawner.cli.instances import REGISTRY_VARIABLE, Instance, choose_instance, find_instances, registry_folders

Function = TypeVar("Function", bound=Callable[..., Any])

registry_option = click.option(
    "--registry",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder that PassengerInstanceRegistryDir names; also %s." % REGISTRY_VARIABLE,
)

instance_option = click.option(
    "--instance",
    metavar="NAME",
    shell_complete=complete_instance,
    help="Where several Apaches run: the name (httpd-1203) or the pid of its httpd.",
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs (docs/tools.md).")


def of_an_instance(function: Function) -> Function:
    """The options that say which instance is meant: `instance` and `registry`."""
    return registry_option(instance_option(function))


def chosen_instance(name: Optional[str], registry: Optional[Path]) -> Instance:
    """The instance that these options mean.

    :raises NoInstance: there is none, there are several, or none has the name.
    """
    folders = registry_folders(registry)
    return choose_instance(find_instances(folders), name, folders)
