"""Forks while threads of the app go on: no worker waits for a lock of a thread that it does not have."""

from __future__ import annotations

import time

from tests.unit.loaders.conftest import Starter

SERVE = """
def application(environ, start_response):
    start_response("200 OK", [])
    return [work()]
"""
#: A log whose handler writes all the time, to a stream with a lock of its own, as open files have.
TALKATIVE = """
import logging, os, threading, time
class Stream:
    def __init__(self):
        self.lock, self.lines = threading.Lock(), 0
    def write(self, text):
        with self.lock:
            time.sleep(0.005)
            self.lines += 1
    def flush(self):
        pass
STREAM = Stream()
logging.getLogger().addHandler(logging.StreamHandler(STREAM))
def talk():
    while True:
        logging.warning("a line")
        time.sleep(0.002)
threading.Thread(target=talk, daemon=True).start()
while not STREAM.lines:
    time.sleep(0.001)
def work():
    logging.warning("a line of a request")
    return b"written"
"""
#: A module that the first thread to import it never gets out of.
IMPORTING = """
import threading, time
def get():
    import endless
threading.Thread(target=get, daemon=True).start()
import begun
begun.EVENT.wait()
def work():
    import endless
    return endless.WORD
"""
ENDLESS = """
import threading, time
import begun
while threading.current_thread() is not threading.main_thread():
    begun.EVENT.set()
    time.sleep(0.01)
WORD = b"imported"
"""
#: A handler that is in the middle of a line for ever.
STUCK = """
import logging, threading
HANDLER = logging.StreamHandler()
HELD = threading.Event()
def hold():
    with HANDLER.lock:
        HELD.set()
        threading.Event().wait()
threading.Thread(target=hold, daemon=True).start()
HELD.wait()
def work():
    logging.getLogger().addHandler(HANDLER)
    logging.warning("a line of a request")
    return b"written"
"""


def test_a_log_that_a_thread_writes_to_is_free_in_each_worker(starter: Starter) -> None:
    preloader = starter.start(TALKATIVE + SERVE)
    preloader.load()
    for _ in range(4):
        assert preloader.fork().get().text == "written"


def test_a_module_that_a_thread_is_importing_is_imported_anew_in_a_worker(starter: Starter) -> None:
    starter.write("import threading\nEVENT = threading.Event()\n", "begun.py")
    starter.write(ENDLESS, "endless.py")
    preloader = starter.start(IMPORTING + SERVE)
    preloader.load()
    assert preloader.fork().get().text == "imported"


def test_a_handler_that_is_stuck_holds_a_fork_up_for_a_moment_only(starter: Starter) -> None:
    preloader = starter.start(STUCK + SERVE)
    preloader.load()
    moment = time.monotonic()
    worker = preloader.fork()
    assert time.monotonic() - moment < 10
    assert worker.pid != preloader.pid
