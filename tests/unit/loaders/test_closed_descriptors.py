"""Apps that close descriptors which they do not know, as libraries for daemons do, while they are loaded."""

from __future__ import annotations

import pytest

from tests.unit.loaders.conftest import Starter

CLOSES = {
    "closerange": "os.closerange(3, 1024)",
    "each": """
for number in range(3, 1024):
    try:
        os.close(number)
    except OSError:
        pass
""",
    "taken by name": "from os import closerange; closerange(3, 1024)",
    "all of them": "os.closerange(3, os.sysconf('SC_OPEN_MAX'))",
}
APP = """
import os
opened = os.open(os.devnull, os.O_RDONLY)
%s
try:
    os.fstat(opened)
    theirs = "open"
except OSError:
    theirs = "closed"
import posix
def application(environ, start_response):
    start_response("200 OK", [])
    return [repr((theirs, os.close is posix.close, os.closerange is posix.closerange)).encode()]
"""


@pytest.mark.parametrize("how", CLOSES)
@pytest.mark.parametrize("direct", [False, True])
def test_an_app_that_closes_all_descriptors_at_its_import_is_served(starter: Starter, how: str, direct: bool) -> None:
    preloader = starter.start(APP % CLOSES[how])
    if direct:
        preloader.serve()
        worker = preloader
    else:
        preloader.load()
        worker = preloader.fork()  # type: ignore[assignment]
    assert worker.get().text == "('closed', True, True)"
    worker.retire()
    worker.wait_for_end()


def test_closing_one_of_ours_fails_as_closing_a_closed_one_does(starter: Starter) -> None:
    worker = starter.worker("""
        import errno, os
        told = set()
        for number in range(3, 20):
            try:
                os.close(number)
            except OSError as error:
                told.add(error.errno)
        def application(environ, start_response):
            start_response("200 OK", [])
            return [repr(told == {errno.EBADF}).encode()]
        """)
    assert worker.get().text == "True"


def test_a_child_that_the_app_forks_may_close_ours(starter: Starter) -> None:
    worker = starter.worker("""
        import os
        read_end, write_end = os.pipe()
        child = os.fork()
        if not child:
            os.closerange(3, write_end)
            os.closerange(write_end + 1, 1024)
            os.write(write_end, repr(sorted(os.listdir("/proc/self/fd"))).encode())
            os._exit(0)
        os.waitpid(child, 0)
        held = os.read(read_end, 1000).decode()
        def application(environ, start_response):
            start_response("200 OK", [])
            return [held.encode()]
        """)
    held = eval(worker.get().text)
    assert len(held) == 5, held  # the three standard ones, the pipe, and the folder itself
