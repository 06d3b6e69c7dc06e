"""Writes what is generated from the tables and the log lines: `python -m apache_module.generate [--check]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from apache_module import app_types, render_c, render_log_messages, render_markdown, render_python
from apache_module.constants import CONSTANTS, c_header, python_module
from apache_module.directives import DIRECTIVES, HOOKS

CHECKOUT = Path(__file__).resolve().parent.parent


def generated_files() -> dict[str, str]:
    """The text of each generated file, by its path below the checkout."""
    return {
        "apache_module/src/config/generated/app_types.h": app_types.c_header(),
        "apache_module/src/config/generated/options.h": render_c.header(DIRECTIVES),
        "apache_module/src/config/generated/options.c": render_c.source(DIRECTIVES),
        "apache_module/src/config/generated/commands.c": render_c.commands(DIRECTIVES),
        "apache_module/src/core/generated/constants.h": c_header(CONSTANTS),
        "docs/directives.md": render_markdown.page(DIRECTIVES),
        "docs/log-messages.md": render_log_messages.page(CHECKOUT),
        "spawner/app_types.py": app_types.python_module(),
        "spawner/options.py": render_python.module(DIRECTIVES, HOOKS),
        "spawner/shared/constants.py": python_module(CONSTANTS),
    }


def outdated(checkout: Path = CHECKOUT) -> list[str]:
    """The generated files that are missing, or that differ from what the table gives."""
    names = []
    for name, text in generated_files().items():
        path = checkout / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            names.append(name)
    return names


def write(checkout: Path = CHECKOUT) -> None:
    """Write every generated file."""
    for name, text in generated_files().items():
        path = checkout / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def main() -> int:
    """The command line: 0 when all is written or, with --check, current; else 1."""
    parser = argparse.ArgumentParser(prog="python -m apache_module.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file is not current")
    if not parser.parse_args().check:
        write()
        return 0
    names = outdated()
    for name in names:
        print("%s is not current: run python -m apache_module.generate" % name, file=sys.stderr)
    return 1 if names else 0


if __name__ == "__main__":
    sys.exit(main())
