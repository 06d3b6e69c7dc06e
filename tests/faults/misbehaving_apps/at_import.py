"""Imported by the app request_log: threads that never end, a pool of threads, OpenMP.

Forks meet the threads at any point of what they do, with whatever lock of the interpreter they hold there.
"""

import concurrent.futures
import ctypes
import importlib
import logging
import os
import sys
import threading
import time

PAUSE = 0.0005  # seconds
IMPORTED_IN = os.getpid()
POOL = concurrent.futures.ThreadPoolExecutor(4)
LOG = logging.getLogger("noise")
LOG.addHandler(logging.StreamHandler(open(os.devnull, "w")))
OPENMP = ctypes.CDLL(os.path.join(os.path.dirname(os.path.abspath(__file__)), "openmp.so"))
assert OPENMP.sum_of_squares(1000) == 332833500


def talk():
    while True:
        LOG.warning("a line of a thread")
        sys.stderr.write("a line of a thread\n")
        time.sleep(PAUSE)


def import_again():
    import colorsys

    while True:
        importlib.reload(colorsys)
        time.sleep(PAUSE)


def submit():
    while True:
        list(POOL.map(bytearray, [100000] * 4))
        time.sleep(PAUSE)


for work in (talk, import_again, submit):
    threading.Thread(target=work, name=work.__name__, daemon=True).start()


def use():
    """Take each of the locks; threads of OpenMP are no worker's, unless it has imported the app itself."""
    LOG.warning("a line of a request")
    sys.stderr.write("a line of a request\n")
    importlib.reload(sys.modules["colorsys"])
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        assert list(pool.map(len, [b"x" * 100000] * 4)) == [100000] * 4
    if os.getpid() == IMPORTED_IN:
        assert OPENMP.sum_of_squares(1000) == 332833500
