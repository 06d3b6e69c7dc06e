"""The list of all fuzz targets: the one place that names them. docs/security.md says what each of them checks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Optional

FOLDER = Path(__file__).resolve().parent
CHECKOUT = FOLDER.parents[1]
#: The inputs that are kept: each has once shown something new. Run at each test.
CORPUS = FOLDER / "corpus"
#: What is built, and the inputs that a longer run has found.
BUILD = CHECKOUT / "build" / "fuzz"


@dataclass(frozen=True)
class Target:
    """One fuzz target: `c/<name>_fuzz.c` or `python/<name>_fuzz.py`."""

    name: str
    #: Most bytes of an input.
    longest: int
    #: How much of the time it gets, beside the others.
    share: int = 1
    #: Of C: functions of the linker's `--wrap`.
    wraps: tuple[str, ...] = ()
    #: Of C: it needs all of the module that handles requests, and the stub of httpd.
    is_with_httpd: bool = False

    @property
    def is_c(self) -> bool:
        """Whether libFuzzer runs it; else atheris."""
        return (FOLDER / "c" / (self.name + "_fuzz.c")).exists()

    @property
    def dictionary(self) -> Optional[Path]:
        """Words that the fuzzer puts into inputs."""
        path = FOLDER / ("c" if self.is_c else "python") / (self.name + ".dict")
        return path if path.exists() else None

    @property
    def kept(self) -> Path:
        """The folder of its kept inputs."""
        return CORPUS / self.name

    @property
    def found(self) -> Path:
        """The folder of what longer runs have found."""
        return BUILD / "corpus" / self.name


TARGETS = [
    Target(
        "handler",
        800,
        share=8,
        wraps=(
            *("ppoll", "clock_gettime", "pwrite", "write", "apr_palloc"),
            *("passenger_error_answer", "passenger_spawner_ask", "passenger_spawner_send"),
        ),
        is_with_httpd=True,
    ),
    Target("backend", 600, share=2, wraps=("sendmsg", "recvmsg", "connect")),
    Target("response_head", 1500, share=2),
    Target("response_spool", 400, share=2, wraps=("pwrite", "pread")),
    Target("frames", 600),
    Target("http_body", 600),
    Target("netstring", 900),
    Target("route_cookie", 400),
    Target("control_messages", 400, share=4),
    Target("pool", 300, share=4),
    Target("admin_socket", 300, share=2),
    Target("registration", 500),
    Target("message_limits", 400, share=2),
    Target("wire", 1200),
    Target("chunked_decoder", 600),
    Target("scoreboard", 500),
]
