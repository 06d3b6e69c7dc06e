"""Where pages for people go: colours and folded lines on a terminal only, and no colours where NO_COLOR is set."""

from __future__ import annotations

import os
import re
import sys
from typing import IO, Any, Optional, cast

from rich.console import Console

from spawner.cli.page_table import UNBOUNDED


def page_console(force_colors: bool = False, file: Optional[IO[str]] = None) -> Console:
    """A console for a page.

    :param force_colors: as on a terminal, whatever the output is.
    :param file: standard output by default.
    """
    output = sys.stdout if file is None else file
    console = Console(file=output, highlight=False, emoji=False, markup=False, **_colors(force_colors))
    if output.isatty():
        return console
    plain = cast(IO[str], WithoutTrailingBlanks(output))
    return Console(file=plain, highlight=False, emoji=False, markup=False, width=UNBOUNDED, **_colors(force_colors))


def _colors(forced: bool) -> dict[str, Any]:
    if forced:
        return {"force_terminal": True}
    return {"color_system": None} if os.environ.get("NO_COLOR") else {}


class WithoutTrailingBlanks:
    """An output for programs and files: a page pads its lines, and nobody wants that there.

    :param output: what is written goes there.
    """

    def __init__(self, output: IO[str]) -> None:
        self._output = output

    def write(self, text: str) -> int:
        """Write whole lines."""
        return self._output.write(re.sub(r"[ \t]+(?=\n|\Z)", "", text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._output, name)
