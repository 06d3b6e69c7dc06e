"""Events that app and test leave each other as files in `events/`, and small things that all routes use."""
import json
import os
import time
from urllib.parse import parse_qs

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "events")


def report(name, text=""):
    """Tell the test; the file appears whole or not at all. A second report of a name adds a line."""
    path = os.path.join(FOLDER, name)
    before = ""
    if os.path.exists(path):
        with open(path) as old:
            before = old.read()
    fresh = os.path.join(FOLDER, "gate-.%d.%s" % (os.getpid(), name))
    with open(fresh, "w") as new:
        new.write(before + str(text) + "\n")
    os.rename(fresh, path)


def wait_for_gate(name, seconds=60):
    """Wait until the test opens the gate."""
    deadline = time.time() + seconds
    while not os.path.exists(os.path.join(FOLDER, "gate-" + name)):
        if time.time() > deadline:
            raise RuntimeError("gate %s was never opened" % name)
        time.sleep(0.005)


def query(environ):
    """The query string's fields, the last value of each."""
    return {name: values[-1] for name, values in parse_qs(environ["QUERY_STRING"], keep_blank_values=True).items()}


def answer(start_response, content, status="200 OK", content_type="text/plain", headers=()):
    """A complete answer with its length."""
    body = content if isinstance(content, bytes) else content.encode("utf-8")
    start_response(status, [("Content-Type", content_type), ("Content-Length", str(len(body)))] + list(headers))
    return [body]


def answer_json(start_response, value, headers=()):
    return answer(start_response, json.dumps(value, sort_keys=True), content_type="application/json", headers=headers)
