"""Shortens stacks to the app's own calls: those of the server at the outer ends are left out. Pure.

docs/decisions/012-stacks-by-a-signal.md has how a process writes its stacks.
"""

from __future__ import annotations

import re
from typing import Optional

_FRAME = re.compile(r'  File "(.*)", line (\d+|\?\?\?) in (.+)\Z')
# What a thread waits for that is in no code of the app, by its innermost call: the file below the instance folder and
# the function. In Ruby, calls of C code stand above it, with the same place.
WAIT_REASONS = {
    ("loaders/python/worker.py", "_accept_connections"): "waits for its next request",
    ("loaders/python/executors/thread_executor.py", "_run"): "waits for its next request",
    ("loaders/python/core/signal_queue.py", "wait"): "waits for the requests of the other threads to end",
    ("loaders/python/preloader.py", "_step"): "waits until another worker is needed",
    ("loaders/python/core/control_line.py", "receive"): "waits for the spawner",
    ("loaders/python/wsgi/request.py", "_wait"): "waits for the head of a request",
    ("loaders/python/wsgi/request_body.py", "_receive_into"): "waits for the body of a request",
    ("loaders/python/wsgi/response.py", "_send"): "sends a response",
    ("loaders/ruby/core/listeners.rb", "wait"): "waits for its next request",
    ("loaders/ruby/worker.rb", "run_thread"): "waits for its next request",
    ("loaders/ruby/worker.rb", "wait_for"): "waits for the threads that serve requests",
    ("loaders/ruby/core/scoreboard.rb", "wait_for_takeovers"): "waits for connections that the app has taken over",
    ("loaders/ruby/preloader.rb", "step"): "waits until another worker is needed",
    ("loaders/ruby/core/control_line.rb", "receive_packet"): "waits for the spawner",
    ("loaders/ruby/rack/request_reader.rb", "wait"): "waits for the head of a request",
    ("loaders/ruby/rack/request_handler.rb", "drain"): "waits for the body of a request",
    ("loaders/ruby/rack/response.rb", "transmit"): "sends a response",
    ("loaders/ruby/rack/response.rb", "send_file_frame"): "sends a response",
}


def app_stacks(text: str, instance: str) -> str:
    """The stacks of a process without the server's own calls at their outer ends.

    Of a thread that is in no code of the app the wait reason is shown instead of its calls. If there is none for it,
    all calls are shown. Lines that are no calls stay as they are.

    :param text: as faulthandler writes it, the innermost call first.
    :param instance: the instance folder: the code in it is the server's (docs/protocol.md, section 9).
    """
    lines: list[str] = []
    calls: list[str] = []
    for line in text.split("\n"):
        if line.startswith("  "):
            calls.append(line)
        else:
            lines += [*_app_calls(calls, instance + "/"), line]
            calls = []
    return "\n".join(lines + _app_calls(calls, instance + "/"))


def _app_calls(calls: list[str], instance: str) -> list[str]:
    """The calls to show of one thread."""
    count = len(calls)
    while count and _server_call(calls[count - 1], instance) is not None:
        count -= 1
    if count or not calls:
        return calls[:count]
    innermost = [call for call in calls if _place(call) == _place(calls[0])]
    reasons = [WAIT_REASONS.get(_server_call(call, instance) or ("", "")) for call in innermost]
    return next((["  (%s)" % reason] for reason in reasons if reason), calls)


def _place(call: str) -> Optional[tuple[str, str]]:
    """File and line of a call."""
    match = _FRAME.match(call)
    return (match[1], match[2]) if match else None


def _server_call(call: str, instance: str) -> Optional[tuple[str, str]]:
    """File and function of a call of the server; None for any other call."""
    match = _FRAME.match(call)
    if match is None or not match[1].startswith(instance):
        return None
    return match[1][len(instance) :], match[3]
