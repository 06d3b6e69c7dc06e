"""An app that tells what it sees of each request, and a script of httpd's own that does the same, to compare with."""

from __future__ import annotations

import json
from typing import Iterator

from support.applications import AppFolder, AppFolders

#: Its answer: the environ's texts and the body. `/wait`: waits for the gate of that name; `/big`: answers at length.
ENTRY = """
    import json, os, time, urllib.parse

    def application(environ, start_response):
        with open("events/called", "a") as called:
            called.write("called\\n")
        path = environ["PATH_INFO"]
        while path == "/wait" and not os.path.exists("events/gate-wait"):
            time.sleep(0.01)
        body = environ["wsgi.input"].read()
        if path == "/big":
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [bytes(100000) for _ in range(40)]
        texts = {name: value for name, value in environ.items() if isinstance(value, str)}
        told = json.dumps([texts, body.decode("latin-1")]).encode()
        reached = urllib.parse.quote(environ["REQUEST_URI"], encoding="latin-1")
        start_response("200 OK", [("X-Reached", reached), ("Content-Length", str(len(told)))])
        return [told]
    """
#: Its answer: its environment. It takes the body first, or httpd would fail to give it.
SCRIPT = """\
    #!/bin/sh
    printf 'Status: 200 OK\\r\\nX-Script: '
    printf '%s' "$REQUEST_URI"
    printf '\\r\\n\\r\\n'
    cat > /dev/null
    exec cat /proc/self/environ
    """
#: What an app is not told, because it is about the connection; what a script is not told, because it is a secret.
_WITHHELD = {
    f"HTTP_{name}" for name in ("CONNECTION", "UPGRADE", "TRANSFER_ENCODING", "TE", "TRAILER", "AUTHORIZATION")
}
_COMPARED = {"PATH_INFO", "QUERY_STRING", "REQUEST_METHOD", "SERVER_PROTOCOL", "CONTENT_TYPE"}


def create_telling_app(apps: AppFolders, name: str) -> AppFolder:
    return apps.create(name=name, entry=ENTRY)


def script_lines(app: AppFolder) -> str:
    """The lines with which a virtual host answers everything by the script."""
    script = app.write("script/told", SCRIPT)
    script.chmod(0o755)
    return f'PassengerEnabled off\nScriptAlias "/" "{script}/"'


def calls_of(app: AppFolder) -> int:
    """How many requests the app has been given, whatever has become of them."""
    path = app.events / "called"
    return path.read_text().count("\n") if path.exists() else 0


def told_by_app(answer: bytes) -> tuple[dict[str, str], bytes]:
    """The environ and the body of the request."""
    texts, body = json.loads(answer)
    return texts, body.encode("latin-1")


def told_by_script(answer: bytes) -> dict[str, str]:
    """The environment of the request."""
    pairs = [pair.partition("=") for pair in answer.decode("latin-1").split("\0") if pair]
    return {name: value for name, _, value in pairs}


def differences(app: dict[str, str], script: dict[str, str]) -> Iterator[str]:
    """Between what both are told of the same request, sent to different hosts."""
    names = {name for name in (*app, *script) if name.startswith("HTTP_")} - _WITHHELD - {"HTTP_HOST"}
    for name in sorted(names | _COMPARED):
        mine, others = app.get(name, ""), script.get(name, "")
        if mine != others:
            yield f"{name} is {mine!r}, for a script {others!r}"
