"""`jumpseat module-config`: the lines that load the module into any httpd."""

from __future__ import annotations

import click


@click.command("module-config")
def module_config() -> None:
    """Print the lines that make an httpd.conf use the module that belongs to this command.

    All paths are absolute; nothing needs to be installed. Example:

    jumpseat module-config > /etc/apache2/mods-available/passenger.load
    """
    from apache_module.build import BuildError, module_config_lines  # brings cffi, which no other command needs

    try:
        lines = module_config_lines()
    except BuildError as error:
        raise click.ClickException(str(error)) from None
    for line in lines:
        click.echo(line)
