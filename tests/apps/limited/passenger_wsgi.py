"""An app that can be made to wear out, to grow, and to stay in a request."""
import os
import time

ROOT = os.path.dirname(os.path.abspath(__file__))
HELD = []


def _wait_for_gate(name):
    deadline = time.time() + 60
    while not os.path.exists(os.path.join(ROOT, "events", "gate-" + name)):
        if time.time() > deadline:
            raise RuntimeError("gate %s was never opened" % name)
        time.sleep(0.005)


def _report(name):
    with open(os.path.join(ROOT, "events", name), "w") as stream:
        stream.write(str(os.getpid()))


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/grow":
        HELD.append(bytearray(os.urandom(1)) * (int(environ["QUERY_STRING"]) * 1048576))
    if path in ("/grow", "/hold"):
        _report("holding")
        _wait_for_gate("hold")
    if path == "/slow":
        time.sleep(0.05)
    body = b"%d" % os.getpid()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
