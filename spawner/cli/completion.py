"""What a shell offers to complete the words of a command line: instances, apps and processes that run."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterable

import click
from click.shell_completion import BashComplete, CompletionItem, add_completion_class

from spawner.cli.admin_client import ask
from spawner.cli.instances import choose_instance, find_instances, registry_folders


class QuotingBash(BashComplete):
    """Bash's completion for words with spaces, such as the names of groups: outside quotes they are escaped."""

    source_template = BashComplete.source_template.replace(
        "COMPREPLY+=($value)",
        """[[ ${COMP_WORDS[COMP_CWORD]} == [\\"\\']* ]] || printf -v value '%%q' "$value"
            COMPREPLY+=("$value")""",
    )


add_completion_class(QuotingBash, "bash")


def complete_instance(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of instances."""
    found = find_instances(registry_folders(_registry(context)))
    return [CompletionItem(one.name, help=one.server_root) for one in found if one.name.startswith(incomplete)]


def complete_group(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of app groups."""
    return _items((group["name"] for group in _groups(context)), incomplete)


def complete_app_root(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """App roots; where there is none, folders."""
    found = _items(sorted({group["app_root"] for group in _groups(context)}), incomplete)
    return found or [CompletionItem(incomplete, type="dir")]


def complete_process(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Pids of apps' processes."""
    items = [
        CompletionItem(str(process["pid"]), help="%s of %s" % (process["kind"], group["name"]))
        for group in _groups(context)
        for process in group["processes"]
    ]
    return [item for item in items if item.value.startswith(incomplete)]


def complete_app_or_process(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """App roots and pids."""
    roots = _items(sorted({group["app_root"] for group in _groups(context)}), incomplete)
    return roots + complete_process(context, parameter, incomplete)


def _items(values: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(value) for value in values if value.startswith(incomplete)]


def _registry(context: click.Context) -> Any:
    named = context.params.get("registry")
    return Path(named) if named else None


def _groups(context: click.Context) -> list[dict[str, Any]]:
    """The apps of the instance that is meant; none if nothing answers, because completion prints no errors."""
    folders = registry_folders(_registry(context))
    try:
        instance = choose_instance(find_instances(folders), context.params.get("instance"), folders)
        groups: list[dict[str, Any]] = ask(instance.admin_socket, "status")["groups"]
    except (click.ClickException, KeyError):
        return []
    return groups
