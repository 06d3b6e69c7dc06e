"""Our commands against one server, also as another user and on a terminal."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

from support.httpd import Httpd
from support.module_lines import REPOSITORY
from support.status import run_command

#: The user's rights are taken on when everything has been imported: the checkout may lie where they cannot read.
AS_USER = """
import io, os, pwd, sys
sys.path.insert(0, sys.argv.pop(1))
from rich.console import Console
from rich.progress import Progress
from spawner.cli.main import PROGRAMS
with Progress(console=Console(file=io.StringIO(), force_terminal=True)) as bars:
    bars.add_task("x")
user, program = pwd.getpwnam(sys.argv.pop(1)), sys.argv.pop(1)
os.setgroups([]); os.setgid(user.pw_gid); os.setuid(user.pw_uid)
PROGRAMS[program](prog_name=program)
"""


#: Executes a program that Ctrl-C ends, also where these tests run in the background of a script, which ignores it.
INTERRUPTIBLE = ["env", "--default-signal=INT"]


def run_as(server: Httpd, user: str, *arguments: str, program: str = "jumpseat") -> subprocess.CompletedProcess[str]:
    """Run one of our commands with the rights of another user."""
    command = [sys.executable, "-c", AS_USER, str(REPOSITORY), user, program, *arguments]
    return subprocess.run(
        [*command, "--registry", str(server.run_folder)], capture_output=True, text=True, timeout=60, cwd="/"
    )


def told(server: Httpd, *arguments: str, program: str = "jumpseat") -> Any:
    """What a command prints as JSON. Raises AssertionError with its words when it fails."""
    answer = run_command(server, *arguments, program=program)
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)


class OnTerminal:
    """A command whose input and output are a terminal; `typed` goes in, `text` is all that came."""

    def __init__(self, server: Httpd, *arguments: str, folder: Path = Path("/")) -> None:
        program = Path(sys.executable).parent / "jumpseat"
        self.text = ""
        self._terminal, theirs = pty.openpty()
        self._process = subprocess.Popen(
            [*INTERRUPTIBLE, str(program), *arguments, "--registry", str(server.run_folder)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=folder,
            start_new_session=True,
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TERM": "xterm", "COLUMNS": "120", "LINES": "50"},
        )
        os.close(theirs)

    def type(self, text: str) -> None:
        """Type something."""
        os.write(self._terminal, text.encode())

    def read_until(self, text: str) -> None:
        """Read until it has shown this. Raises AssertionError when it ends before."""
        while text not in self.text:
            assert self._read(), self.text

    def interrupt(self) -> None:
        """Ctrl-C."""
        self._process.send_signal(2)

    def end(self) -> int:
        """Read all that comes and give its exit status."""
        while self._read():
            pass
        os.close(self._terminal)
        return self._process.wait(30)

    def _read(self) -> bool:
        try:
            data = os.read(self._terminal, 65536)
        except OSError:  # how a terminal's end of file looks on Linux
            return False
        self.text += data.decode(errors="replace")
        return bool(data)
