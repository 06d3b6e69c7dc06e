"""The app of tests/apps/kinds as a program that is an HTTP server: its port is the first argument."""
import hashlib
import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def read(name, default=""):
    if not os.path.exists(name):
        return default
    with open(name) as stream:
        return stream.read().strip()


if read("loading.txt") == "raise":
    raise RuntimeError("the app fails on purpose")
RELEASE = read("release.txt", "first")
KEPT = []
MOUNT = os.environ.get("PASSENGER_BASE_URI", "")


def wait_for(gate):
    while not os.path.exists("events/gate-" + gate):
        time.sleep(0.005)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def read_body(self):
        if "Content-Length" in self.headers:
            return self.rfile.read(int(self.headers["Content-Length"]))
        body = b""
        while self.headers.get("Transfer-Encoding") == "chunked":
            size = int(self.rfile.readline(), 16)
            body += self.rfile.read(size)
            self.rfile.readline()
            if not size:
                break
        return body

    def send_pieces(self, path):
        self.send_response(200)
        if path == "/short":
            self.send_header("Content-Length", "100")
        else:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"begun\n" if path == "/short" else b"6\r\nbegun\n\r\n")
        if path != "/stream":
            time.sleep(0.05)  # what was written has to be on its way
            os.kill(os.getpid(), signal.SIGKILL)
        wait_for("stream")
        self.wfile.write(b"6\r\nended\n\r\n0\r\n\r\n")

    def text_for(self, path, query, body):
        if path.startswith("/request"):
            return "%s %s%s?%s" % (self.command, MOUNT, path, query)
        if path == "/fail":
            raise RuntimeError("the app fails on purpose")
        if path == "/say":
            print(query, flush=True)
        if path == "/grow":
            KEPT.append(b"x" * (int(query) << 20))
        if path in ("/hold", "/grow"):
            name = "" if path == "/grow" else query
            open("events/holding" + name, "w").close()
            wait_for("hold" + name)
        texts = {
            "/pid": str(os.getpid()),
            "/user": str(os.getuid()),
            "/release": RELEASE,
            "/variable": os.environ.get(query, ""),
            "/digest": hashlib.sha256(body).hexdigest(),
        }
        return texts.get(path, "kind program")

    def do_GET(self):
        target, _, query = self.path.partition("?")
        path = target[len(MOUNT) :]
        body = self.read_body()
        if path in ("/stream", "/cut", "/short"):
            self.send_pieces(path)
            return
        try:
            text = body if path == "/echo" else self.text_for(path, query, body).encode()
            self.send_response(204 if path == "/empty" else 200)
        except RuntimeError:
            self.send_response(500)
            text = b"failed"
        if path == "/cookies":
            self.send_header("Set-Cookie", "a=1")
            self.send_header("Set-Cookie", "b=2")
        if path != "/empty":
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD" and path != "/empty":
            self.wfile.write(text)

    do_POST = do_PUT = do_DELETE = do_HEAD = do_GET


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
