"""Writes what bash and zsh load to complete command lines: `python -m spawner.cli.completion_scripts FOLDER`.

FOLDER is a share folder, such as /usr/local/share, below which both shells look.
"""

from __future__ import annotations

import sys
from pathlib import Path

from click.shell_completion import ZshComplete

from spawner.cli.completion import QuotingBash
from spawner.cli.programs import PROGRAMS

BASH_FOLDER = "bash-completion/completions"
ZSH_FOLDER = "zsh/site-functions"


def scripts() -> dict[str, str]:
    """The files' paths below the share folder, and what they hold."""
    found = {}
    for name, command in PROGRAMS.items():
        variable = "_%s_COMPLETE" % name.replace("-", "_").upper()
        bash, zsh = QuotingBash(command, {}, name, variable), ZshComplete(command, {}, name, variable)
        found["%s/%s" % (BASH_FOLDER, name)] = bash.source_template % bash.source_vars()
        found["%s/_%s" % (ZSH_FOLDER, name)] = zsh.source()
    return found


def main(folder: Path) -> None:
    """Write all of them.

    :param folder: the share folder.
    """
    for name, text in scripts().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
