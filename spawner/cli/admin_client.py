"""Asks a spawner's admin socket one question (docs/protocol.md, section 8)."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from spawner.cli.errors import NoAnswer

ANSWER_LIMIT = 64 * 1024 * 1024  # bytes; an answer is some hundred bytes per process
PATIENCE = 10.0  # seconds for the whole answer to begin, and between two parts of it


def ask(admin_socket: Path, command: str) -> dict[str, Any]:
    """The answer to one command.

    :param command: such as `status`.
    :raises NoAnswer: the socket cannot be reached, access is denied, or the answer is not one.
    """
    try:
        line = _exchange(admin_socket, json.dumps({"command": command}).encode() + b"\n")
    except PermissionError:
        raise NoAnswer("Access to %s is denied: ask as root, with sudo" % admin_socket) from None
    except socket.timeout:
        raise NoAnswer("The spawner at %s did not answer within %d seconds" % (admin_socket, PATIENCE)) from None
    except OSError as error:
        raise NoAnswer(
            "The spawner at %s does not answer (%s): it may just be starting; Apache's error log says more"
            % (admin_socket, error.strerror)
        ) from None
    return _read_answer(line)


def _exchange(admin_socket: Path, question: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(PATIENCE)
        line.connect(str(admin_socket))
        line.sendall(question)
        answer = bytearray()
        while not answer.endswith(b"\n"):
            part = line.recv(65536)
            if not part:
                break
            answer += part
            if len(answer) > ANSWER_LIMIT:
                raise NoAnswer("The spawner's answer is longer than %d bytes" % ANSWER_LIMIT)
        return bytes(answer)


def _read_answer(line: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(line)
    except ValueError:
        raise NoAnswer("The spawner closed the connection without a whole answer") from None
    if not isinstance(answer, dict) or not isinstance(answer.get("ok"), bool):
        raise NoAnswer("The spawner answered something else than a status")
    if not answer["ok"]:
        raise NoAnswer(str(answer.get("error", "the spawner refused without a reason")))
    return answer
