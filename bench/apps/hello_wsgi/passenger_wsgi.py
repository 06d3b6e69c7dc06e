"""Thirteen bytes."""

import os
import time


def application(environ, start_response):
    """Answer at once."""
    headers = [("Content-Type", "text/plain"), ("Content-Length", "13")]
    if "HTTP_X_WORKER" in environ:
        time.sleep(0.002)
        headers.append(("X-Worker", str(os.getpid())))
    start_response("200 OK", headers)
    return [b"Hello, World!"]
