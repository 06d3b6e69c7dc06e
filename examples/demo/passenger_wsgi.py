"""The sample app. It shows one page that says which process served it. It needs only the standard library."""

import html
import os
import time
from pathlib import Path

RELEASE = "first"  # change this, touch tmp/restart.txt, and reload the page

LOADED_AT = time.strftime("%H:%M:%S")
LOADED_BY = os.getpid()
requests_of_this_process = 0

PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Jumpseat sample app</title><link rel="stylesheet" href="{base}/style.css"></head>
<body>
<h1>It works</h1>
<dl>
<dt>Release</dt><dd>{release}</dd>
<dt>Imported</dt><dd>once, at {loaded_at}, by process {loaded_by}</dd>
<dt>Answered by process</dt><dd>{pid}, its request number {count}</dd>
<dt>Runs as user id</dt><dd>{uid}</dd>
<dt>You asked for</dt><dd>{method} {path}</dd>
</dl>
<p>Edit <code>{app_root}/passenger_wsgi.py</code>, then <code>touch {app_root}/tmp/restart.txt</code> and reload.</p>
</body>
</html>
"""


def application(environ, start_response):
    """Return the page, for every path that is not a file in public/."""
    global requests_of_this_process
    requests_of_this_process += 1
    facts = {
        "base": environ["SCRIPT_NAME"],
        "release": RELEASE,
        "loaded_at": LOADED_AT,
        "loaded_by": LOADED_BY,
        "pid": os.getpid(),
        "count": requests_of_this_process,
        "uid": os.getuid(),
        "method": environ["REQUEST_METHOD"],
        "path": (environ["SCRIPT_NAME"] + environ["PATH_INFO"]).encode("latin-1").decode("utf-8", "replace"),
        "app_root": Path(__file__).resolve().parent,
    }
    page = PAGE.format(**{name: html.escape(str(value)) for name, value in facts.items()}).encode("utf-8")
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(page)))])
    return [page]
