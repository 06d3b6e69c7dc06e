"""A probe: each function is the app of one path. Runs on every Python since 3.6."""

import io
import os
import sys
import tempfile

PLAIN = [("Content-Type", "text/plain")]
closed = []


def application(environ, start_response):
    return globals()[environ["PATH_INFO"][1:] or "hello"](environ, start_response)


def hello(environ, start_response):
    start_response("200 OK", PLAIN)
    return [b"Hello, world!"]
