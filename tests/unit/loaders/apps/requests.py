"""A probe: what a request looks like to an app. Each function is the app of one path."""

import json
import os
import re
import sys


def application(environ, start_response):
    answer = globals()[environ["PATH_INFO"][1:] or "environ_as_json"](environ)
    body = answer if isinstance(answer, bytes) else json.dumps(answer, sort_keys=True).encode()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body]


def environ_as_json(environ):
    return {name: value if isinstance(value, (str, bool)) else repr(value) for name, value in environ.items()}


def types(environ):
    return sorted({type(environ).__name__} | {type(name).__name__ for name in environ})


def stderr_is_errors(environ):
    return environ["wsgi.errors"] is sys.stderr


def read(environ):
    return environ["wsgi.input"].read()


def read_twice(environ):
    body = environ["wsgi.input"]
    return [
        body.read().decode("latin-1"),
        body.read().decode("latin-1"),
        body.read(10).decode("latin-1"),
        body.readline().decode("latin-1"),
        [line.decode("latin-1") for line in body.readlines()],
        list(body),
    ]


def read_in_bits(environ):
    body = environ["wsgi.input"]
    return [part.decode("latin-1") for part in iter(lambda: body.read(3), b"")]


def read_nothing(environ):
    return [environ["wsgi.input"].read(0).decode(), environ["wsgi.input"].read(2).decode()]


def read_negative(environ):
    return environ["wsgi.input"].read(-1)


def read_lines(environ):
    body = environ["wsgi.input"]
    return [line.decode("latin-1") for line in iter(body.readline, b"")]


def read_line_bits(environ):
    body = environ["wsgi.input"]
    return [line.decode("latin-1") for line in iter(lambda: body.readline(4), b"")]


def readlines(environ):
    return [line.decode("latin-1") for line in environ["wsgi.input"].readlines()]


def readlines_hint(environ):
    body = environ["wsgi.input"]
    return [[line.decode("latin-1") for line in body.readlines(5)], body.read().decode("latin-1")]


def iterate(environ):
    return [line.decode("latin-1") for line in environ["wsgi.input"]]


def readinto(environ):
    buffer = bytearray(4)
    count = environ["wsgi.input"].readinto(buffer)
    return [count, buffer[:count].decode("latin-1")]


def digest(environ):
    import hashlib

    hash = hashlib.sha256()
    for part in iter(lambda: environ["wsgi.input"].read(100000), b""):
        hash.update(part)
    return hash.hexdigest()


def ignore_the_body(environ):
    return "early"


def read_until_it_fails(environ):
    parts = []
    try:
        while True:
            part = environ["wsgi.input"].read(1)
            if not part:
                return "complete: " + b"".join(parts).decode("latin-1")
            parts.append(part)
    except OSError as error:
        print("reading raised {} after {!r}".format(type(error).__name__, b"".join(parts)))
        raise


def descriptors(environ):
    """The kinds of what the worker holds, without the kernel's numbers."""
    links = ["/proc/self/fd/" + name for name in os.listdir("/proc/self/fd")]
    return sorted(re.sub("[0-9]+", "N", os.readlink(link)) for link in links if os.path.lexists(link))
