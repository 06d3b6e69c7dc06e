"""Thirteen bytes."""


def application(environ, start_response):
    """Answer at once."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "13")])
    return [b"Hello, World!"]
