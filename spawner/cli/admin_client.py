"""Asks a spawner's admin socket one question (docs/protocol.md, section 8)."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import Any, Callable, Iterator, Optional

from spawner.cli.program import CommandFailed, NoAnswer, NoSuchApp, NotInTime

ANSWER_LIMIT = 64 * 1024 * 1024  # bytes; an answer is some hundred bytes per process
TIMEOUT = 10.0  # seconds for the whole answer to begin, and between two parts of it

_REFUSALS = {"not_found": NoSuchApp, "failed": CommandFailed}


def ask(admin_socket: Path, command: str, **fields: Any) -> dict[str, Any]:
    """The answer to one command that does not take long.

    :param command: such as `status`.
    :param fields: of the command.
    :raises NoAnswer: the socket cannot be reached, access is denied, or the answer is not one.
    :raises NoSuchApp: no such app or process is known, or it is another user's.
    :raises CommandFailed: the spawner could not do it.
    """
    try:
        return follow(admin_socket, command, lambda _: None, TIMEOUT, **fields)
    except NotInTime:
        text = (
            "The spawner at %s did not answer within %d seconds: it hangs, or it was stopped (`ps -C jumpseat "
            "-o pid,stat` shows T: `kill -CONT` it). Apps continue to serve. Apache replaces a spawner that hangs "
            "after half a minute."
        )
        raise NoAnswer(text % (admin_socket, TIMEOUT)) from None


def follow(
    admin_socket: Path,
    command: str,
    progress: Callable[[dict[str, Any]], None],
    timeout: Optional[float],
    **fields: Any,
) -> dict[str, Any]:
    """The answer to a command that may take long; the steps that it reports meanwhile are passed on.

    :param progress: called with each step.
    :param timeout: seconds for the whole answer; None: without end.
    :raises NotInTime: they have passed; the spawner continues with what it began.
    :raises NoAnswer: as with `ask`; so are the other errors.
    """
    question = json.dumps({"command": command, **fields}).encode() + b"\n"
    try:
        for line in _exchange(admin_socket, question, timeout):
            message = _read_message(line)
            if "progress" not in message:
                return _checked(message)
            progress(message["progress"])
    except PermissionError:
        raise NoAnswer("Access to %s is denied: ask as root, with sudo" % admin_socket) from None
    except socket.timeout:
        raise NotInTime("No end within %g seconds" % (timeout or 0.0)) from None
    except OSError as error:
        raise NoAnswer(
            "The spawner at %s does not answer (%s): it may just be starting; see Apache's error log"
            % (admin_socket, error.strerror)
        ) from None
    raise NoAnswer("The spawner closed the connection without a whole answer: see Apache's error log")


def _exchange(admin_socket: Path, question: bytes, timeout: Optional[float]) -> Iterator[bytes]:
    """The lines of the answer, without the last one where it is cut."""
    deadline = None if timeout is None else time.monotonic() + timeout
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(timeout)
        line.connect(str(admin_socket))
        line.sendall(question)
        waiting = b""
        while True:
            if deadline is not None:
                line.settimeout(max(0.001, deadline - time.monotonic()))
            part = line.recv(65536)
            if not part:
                return
            *whole, waiting = (waiting + part).split(b"\n")
            yield from whole
            if len(waiting) > ANSWER_LIMIT:
                raise NoAnswer("The spawner's answer is longer than %d bytes" % ANSWER_LIMIT)


def _read_message(line: bytes) -> dict[str, Any]:
    try:
        message = json.loads(line)
    except ValueError:
        raise NoAnswer("The spawner closed the connection without a whole answer") from None
    if isinstance(message, dict) and (isinstance(message.get("progress"), dict) or isinstance(message.get("ok"), bool)):
        return message
    raise NoAnswer("The spawner answered something else than a status")


def _checked(answer: dict[str, Any]) -> dict[str, Any]:
    if answer["ok"]:
        return answer
    reason = str(answer.get("error", "the spawner refused without a reason"))
    raise _REFUSALS.get(str(answer.get("kind")), NoAnswer)(reason[:1].upper() + reason[1:])
