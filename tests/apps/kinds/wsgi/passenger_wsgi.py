"""The app of tests/apps/kinds in Python."""
import hashlib
import os
import signal
import time


def read(name, default=""):
    if not os.path.exists(name):
        return default
    with open(name) as stream:
        return stream.read().strip()


if read("loading.txt") == "raise":
    raise RuntimeError("the app fails on purpose")
RELEASE = read("release.txt", "first")
KEPT = []


def wait_for(gate):
    while not os.path.exists("events/gate-" + gate):
        time.sleep(0.005)


def pieces(path):
    yield b"begun\n"
    if path == "/stream":
        wait_for("stream")
        yield b"ended\n"
    else:
        os.kill(os.getpid(), signal.SIGKILL)


def text_for(path, environ):
    if path == "/pid":
        return str(os.getpid())
    if path == "/user":
        return str(os.getuid())
    if path == "/release":
        return RELEASE
    if path == "/variable":
        return os.environ.get(environ["QUERY_STRING"], "")
    if path.startswith("/request"):
        target = environ["SCRIPT_NAME"] + path + "?" + environ["QUERY_STRING"]
        return environ["REQUEST_METHOD"] + " " + target
    if path == "/digest":
        return hashlib.sha256(environ["wsgi.input"].read()).hexdigest()
    if path == "/fail":
        raise RuntimeError("the app fails on purpose")
    if path == "/key":
        return str(environ[environ["QUERY_STRING"]])
    if path == "/say":
        print(environ["QUERY_STRING"], flush=True)
    if path == "/grow":
        KEPT.append(b"x" * (int(environ["QUERY_STRING"]) << 20))
    if path in ("/hold", "/grow"):
        name = "" if path == "/grow" else environ["QUERY_STRING"]
        open("events/holding" + name, "w").close()
        wait_for("hold" + name)
    return "kind wsgi"


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path in ("/stream", "/cut", "/short"):
        start_response("200 OK", [("Content-Length", "100")] if path == "/short" else [])
        return pieces(path)
    if path == "/empty":
        start_response("204 No Content", [])
        return []
    body = environ["wsgi.input"].read() if path == "/echo" else text_for(path, environ).encode()
    headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]
    if path == "/cookies":
        headers += [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
    start_response("200 OK", headers)
    return [body]
