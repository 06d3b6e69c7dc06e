"""Large answers of known bytes, for clients that read slowly. Notes what it has done in events/."""
import array
import hashlib
import os
import socket
import struct
import time


def content(size):
    block = b"".join(hashlib.sha256(b"%d" % number).digest() for number in range(2048))
    return (block * (size // len(block) + 1))[:size]


def note(name):
    with open("events/" + name, "a") as stream:
        stream.write("x\n")


def big(size, piece):
    whole = content(size)
    try:
        for start in range(0, size, piece):
            yield whole[start:start + piece]
    finally:
        note("given-%d" % size)


def cut(size):
    yield content(size)
    note("cut")
    os._exit(1)


def tick(size):
    """An event every tenth of a second, for twenty seconds; close() waits for its gate."""
    padding = content(size)
    try:
        for _ in range(200):
            yield b"tick" + padding
            time.sleep(0.1)
    finally:
        note("closed")
        while not os.path.exists("events/gate-close"):
            time.sleep(0.01)


def connection():
    """The connection that is being served."""
    for name in os.listdir("/proc/self/fd"):
        try:
            found = socket.socket(fileno=os.dup(int(name)))
        except OSError:
            continue
        if found.family == socket.AF_UNIX and found.type == socket.SOCK_STREAM:
            if not found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                return found
        found.close()
    raise RuntimeError("no connection")


def mixed(size):
    """Bytes, a file, bytes, a file, bytes: each `size` long, together one run of the known bytes."""
    whole = content(size * 5)
    with open("events/file", "wb") as stream:
        stream.write(whole)
    for part in range(5):
        if part % 2 == 0:
            yield whole[part * size:(part + 1) * size]
        else:
            frame = b"\xff\xff\xff\xff" + struct.pack(">QQ", part * size, size)
            with open("events/file", "rb") as stream:
                rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [stream.fileno()]))
                connection().sendmsg([frame], [rights])


def hello():
    yield b"hello"


ROUTES = {"big": big, "cut": cut, "tick": tick, "mixed": mixed, "": hello}


def application(environ, start_response):
    name, *numbers = environ["PATH_INFO"].strip("/").split("/")
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    return ROUTES[name](*map(int, numbers))
