"""Options that several commands have, each said once."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Optional, TypeVar

import click

from spawner.cli.completion import complete_instance
from spawner.cli.instances import REGISTRY_VARIABLE, Instance, choose_instance, find_instances, registry_folders

Function = TypeVar("Function", bound=Callable[..., Any])


class Word(click.types.StringParamType):
    """Text that is not empty: what a script's unset variable leaves (`restart-app "$APP"`) names nothing."""

    def convert(self, value: Any, param: Optional[click.Parameter], ctx: Optional[click.Context]) -> Any:
        """The text itself.

        :raises click.BadParameter: it is empty.
        """
        if value == "":
            self.fail("it is empty.", param, ctx)
        return super().convert(value, param, ctx)


class Folder(click.Path):
    """The name of a folder, which need not be there; not empty."""

    def __init__(self) -> None:
        super().__init__(path_type=Path, file_okay=False)

    def convert(self, value: Any, param: Optional[click.Parameter], ctx: Optional[click.Context]) -> Any:
        """The path.

        :raises click.BadParameter: it is empty, or names a file.
        """
        return super().convert(WORD.convert(value, param, ctx) if isinstance(value, str) else value, param, ctx)


WORD = Word()
registry_option = click.option(
    "--registry",
    type=Folder(),
    metavar="DIRECTORY",
    help="The folder that PassengerInstanceRegistryDir names. Can also be set in %s." % REGISTRY_VARIABLE,
)

instance_option = click.option(
    "--instance",
    type=WORD,
    metavar="NAME",
    shell_complete=complete_instance,
    help="The name (httpd-1203) or httpd's pid of the instance. Needed when several run.",
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs (docs/tools.md).")


def of_an_instance(function: Function) -> Function:
    """The options that say which instance is meant: `instance` and `registry`."""
    return registry_option(instance_option(function))


def named_instance(name: Optional[str], instance: Optional[str], registry: Optional[Path]) -> Instance:
    """The same where an argument may name it, too.

    :raises click.UsageError: argument and option name two.
    """
    if name is not None and instance is not None and name != instance:
        raise click.UsageError("Name the instance by NAME or by --instance, not by both.")
    return chosen_instance(name or instance, registry)


def chosen_instance(name: Optional[str], registry: Optional[Path]) -> Instance:
    """The instance that these options mean.

    :raises NoInstance: there is none, or none has the name.
    :raises SeveralInstances: nothing says which one.
    """
    folders = registry_folders(registry)
    return choose_instance(find_instances(folders), name, folders)
