"""An app in releases: which one was read when the app was loaded; and how loading goes, is the release's matter."""
import os
import sys
import time

ROOT = os.path.dirname(os.path.abspath(__file__))


def _read(name, default=""):
    try:
        with open(os.path.join(ROOT, name)) as stream:
            return stream.read().strip()
    except FileNotFoundError:
        return default


def _note(name):
    with open(os.path.join(ROOT, "events", "%s-%d" % (name, os.getpid())), "w") as stream:
        stream.write(ROOT)


def _wait_for(name):
    deadline = time.time() + 60
    while not os.path.exists(os.path.join(ROOT, "events", "gate-" + name)):
        if time.time() > deadline:
            raise RuntimeError("gate %s was never opened" % name)
        time.sleep(0.005)


RELEASE = _read("release.txt", "first")
LOADING = _read("loading.txt")
_note("loaded")
if LOADING == "raise":
    raise RuntimeError("release %s <cannot> load" % RELEASE)
if LOADING == "exit":
    sys.exit(7)
if LOADING == "_exit":
    os._exit(9)
if LOADING == "hang":
    time.sleep(3600)
if LOADING == "gate":
    _wait_for("load")
if LOADING == "syntax":
    exec(compile("def broken(:\n", "broken.py", "exec"))
LOADED_BY = os.getpid()


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/hold":
        _note("holding")
        _wait_for("hold")
    if path == "/stream":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return _stream()
    text = {"/pid": str(os.getpid()), "/loaded-by": str(LOADED_BY), "/root": ROOT, "/cwd": os.getcwd()}.get(path, RELEASE)
    body = text.encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def _stream():
    yield b"begun by %s\n" % RELEASE.encode()
    _wait_for("stream")
    yield b"ended by %s\n" % RELEASE.encode()
