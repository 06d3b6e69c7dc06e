"""curl, for what Python's own client cannot speak: HTTP/2."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class CurlAnswer:
    """What curl received; `protocol` is `2` for HTTP/2."""

    status: int
    protocol: str
    head: str
    body: bytes


def curl(url: str, *options: str, stdin: bytes = b"", seconds: float = 30) -> CurlAnswer:
    """Run curl to its end. Raises AssertionError with curl's own words when it fails."""
    marker = b"\n--\n"
    command = [
        "curl",
        "--silent",
        "--show-error",
        "--insecure",
        "--dump-header",
        "/dev/stderr",
        "--write-out",
        f"{marker.decode()}%{{http_code}} %{{http_version}}",
        *options,
        url,
    ]
    run = subprocess.run(command, input=stdin, capture_output=True, timeout=seconds)
    assert run.returncode == 0, f"curl ended with {run.returncode}: {run.stderr.decode(errors='replace')}"
    body, _, facts = run.stdout.rpartition(marker)
    status, protocol = facts.decode().split()
    return CurlAnswer(int(status), protocol, run.stderr.decode("latin-1"), body)


def start_curl(url: str, *options: str, output: Path) -> subprocess.Popen[bytes]:
    """Start curl without buffering; its output goes to a file."""
    with open(output, "wb") as stream:
        return subprocess.Popen(
            ["curl", "--silent", "--no-buffer", "--insecure", *options, url],
            stdout=stream,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
