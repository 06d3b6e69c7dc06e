"""An app between two validators' sides: wsgiref.validate raises for whatever PEP 3333 forbids, to server and app."""
from wsgiref.validate import validator


def plain(environ, start_response):
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.errors"].write("")
    environ["wsgi.errors"].flush()
    if environ["REQUEST_METHOD"] == "HEAD":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return []
    write = start_response("200 OK", [("Content-Type", "text/plain"), ("X-Method", environ["REQUEST_METHOD"])])
    write(b"written ")
    return [environ["REQUEST_METHOD"].encode("latin-1"), b" ", body]


application = validator(plain)
