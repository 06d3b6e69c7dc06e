"""The probe of the conformance suite as a program that is an HTTP server (README.md says what it does)."""

import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

MODE = os.environ.get("PROBE", "")


def say(text):
    print(text, flush=True)


def wait_for(name):
    while not os.path.exists(name):
        time.sleep(0.005)


def whole(response):
    """The pieces of a stream."""
    for piece in response.split(","):
        if piece == "wait":
            wait_for("gate")
        else:
            yield piece.encode("latin-1")


class Probe(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def answer(self, body=b"ok", status="200 OK", length=None):
        code, _, reason = status.partition(" ")
        self.send_response(int(code), reason)
        self.send_header("Content-Type", "text/plain")
        self.send_header("X-Pid", str(os.getpid()))
        self.send_header("Content-Length", str(len(body)) if length is None else length)
        self.end_headers()
        self.wfile.write(body)

    def stream(self, query):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in whole(query):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def do_GET(self):
        path, _, query = self.path.partition("?")
        query = unquote(query, "latin-1")
        if path == "/echo":
            self.answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        elif path.startswith("/wait"):
            say("waiting" + path[5:])
            wait_for("gate" + path[5:])
            self.answer()
        elif path == "/say":
            say(query)
            self.answer()
        elif path == "/stream":
            self.stream(query)
        elif path == "/status":
            self.answer(b"body", query)
        elif path == "/length":
            declared, size = query.split(",")
            self.answer(b"x" * int(size), length=declared)
        elif path == "/kill":
            os.kill(os.getpid(), signal.SIGKILL)
        else:
            self.answer()

    do_POST = do_GET


class Server(ThreadingHTTPServer):
    daemon_threads = False  # its end waits for the requests that it is in

    def handle_error(self, request, client_address):
        pass  # clients leave


def end(*arguments):
    threading.Thread(target=server.shutdown).start()


say("importing")
if MODE == "fail":
    raise RuntimeError("the probe fails on purpose")
if MODE == "exit":
    sys.exit()
if MODE == "end":
    os._exit(7)
if MODE == "hang":
    say("hanging")
    wait_for("gate")
server = Server(("127.0.0.1", int(sys.argv[1])), Probe)
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, end)
say("after_fork in %d" % os.getpid())
server.serve_forever(0.01)
server.server_close()
say("before_exit in %d" % os.getpid())
