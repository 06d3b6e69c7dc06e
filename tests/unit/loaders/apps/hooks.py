"""A probe: notes its hooks, waits for a gate, evaluates its query. Runs on every Python since 3.6."""

import os
import time


def after_fork():
    print("after_fork in", os.getpid())


def before_exit():
    print("before_exit in", os.getpid())


def application(environ, start_response):
    start_response("200 OK", [("X-Pid", str(os.getpid()))])
    if environ["PATH_INFO"].startswith("/wait"):
        gate = "gate" + environ["PATH_INFO"][5:]  # /wait2 waits for gate2
        print("waiting" + gate[4:])
        while not os.path.exists(gate):
            time.sleep(0.01)
    return [eval(environ["QUERY_STRING"] or "b'ok'")]
