"""Responses: given exactly by the test, streamed between gates, from files, endless, failing."""
import io
import json
import os
import sys

from probe_events import answer, query, report, wait_for_gate


class Body:
    """Iterates over parts and reports when it is closed, under the name that the query gives as `closing`."""

    def __init__(self, environ, parts):
        self.parts, self.name = iter(parts), query(environ).get("closing", "closed")

    def __iter__(self):
        return self

    def __next__(self):
        return next(self.parts)

    def close(self):
        report(self.name, os.getpid())


def exact(environ, start_response):
    """The response that the query's `spec` (JSON) describes; text is sent as latin-1."""
    spec = json.loads(query(environ)["spec"])
    write = start_response(spec.get("status", "200 OK"), [tuple(pair) for pair in spec.get("headers", [])])
    for part in spec.get("write", []):
        write(part.encode("latin-1"))
    return Body(environ, [part.encode("latin-1") for part in spec.get("body", [])])


def huge_head(environ, start_response):
    """One header of `size` bytes."""
    return answer(start_response, "x", headers=[("X-Huge", "v" * int(query(environ)["size"]))])


def many_headers(environ, start_response):
    """`count` headers of `size` bytes each."""
    fields = query(environ)
    return answer(start_response, "x", headers=[("X-%d" % number, "v" * int(fields["size"]))
                                                for number in range(int(fields["count"]))])


def stream(environ, start_response):
    """`parts` parts, each but the first only after its gate has been opened."""
    fields = query(environ)
    headers = [("Content-Type", fields.get("type", "text/plain"))]
    if "length" in fields:
        headers.append(("Content-Length", fields["length"]))
    start_response("200 OK", headers)

    def parts():
        for number in range(int(fields["parts"])):
            if number:
                wait_for_gate(str(number))
            yield b"part %d\n" % number

    return Body(environ, parts())


def stream_by_write(environ, start_response):
    """The same through the write() callable."""
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    for number in range(int(query(environ)["parts"])):
        if number:
            wait_for_gate(str(number))
        write(b"part %d\n" % number)
    return []


def big(environ, start_response):
    """`size` bytes in blocks of 64 KiB; with `length=1` announced."""
    fields = query(environ)
    size = int(fields["size"])
    headers = [("Content-Type", "application/octet-stream")]
    if fields.get("length"):
        headers.append(("Content-Length", str(size)))
    start_response("200 OK", headers)
    block = bytes(range(256)) * 256
    return Body(environ, (block[:min(len(block), size - sent)] for sent in range(0, size, len(block))))


def endless(environ, start_response):
    """Go on until nobody listens; report the end."""
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    report("endless-started")

    def parts():
        while True:
            yield b"more\n" * 1000

    return Body(environ, parts())


def waiting(environ, start_response):
    """One part, then nothing until the gate opens, then one more."""
    start_response("200 OK", [("Content-Type", "text/plain")])

    def parts():
        yield b"first\n"
        report("waiting")
        wait_for_gate("waiting")
        yield b"second\n"

    return Body(environ, parts())


def from_file(environ, start_response):
    """`big.bin` or memory through wsgi.file_wrapper, from `offset` on."""
    fields = query(environ)
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "big.bin")
    if fields.get("kind") == "memory":
        source = io.BytesIO(b"0123456789" * 1000)
    elif fields.get("kind") == "pipe":
        read_end, write_end = os.pipe()
        os.write(write_end, b"from a pipe")
        os.close(write_end)
        source = os.fdopen(read_end, "rb")
    else:
        source = open(path, "rb")
    source.seek(int(fields["offset"])) if "offset" in fields else None
    headers = [("Content-Type", "application/octet-stream")]
    if "length" in fields:
        headers.append(("Content-Length", fields["length"]))
    start_response(fields.get("status", "200 OK"), headers)
    original_close = source.close

    class Reporting:
        """The file, with a close that the test hears of."""
        read, fileno = source.read, source.fileno

        def close(self):
            report("file-closed")
            original_close()

    return environ["wsgi.file_wrapper"](Reporting() if fields.get("reporting") else source, 8192)


def fail(environ, start_response):
    """Raise at the point that is asked for."""
    when = query(environ)["when"]
    if when == "at once":
        raise RuntimeError("raised <at once>")
    headers = [("Content-Type", "text/plain")]
    start_response("200 OK", headers)
    if when == "after start_response":
        raise RuntimeError("raised after start_response")
    if when == "replaced":
        try:
            raise RuntimeError("handled by the app")
        except RuntimeError:
            start_response("503 Handled", [("Content-Type", "text/plain")], sys.exc_info())
        return Body(environ, [b"handled"])

    def parts():
        if when == "first part":
            raise RuntimeError("raised in the first part")
        yield b"first part\n"
        wait_for_gate("fail")
        if when == "exc_info too late":
            try:
                raise RuntimeError("raised and handed over too late")
            except RuntimeError:
                start_response("500 Too Late", headers, sys.exc_info())
        raise RuntimeError("raised in the second part")

    return Body(environ, parts())


def misuse(environ, start_response):
    """Break PEP 3333 in the way that is asked for."""
    how = query(environ)["how"]
    if how == "no start_response":
        return [b"no head"]
    if how == "twice":
        start_response("200 OK", [])
        start_response("200 OK", [])
    if how == "returns none":
        start_response("200 OK", [])
        return None
    if how == "text body":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return ["text, not bytes"]
    if how == "late start_response":
        def parts():
            start_response("200 OK", [("Content-Type", "text/plain")])
            yield b"started in the first step"
        return Body(environ, parts())
    return answer(start_response, "no such misuse", status="404 Not Found")


ROUTES = {"exact": exact, "huge-head": huge_head, "many-headers": many_headers, "stream": stream, "stream-by-write": stream_by_write, "big": big, "endless": endless,
          "waiting": waiting, "file": from_file, "fail": fail, "misuse": misuse}
