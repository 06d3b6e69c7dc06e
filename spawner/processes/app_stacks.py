"""Stacks as an operator wants to read them: the app's own calls, without those of the server below them.

A process writes all that it is in (docs/decisions/012-stacks-by-a-signal.md); what is shown of that is decided here.
"""

from __future__ import annotations

import re
from typing import Optional

_FRAME = re.compile(r'  File "(.*)", line (?:\d+|\?\?\?) in (.+)\Z')
# What a thread waits for that is in no code of the app, by the innermost call: its file and function.
WAITS = {
    ("loaders/python/worker.py", "_accept_connections"): "waits for its next request",
    ("loaders/python/executors/thread_executor.py", "_run"): "waits for its next request",
    ("loaders/python/core/signal_queue.py", "wait"): "waits for the requests of the other threads to end",
    ("loaders/python/preloader.py", "_step"): "waits until another worker is needed",
    ("loaders/python/core/control_line.py", "_receive"): "waits for the spawner",
    ("loaders/python/wsgi/request.py", "_wait"): "waits for the head of a request",
    ("loaders/python/wsgi/request_body.py", "_receive_into"): "waits for the body of a request",
    ("loaders/python/wsgi/response.py", "_send"): "sends a response",
}


def shown(text: str, instance: str) -> str:
    """The stacks of a process without the server's own calls at their outer ends.

    A thread that is in nothing else says in words what it waits for. One of which that is not known, and whatever a
    stack has besides calls, stays as it is.

    :param text: as faulthandler writes it, the innermost call first.
    :param instance: the instance folder: the code in it is the server's (docs/protocol.md, section 9).
    """
    lines: list[str] = []
    calls: list[str] = []
    for line in text.split("\n"):
        if line.startswith("  "):
            calls.append(line)
        else:
            lines += [*_of_app(calls, instance + "/"), line]
            calls = []
    return "\n".join(lines + _of_app(calls, instance + "/"))


def _of_app(calls: list[str], instance: str) -> list[str]:
    """One thread's."""
    count = len(calls)
    while count and (_place(calls[count - 1], instance) is not None):
        count -= 1
    if count or not calls:
        return calls[:count]
    words = WAITS.get(_place(calls[0], instance) or ("", ""))
    return ["  (%s)" % words] if words else calls


def _place(call: str, instance: str) -> Optional[tuple[str, str]]:
    """File and function of a call of the server's own; None for any other."""
    match = _FRAME.match(call)
    if match is None or not match[1].startswith(instance):
        return None
    return match[1][len(instance) :], match[2]
