"""A probe: each function is the app of one path. Runs on every Python since 3.6."""

import sys
import tempfile

PLAIN = [("Content-Type", "text/plain")]
closed = []  # names of iterables whose close() has been called


def application(environ, start_response):
    name = environ["PATH_INFO"][1:] or "hello"
    return globals()[name](environ, start_response)


def hello(environ, start_response):
    start_response("200 OK", PLAIN)
    return [b"Hello, world!"]


def spec(environ, start_response):
    """Answer what the query, a Python literal, says: (status, headers, blocks)."""
    status, headers, blocks = eval(environ["QUERY_STRING"])
    start_response(status, headers)
    return blocks


def two_blocks(environ, start_response):
    """A list of two blocks of so many bytes together."""
    start_response("200 OK", [])
    return [b"x", b"x" * (int(environ["QUERY_STRING"]) - 1)]


def spec_stream(environ, start_response):
    for block in spec(environ, start_response):
        yield block


class Blocks(object):
    """An iterable that notes its close()."""

    def __init__(self, name, blocks):
        self.name = name
        self.blocks = blocks

    def __iter__(self):
        for block in self.blocks:
            if isinstance(block, BaseException):
                raise block
            yield block

    def close(self):
        closed.append(self.name)


class SizedBlocks(Blocks):
    def __len__(self):
        return len(self.blocks)


def sized(environ, start_response):
    start_response("200 OK", PLAIN)
    return SizedBlocks("sized", [b"one block"])


def what_was_closed(environ, start_response):
    start_response("200 OK", PLAIN)
    names, closed[:] = list(closed), []
    return [" ".join(names).encode()]


def closes(environ, start_response):
    start_response("200 OK", PLAIN)
    return Blocks("closes", [b"a", b"b"])


def closes_after_failing(environ, start_response):
    start_response("200 OK", PLAIN)
    return Blocks("after-failing", [b"first", ValueError("in the middle")])


def closes_before_the_head(environ, start_response):
    return Blocks("before-the-head", [b"no head yet"])


def endless(environ, start_response):
    start_response("200 OK", PLAIN)

    def blocks():
        while True:
            yield b"x" * 10000

    return Blocks("endless", blocks())


def close_fails(environ, start_response):
    class Failing(Blocks):
        def close(self):
            raise RuntimeError("in close")

    start_response("200 OK", PLAIN)
    return Failing("", [b"whole"])


def writes(environ, start_response):
    write = start_response("200 OK", PLAIN)
    write(b"one ")
    write(b"")
    write(b"two ")
    return [b"three"]


def waits(environ, start_response):
    """Sends each block only once the one before has been acknowledged on the request body."""
    start_response("200 OK", PLAIN)
    yield b""
    yield b"first"
    environ["wsgi.input"].read(1)
    yield b"second"
    environ["wsgi.input"].read(1)
    yield b"third"


def complete_and_goes_on(environ, start_response):
    start_response("200 OK", [("Content-Length", "4")])
    yield b"all."
    environ["wsgi.input"].read(1)


def written_at_once(environ, start_response):
    write = start_response("200 OK", PLAIN)
    write(b"first")
    environ["wsgi.input"].read(1)
    return [b"second"]


def raises(environ, start_response):
    raise ValueError("at once")


def raises_after_head(environ, start_response):
    start_response("200 OK", PLAIN)
    raise ValueError("after start_response")


def exits(environ, start_response):
    sys.exit(3)


def exits_in_the_middle(environ, start_response):
    start_response("200 OK", PLAIN)
    yield b"first"
    sys.exit(3)


def interrupts(environ, start_response):
    raise KeyboardInterrupt


def forgets_to_start(environ, start_response):
    return []


def forgets_to_start_with_body(environ, start_response):
    return [b"body"]


def returns_none(environ, start_response):
    start_response("200 OK", PLAIN)


def starts_twice(environ, start_response):
    start_response("200 OK", PLAIN)
    start_response("201 Created", PLAIN)
    return [b"x"]


def starts_again_with_exc_info(environ, start_response):
    start_response("200 OK", PLAIN + [("X-Old", "1"), ("Content-Length", "3")])
    try:
        raise ValueError("handled")
    except ValueError:
        start_response("503 Oops", PLAIN + [("X-New", "1")], sys.exc_info())
    return [b"an error page"]


def starts_again_too_late(environ, start_response):
    start_response("200 OK", PLAIN)
    yield b"first"
    try:
        raise ValueError("too late to handle")
    except ValueError:
        start_response("503 Oops", PLAIN, sys.exc_info())
    yield b"never"


def lazy(environ, start_response):
    start_response("200 OK", PLAIN)
    yield b"started in the generator"


CHUNKED = [("Transfer-Encoding", "chunked")]


def chunked_file(environ, start_response):
    start_response("200 OK", CHUNKED)
    file = tempfile.TemporaryFile()
    file.write(b"b\r\nfrom a file\r\n0\r\n\r\n")
    file.seek(0)
    return environ["wsgi.file_wrapper"](file)


def chunks_and_waits(environ, start_response):
    start_response("200 OK", CHUNKED)
    yield b"5\r\nfirst\r\n"
    environ["wsgi.input"].read(1)
    yield b"0\r\n\r\n"
    environ["wsgi.input"].read(1)


def swallows_refusal(environ, start_response):
    try:
        start_response("200 OK", [("Transfer-Encoding", "gzip")])
    except ValueError:
        pass
    return [b"x"]


def calls_helper_that_fails(environ, start_response):
    def helper_of_the_app():
        start_response("200 OK", [("X-Bad", "a\nb")])

    helper_of_the_app()


def generator_that_notes_its_end(environ, start_response):
    start_response("200 OK", PLAIN)
    try:
        yield b"a"
        yield b"b"
    finally:
        closed.append("generator")


def big(environ, start_response):
    start_response("200 OK", PLAIN)
    for _ in range(300):
        yield b"0123456789abcdef" * 1024


def many_blocks(environ, start_response):
    start_response("200 OK", PLAIN)
    return [b"x" * 100000] * 5


def write_after_client_left(environ, start_response):
    write = start_response("200 OK", PLAIN)
    try:
        while True:
            write(b"x" * 10000)
    except OSError as error:
        closed.append(type(error).__name__)
        raise RuntimeError("an app that is upset") from error
