"""Arguments and options that several commands have: which instance, and which of its apps."""

from __future__ import annotations

import os
import posixpath
from pathlib import Path
from typing import Any, Callable, Iterable, Optional, Sequence, TypeVar

import click

from spawner.cli.admin_client import ask
from spawner.cli.completion import complete_group, complete_instance
from spawner.cli.console import printable, short_names
from spawner.cli.instances import REGISTRY_VARIABLE, Instance, choose_instance, find_instances, registry_folders
from spawner.cli.program import NoSuchApp

AppGroup = dict[str, Any]  # of the status answer: at least `name` and `app_root`

Function = TypeVar("Function", bound=Callable[..., Any])


class NonEmptyText(click.types.StringParamType):
    """Text that is not empty: what a script's unset variable leaves (`restart-app "$APP"`) names nothing."""

    def convert(self, value: Any, param: Optional[click.Parameter], ctx: Optional[click.Context]) -> Any:
        """The text itself.

        :raises click.BadParameter: it is empty.
        """
        if value == "":
            self.fail("it is empty.", param, ctx)
        return super().convert(value, param, ctx)


class FolderPath(click.Path):
    """The name of a folder, which need not be there; not empty."""

    def __init__(self) -> None:
        super().__init__(path_type=Path, file_okay=False)

    def convert(self, value: Any, param: Optional[click.Parameter], ctx: Optional[click.Context]) -> Any:
        """The path.

        :raises click.BadParameter: it is empty, or names a file.
        """
        return super().convert(NON_EMPTY.convert(value, param, ctx) if isinstance(value, str) else value, param, ctx)


NON_EMPTY = NonEmptyText()
registry_option = click.option(
    "--registry",
    type=FolderPath(),
    metavar="DIRECTORY",
    help="The folder that PassengerInstanceRegistryDir names. Can also be set in %s." % REGISTRY_VARIABLE,
)

instance_option = click.option(
    "--instance",
    type=NON_EMPTY,
    metavar="NAME",
    shell_complete=complete_instance,
    help="The name (httpd-1203) or httpd's pid of the instance. Needed when several run.",
)

group_name_option = click.option(
    "--name",
    "group_name",
    type=NON_EMPTY,
    metavar="GROUP",
    shell_complete=complete_group,
    help="The name of the app group.",
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs (docs/tools.md).")


def instance_options(function: Function) -> Function:
    """The options that say which instance is meant: `instance` and `registry`."""
    return registry_option(instance_option(function))


def named_instance(name: Optional[str], instance: Optional[str], registry: Optional[Path]) -> Instance:
    """The instance that is meant, where an argument may name it, too.

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


def app_fields(instance: Instance, app: Optional[str], pids_too: bool = False) -> dict[str, Any]:
    """The apps that the user names, as fields of a command (docs/protocol.md, section 8).

    :param app: an app group's name, a path at or above the app roots, or None: all.
    :param pids_too: a number means a process.
    :raises NoSuchApp: nothing of that name runs.
    """
    if app is None:
        return {}
    if pids_too and app.isdecimal():
        return {"pid": int(app)}
    groups = ask(instance.admin_socket, "status")["groups"]
    if any(group["name"] == app for group in groups):
        return {"name": app}
    return {"name": [group["name"] for group in apps_at_path(groups, app)]}


def apps_named(groups: Sequence[AppGroup], name: str) -> list[AppGroup]:
    """The group of this name, which may be the short one of a page.

    :raises NoSuchApp: there is none.
    """
    found = [group for group in groups if group["name"] == name]
    if not found:
        short = short_names(group["name"] for group in groups)
        found = [group for group in groups if short[group["name"]] == name]
    return found or _no_such_app("No app group is called %s" % name, groups)


def apps_at_path(groups: Sequence[AppGroup], path: str) -> list[AppGroup]:
    """The groups whose app root is the path or lies below it; if there are none, those in whose app root it lies.

    :param path: relative to the working directory. Symbolic links count both as they are written and as they lead.
    :raises NoSuchApp: there are none.
    """
    for spelled in _spellings(path):
        found = [group for group in groups if _contains(spelled, group["app_root"])]
        if found:
            return found
    return apps_around(groups, path) or _no_such_app("No app runs from %s or below" % os.path.abspath(path), groups)


def apps_around(groups: Sequence[AppGroup], path: str) -> list[AppGroup]:
    """The groups in whose app root the path lies; of app roots inside one another, the innermost."""
    for spelled in _spellings(path):
        roots = [group["app_root"] for group in groups if _contains(group["app_root"], spelled)]
        if roots:
            innermost = max(roots, key=len)
            return [group for group in groups if group["app_root"] == innermost]
    return []


def apps_with_root_prefix(groups: Sequence[AppGroup], prefix: str) -> list[AppGroup]:
    """The groups whose app root begins with a text, as Passenger takes it: `/srv/a` also means `/srv/ab`.

    :raises NoSuchApp: there are none.
    """
    text = os.environ.get("PWD", os.getcwd()) if prefix == "." else prefix
    found = [group for group in groups if group["app_root"].startswith(text)]
    return found or _no_such_app("No app runs whose root begins with %s" % text, groups)


def app_from_menu(groups: Sequence[AppGroup], ask_for: Callable[[str, int], int]) -> list[AppGroup]:
    """The group that the user picks.

    :param ask_for: shows a question and gives a number between 0 and the other argument.
    :raises NoSuchApp: there is none to pick.
    :raises click.Abort: the user takes none.
    """
    if not groups:
        _no_such_app("No app runs", groups)
    lines = ["%3d  %s" % (number, printable(group["name"])) for number, group in enumerate(groups, 1)]
    number = ask_for("\n".join(["Which app is to be restarted?", *lines, "  0  none"]), len(groups))
    if number == 0:
        raise click.Abort()
    return [groups[number - 1]]


def _spellings(path: str) -> Iterable[str]:
    """An absolute path as the user's shell knows it, and with every link resolved."""
    shell = os.environ.get("PWD", "")
    here = shell if shell and os.path.realpath(shell) == os.getcwd() else os.getcwd()
    return dict.fromkeys([posixpath.normpath(posixpath.join(here, path)), os.path.realpath(path)])


def _contains(folder: str, path: str) -> bool:
    return path.rstrip("/") == folder.rstrip("/") or path.startswith(folder.rstrip("/") + "/")


def _no_such_app(reason: str, groups: Sequence[AppGroup]) -> list[AppGroup]:
    raise NoSuchApp("%s. %s" % (reason, list_of_apps(groups)))


def list_of_apps(groups: Sequence[AppGroup], limit: Optional[int] = 30) -> str:
    """The apps that run, for an error's message."""
    if not groups:
        return "No app of yours is known: an app is known from its first request after Apache's start on."
    names = [printable(group["name"]) for group in groups[:limit]]
    more = ["... and %d more" % (len(groups) - len(names))] * (len(groups) > len(names))
    return "Apps that are known:\n  " + "\n  ".join(names + more)
