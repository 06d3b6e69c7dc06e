"""`jumpseat module-config`: the lines that load the module into any httpd."""

from __future__ import annotations

import json

import click

from spawner.cli.arguments import json_option


@click.command("module-config", short_help="Print the configuration lines that load the module")
@json_option
def module_config(as_json: bool) -> None:
    """Print the lines for an httpd.conf that load the module of this installation.

    All paths in the lines are absolute. They also work for a checkout that was built but not installed.

    Exit status: 0; 1 the module is not built; 2 wrong usage.

    \b
    Example:
      jumpseat module-config > /etc/apache2/mods-available/passenger.load
    """
    from apache_module.build import BuildError, module_config_lines  # brings cffi, which no other command needs

    try:
        lines = module_config_lines()
    except BuildError as error:
        raise click.ClickException(str(error)) from None
    click.echo(json.dumps({"lines": lines}) if as_json else "\n".join(lines))
