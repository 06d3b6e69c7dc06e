"""Apps of Node.js and any program behind httpd: each as it is started, asked, restarted and ended."""

from __future__ import annotations

import json
import os
import re
from typing import Iterator

import psutil
import pytest

from support.applications import AppFolders
from support.serving import CheckedHttpd
from support.status import run_command, workers
from support.waiting import eventually

NODE = """
    const http = require('http');
    http.createServer((request, response) => {
        const pieces = [];
        request.on('data', (piece) => pieces.push(piece));
        request.on('end', () => {
            if (request.url !== '/hang') {
                response.end(`${process.pid} ${request.url} ${Buffer.concat(pieces)}`);
            }
        });
    }).listen(3000);
"""
#: A server that listens as its first argument says.
PROGRAM = """
    import os
    import socket
    import sys
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            text = "%d %s %s" % (os.getpid(), self.path, body)
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        do_POST = do_GET

        def address_string(self):
            return "httpd"

        def log_message(self, *values):
            pass

    class UnixServer(HTTPServer):
        address_family = socket.AF_UNIX

        def server_bind(self):
            self.socket.bind(self.server_address)
            self.server_name, self.server_port = "", 0

        def get_request(self):
            return self.socket.accept()[0], ("", 0)

    way, *rest = sys.argv[1:]
    if way == "port":
        server = HTTPServer(("127.0.0.1", int(rest[0])), Handler)
    elif way == "socket":
        server = UnixServer(rest[0], Handler)
    else:
        server = UnixServer("", Handler, bind_and_activate=False)
        server.socket = socket.socket(fileno=3)
    server.serve_forever()
"""
COMMANDS = {
    "port": "python3 server.py port $PORT",
    "socket": "python3 server.py socket $PASSENGER_SOCKET",
    "descriptor": "python3 server.py descriptor",
}
KINDS = ("node", *COMMANDS)


@pytest.fixture(scope="module")
def server(shared_httpd: CheckedHttpd, shared_apps: AppFolders) -> Iterator[CheckedHttpd]:
    node = shared_apps.create(name="node")
    node.write("app.js", NODE)
    shared_httpd.site("node.example", node.public, "PassengerMaxRequestTime 1\nPassengerStickySessions on")
    for name, command in COMMANDS.items():
        app = shared_apps.create(name=name)
        app.write("server.py", PROGRAM)
        body = f'PassengerAppStartCommand "{command}"\nPassengerAppRoot {app.root}\nPassengerStartTimeout 20'
        shared_httpd.site(f"{name}.example", app.public, body)
    php = shared_apps.create(name="php")
    php.write("index.php", '<?php echo $_SERVER["REQUEST_METHOD"], " ", $_SERVER["REQUEST_URI"];')
    shared_httpd.site("php.example", php.public, 'PassengerAppStartCommand "php -S 127.0.0.1:$PORT index.php"')
    return shared_httpd.start()  # type: ignore[return-value]


def key_of(name: str) -> str:
    return f"/apps/{name} "


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_asked_by_http_and_its_pid_is_the_one_that_status_shows(server: CheckedHttpd, kind: str) -> None:
    first = server.get("/a%20b?c", f"{kind}.example")
    assert (first.status, first.text.split(" ", 1)[1]) == (200, "/a%20b?c ")
    second = server.post("/p", b"x" * 100_000, f"{kind}.example")
    assert second.text == first.text.split()[0] + " /p " + "x" * 100_000
    (found,) = [one for one in psutil.process_iter(["pid"]) if str(one.pid) == first.text.split()[0]]
    assert found.uids().real == 65534 if os.geteuid() == 0 else os.geteuid()


def test_the_server_of_php_is_such_a_program(server: CheckedHttpd) -> None:
    answer = server.get("/shop/a?b=c", "php.example")
    assert (answer.status, answer.text) == (200, "GET /shop/a?b=c")


@pytest.mark.parametrize("kind", KINDS)
def test_a_restart_swaps_the_processes_and_loses_no_request(
    server: CheckedHttpd, shared_apps: AppFolders, kind: str
) -> None:
    before = server.get("/", f"{kind}.example").text.split()[0]
    (shared_apps.folder / kind / "tmp" / "restart.txt").touch()
    answers = []

    def is_new() -> bool:
        answers.append(server.get("/", f"{kind}.example"))
        return answers[-1].status != 200 or answers[-1].text.split()[0] != before

    eventually(is_new, "an answer of the new process")
    eventually(lambda: not psutil.pid_exists(int(before)), "the end of the old process")
    answers += [server.get("/", f"{kind}.example") for _ in range(3)]
    assert {answer.status for answer in answers} == {200}
    (shown,) = workers(server, key_of(kind))
    assert str(shown["pid"]) == answers[-1].text.split()[0]


def test_a_request_of_a_node_app_that_takes_too_long_is_ended_and_its_process_is_not(server: CheckedHttpd) -> None:
    pid = server.get("/", "node.example").text.split()[0]
    server.logs.expect("JS2131: the worker has taken longer than 1 s")
    server.logs.allow("JS3541")
    assert server.get("/hang", "node.example").status == 504
    eventually(lambda: not workers(server, key_of("node"))[0]["running"], "the end of the request")
    assert server.get("/", "node.example").text.split()[0] == pid


def test_a_node_app_has_sticky_sessions(server: CheckedHttpd) -> None:
    first = server.get("/", "node.example")
    cookie = first.header("Set-Cookie") or ""
    assert cookie.startswith("_passenger_route=")
    again = server.get("/", "node.example", cookie=cookie.partition(";")[0])
    assert again.text == first.text
    assert again.header("Set-Cookie") is None


def test_a_node_app_shows_what_its_event_loop_does(server: CheckedHttpd) -> None:
    pid = server.get("/", "node.example").text.split()[0]
    answer = run_command(server, "backtraces", "--json", pid)
    (shown,) = json.loads(answer.stdout)["processes"]
    assert re.search(r"\[event loop\] \(most recent call first\):\n  \(waits for events; open: ", shown["text"])
    assert "Debugger" not in server.logs.text()
