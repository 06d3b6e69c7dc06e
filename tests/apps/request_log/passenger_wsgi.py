"""An app whose answers can be checked. It logs each request that it begins, and each that it ends.

Every request has an `id`; the log of a process is `events/requests-<pid>`, a line for each begin ("+id") and end ("-id").
REQUEST_LOG_FOLDER in the environment takes the place of `events`. `loading.txt` says how loading goes wrong, `work.txt` how
many seconds out-of-band work takes. `at_import.py`, where it is there, is imported, and has what the kind `use` calls.
"""
import hashlib
import os
import sys
import threading
import time
from urllib.parse import parse_qs

ROOT = os.path.dirname(os.path.abspath(__file__))


def _read(name, default):
    try:
        with open(os.path.join(ROOT, name)) as stream:
            return stream.read().strip()
    except FileNotFoundError:
        return default


FOLDER = os.environ.get("REQUEST_LOG_FOLDER", os.path.join(ROOT, "events"))
RELEASE = _read("release.txt", "0")
LOADING = _read("loading.txt", "")
if LOADING == "raise":
    import a_module_that_is_not_there  # noqa: F401
if LOADING == "syntax":
    exec(compile("def broken(:\n", "broken.py", "exec"))
if LOADING == "exit":
    sys.exit(7)
if LOADING == "hang":
    time.sleep(3600)
WORK_SECONDS = float(_read("work.txt", "0"))
if os.path.exists(os.path.join(ROOT, "at_import.py")):
    import at_import


class RequestLog:
    """One line per call, written at once: what a killed process has begun is known."""

    def __init__(self):
        self._pid, self._descriptor, self._lock = 0, -1, threading.Lock()

    def write(self, line):
        with self._lock:
            if self._pid != os.getpid():
                self._pid = os.getpid()
                path = os.path.join(FOLDER, "requests-%d" % self._pid)
                self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.write(self._descriptor, line.encode() + b"\n")


REQUEST_LOG = RequestLog()


def pattern(identity, size):
    """As many bytes as asked for, the same for the same id."""
    digest = hashlib.sha256(identity.encode()).hexdigest().encode()
    return (digest * (size // len(digest) + 1))[:size]


class Body:
    """The head line, then the parts. The end is logged when the server closes it."""

    def __init__(self, kind, identity, parts):
        self._identity = identity
        self._parts = iter(parts)
        self._head = ("%s %s %s %d\n" % (kind, identity, RELEASE, os.getpid())).encode()

    def __iter__(self):
        yield self._head
        for part in self._parts:
            yield part

    def close(self):
        REQUEST_LOG.write("-" + self._identity)


def fast(environ, fields):
    return [pattern(fields["id"], int(fields.get("size", "200")))]


def slow(environ, fields):
    time.sleep(float(fields["seconds"]))
    return [pattern(fields["id"], 200)]


def stream(environ, fields):
    for number in range(int(fields["parts"])):
        if number:
            time.sleep(float(fields["pause"]))
        yield pattern("%s/%d" % (fields["id"], number), 500)


def upload(environ, fields):
    digest, source = hashlib.sha256(), environ["wsgi.input"]
    while True:
        data = source.read(65536)
        if not data:
            return [digest.hexdigest().encode()]
        digest.update(data)


def talk(environ, fields):
    """Say something on stderr, which goes to the app's log."""
    sys.stderr.write("said %s\n" % fields["id"])
    sys.stderr.flush()
    return [pattern(fields["id"], 200)]


KEPT = []


def grow(environ, fields):
    """Take memory, and touch it, until there is none; with `keep` it stays taken until the next request of this kind."""
    taken = []
    for _ in range(int(fields["megabytes"])):
        taken.append(bytearray(b"x" * (1 << 20)))
    KEPT[:] = taken if "keep" in fields else []
    return [pattern(fields["id"], 200)]


def ask(environ, fields):
    """Ask for out-of-band work."""
    environ["passenger.request_oob_work"]()
    return [pattern(fields["id"], 200)]


def out_of_band_work():
    """Each one that is done has a line in the log: "w", and CLOCK_MONOTONIC at begin and end."""
    begun = time.monotonic()
    time.sleep(WORK_SECONDS)
    REQUEST_LOG.write("w%.6f %.6f" % (begun, time.monotonic()))


def use(environ, fields):
    """Use what was made at import."""
    at_import.use()
    return [pattern(fields["id"], 200)]


KINDS = {
    "fast": fast,
    "slow": slow,
    "stream": stream,
    "upload": upload,
    "talk": talk,
    "grow": grow,
    "ask": ask,
    "use": use,
}


def application(environ, start_response):
    fields = {name: values[-1] for name, values in parse_qs(environ["QUERY_STRING"]).items()}
    kind, identity = environ["PATH_INFO"].strip("/").split("/")[-1], fields["id"]
    REQUEST_LOG.write("+" + identity)
    headers = [("Content-Type", "text/plain")]
    body = Body(kind, identity, KINDS[kind](environ, fields))
    if kind == "fast":
        content = b"".join(body)
        body.close()
        start_response("200 OK", headers + [("Content-Length", str(len(content)))])
        return [content]
    start_response("200 OK", headers)
    return body


if LOADING == "nameless":
    del application
