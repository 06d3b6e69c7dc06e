"""The probe of the conformance suite for Python (README.md says what it does). Runs on every Python since 3.6."""

import os
import signal
import sys
import time
from urllib.parse import unquote

IMPORTED_BY = os.getpid()
MODE = os.environ.get("PROBE", "")


def fail():
    raise RuntimeError("the probe fails on purpose")


def exit_normally():
    sys.exit(0)


def end_process():
    os._exit(7)


def hang():
    print("hanging")
    wait_for("gate")


def execute_again():
    if os.environ.pop("PROBE") == MODE:
        os.execl(sys.executable, sys.executable, *sys.argv)


def wait_for(name):
    while not os.path.exists(name):
        time.sleep(0.01)


print("importing")
{"fail": fail, "exit": exit_normally, "end": end_process, "hang": hang, "execute": execute_again}.get(MODE, int)()


def after_fork():
    if MODE == "fail after fork":
        fail()
    print("after_fork in {}".format(os.getpid()))


def before_exit():
    print("before_exit in {}".format(os.getpid()))


def out_of_band_work():
    print("out-of-band work")
    if os.path.exists("slow-work"):
        wait_for("work")


def application(environ, start_response):
    name = environ["PATH_INFO"].strip("/")
    if name.startswith("wait"):
        name, environ["QUERY_STRING"] = "wait", name[4:]
    return ANSWERS[name](environ, unquote(environ["QUERY_STRING"], "latin-1"), start_response)


def ok(environ, query, start_response, body=b"ok", status="200 OK", headers=()):
    own = [("Content-Type", "text/plain"), ("X-Pid", str(os.getpid()))]
    start_response(status, own + list(headers))
    return [body]


def imported_by(environ, query, start_response):
    return ok(environ, query, start_response, str(IMPORTED_BY).encode())


def variables(environ, query, start_response):
    shown = sorted((name, value) for name, value in environ.items() if isinstance(value, str) and name.isupper())
    text = "".join("{}={}\n".format(name, value) for name, value in shown)
    return ok(environ, query, start_response, text.encode("latin-1"))


def echo(environ, query, start_response):
    return ok(environ, query, start_response, environ["wsgi.input"].read())


def read_late(environ, query, start_response):
    write = start_response("200 OK", [])
    write(b"begun\n")
    yield environ["wsgi.input"].read()


def wait(environ, query, start_response):
    print("waiting" + query)
    wait_for("gate" + query)
    return ok(environ, query, start_response)


def say(environ, query, start_response):
    print(query)
    return ok(environ, query, start_response)


def stream(environ, query, start_response):
    start_response("200 OK", [])
    for piece in query.split(","):
        if piece == "wait":
            wait_for("gate")
        elif piece == "fail":
            fail()
        else:
            yield piece.encode()


def status(environ, query, start_response):
    return ok(environ, query, start_response, b"body", query)


def header(environ, query, start_response):
    name, _, value = query.partition("=")
    return ok(environ, query, start_response, b"ok", headers=[(name, value)])


def length(environ, query, start_response):
    declared, size = query.split(",")
    return ok(environ, query, start_response, b"x" * int(size), headers=[("Content-Length", declared)])


def file(environ, query, start_response):
    start_response("200 OK", [])
    return environ["wsgi.file_wrapper"](open("payload", "rb"))


def error(environ, query, start_response):
    fail()


def kill(environ, query, start_response):
    os.kill(os.getpid(), signal.SIGKILL)


def end(environ, query, start_response):
    os._exit(int(query))


def request_out_of_band_work(environ, query, start_response):
    environ["passenger.request_oob_work"]()
    return ok(environ, query, start_response)


ANSWERS = {
    "": ok,
    "imported-by": imported_by,
    "variables": variables,
    "echo": echo,
    "read-late": read_late,
    "wait": wait,
    "say": say,
    "stream": stream,
    "status": status,
    "header": header,
    "length": length,
    "file": file,
    "error": error,
    "kill": kill,
    "end": end,
    "request-out-of-band-work": request_out_of_band_work,
}
