"""Request bodies: read in every way, not read, read late, read while answering."""
import hashlib
import time

from probe_events import answer, answer_json, query, report, wait_for_gate


def echo(environ, start_response):
    body = environ["wsgi.input"].read()
    return answer(start_response, body, content_type="application/octet-stream")


def digest(environ, start_response):
    """Length and hash, in flat memory."""
    found, length = hashlib.sha256(), 0
    for block in iter(lambda: environ["wsgi.input"].read(65536), b""):
        found.update(block)
        length += len(block)
    told = {"length": length, "sha256": found.hexdigest(), "CONTENT_LENGTH": environ.get("CONTENT_LENGTH"),
            "HTTP_TRANSFER_ENCODING": environ.get("HTTP_TRANSFER_ENCODING")}
    return answer_json(start_response, told)


WAYS = {
    "read": lambda stream: [stream.read()],
    "read-minus-one": lambda stream: [stream.read(-1)],
    "read-too-much": lambda stream: [stream.read(1 << 30)],
    "blocks": lambda stream: list(iter(lambda: stream.read(7), b"")),
    "readline": lambda stream: list(iter(stream.readline, b"")),
    "readline-size": lambda stream: list(iter(lambda: stream.readline(4), b"")),
    "readlines": lambda stream: stream.readlines(),
    "readlines-hint": lambda stream: stream.readlines(1) + stream.readlines(),
    "iterate": lambda stream: list(stream),
}


def read(environ, start_response):
    """Read in one way, then once more past the end; say what came and how long it took."""
    start = time.monotonic()
    parts = WAYS[query(environ)["how"]](environ["wsgi.input"])
    after = [environ["wsgi.input"].read(), environ["wsgi.input"].readline(), environ["wsgi.input"].read(10)]
    seconds = time.monotonic() - start
    told = {"parts": [part.decode("latin-1") for part in parts], "seconds": seconds,
            "after": [part.decode("latin-1") for part in after]}
    return answer_json(start_response, told)


def unread(environ, start_response):
    """Answer without having read a byte."""
    return answer(start_response, "not wanted", status=query(environ).get("status", "413 Too Much"))


def first_bytes(environ, start_response):
    """Read a few bytes only."""
    return answer(start_response, environ["wsgi.input"].read(int(query(environ)["size"])))


def duplex(environ, start_response):
    """Answer with what is read, as it is read."""
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    return iter(lambda: environ["wsgi.input"].read(int(query(environ).get("size", "65536"))), b"")


def upload(environ, start_response):
    """Report the start, each block and the end, so that a test can see when the app was called."""
    report("upload-started")
    total = 0
    try:
        for block in iter(lambda: environ["wsgi.input"].read(int(query(environ).get("size", "4096"))), b""):
            total += len(block)
            report("upload-read", total)
    except Exception as error:
        report("upload-failed", type(error).__name__)
        raise
    report("upload-ended", total)
    return answer(start_response, str(total))


def late(environ, start_response):
    """Read the body only when the gate is open."""
    report("late-called")
    wait_for_gate("late")
    return answer(start_response, environ["wsgi.input"].read())


ROUTES = {"echo": echo, "digest": digest, "read": read, "unread": unread, "first": first_bytes, "duplex": duplex,
          "upload": upload, "late": late}
