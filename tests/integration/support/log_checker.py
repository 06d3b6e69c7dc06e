"""Reads the logs of one httpd, and finds serious lines that no test has declared."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import Pattern

from support.waiting import TIMEOUT, DeadlinePassed, eventually

#: Any line of these levels must have been declared by the test.
SERIOUS = re.compile(r"\[[\w-]*:(warn|error|crit|alert|emerg)\]")
#: Worse than their level says: httpd reports a child's crash as a notice; a sanitizer and libc write to stderr.
ALWAYS_WRONG = re.compile(
    r"AH0005[0-2]:|Sanitizer|runtime error:|Traceback \(most recent|Fatal Python error|"
    r"Segmentation fault|free\(\): |malloc\(\): |double free"
)
#: A report of a sanitizer that has not gone into a file of its own. No test can declare one.
NEVER_RIGHT = re.compile(r"Sanitizer|runtime error:")
#: How the further lines of a message begin.
CONTINUED = "    "
#: Lines that repeat what a hosted app has written; they are the app's own matter.
FROM_AN_APP = re.compile(r"App \d+ output: ")


class LogChecker:
    """Reads every file of a log folder; remembers what was read and what is expected."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: dict[Path, int] = {}
        self._unexplained: list[str] = []
        self._required: list[Pattern[str]] = []
        self._allowed: list[Pattern[str]] = []
        self._seen: list[Pattern[str]] = []
        self._declared_before = False

    def expect(self, pattern: str) -> None:
        """Declare that a serious line matching `pattern` (a regular expression or a number) comes, at least once."""
        self._required.append(re.compile(pattern))

    def allow(self, pattern: str) -> None:
        """Declare that a serious line matching `pattern` may come."""
        self._allowed.append(re.compile(pattern))

    def text(self, name: str = "error.log") -> str:
        """The whole of one log."""
        path = self.folder / name
        return path.read_text(errors="replace") if path.exists() else ""

    def count(self, pattern: str, name: str = "error.log") -> int:
        return len(re.findall(pattern, self.text(name)))

    def wait_for(self, pattern: str, name: str = "error.log", seconds: float = TIMEOUT) -> str:
        """Wait until a line of log `name` matches; return the line."""
        expression = re.compile(pattern)

        def matching_line() -> str:
            return next((line for line in self.text(name).splitlines() if expression.search(line)), "")

        return eventually(matching_line, lambda: f"a line like {pattern!r} in {name}:\n{self.text(name)}", seconds)

    def wait_for_expected(self, seconds: float) -> None:
        """Let lines come that were declared: httpd may log one when its client has been answered."""

        def all_seen() -> bool:
            self.read()
            return not self._missing()

        with suppress(DeadlinePassed):
            eventually(all_seen, "the declared lines", seconds)

    def read(self) -> None:
        """Check the lines that were written since the last reading against what is declared now."""
        for path in sorted(self.folder.glob("*")):
            self._read_more(path)

    def complaints(self) -> list[str]:
        """The serious lines since the last call that nobody has declared, then what was declared but did not come."""
        self.read()
        serious, self._unexplained = self._unexplained, []
        return serious + [f"declared, but not logged: {pattern.pattern}" for pattern in self._missing()]

    def forget_expectations(self) -> None:
        """What one test has declared does not excuse the next one's lines."""
        self._required, self._allowed, self._seen = [], [], []

    def _missing(self) -> list[Pattern[str]]:
        return [pattern for pattern in self._required if pattern not in self._seen]

    def _read_more(self, path: Path) -> None:
        start = self._read.get(path, 0)
        fresh = path.read_bytes()[start:]
        whole_lines = fresh[: fresh.rfind(b"\n") + 1]
        self._read[path] = start + len(whole_lines)
        for line in whole_lines.decode(errors="replace").splitlines():
            self._check_line(path.name, line)

    def _check_line(self, name: str, line: str) -> None:
        if FROM_AN_APP.search(line) or (line.startswith(CONTINUED) and self._declared_before):
            return
        self._declared_before = False
        if not SERIOUS.search(line) and not ALWAYS_WRONG.search(line):
            return
        declared = [pattern for pattern in self._required + self._allowed if pattern.search(line)]
        declared = [] if NEVER_RIGHT.search(line) else declared
        self._seen.extend(declared)
        self._declared_before = bool(declared)
        if not declared:
            self._unexplained.append(f"{name}: {line}")
