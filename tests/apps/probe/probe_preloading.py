"""What preloading has left in this worker."""
import gc
import os
import pickle
import random

from probe_events import answer, answer_json, report

LOADED_BY = os.getpid()


class Picklable:
    pass


def preloading(environ, start_response):
    frozen = gc.get_freeze_count() if hasattr(gc, "get_freeze_count") else None
    return answer_json(start_response, {"pid": os.getpid(), "loaded by": LOADED_BY, "random": random.random(),
                                        "frozen": frozen, "collecting": gc.isenabled()})


def picklable(environ, start_response):
    import passenger_wsgi
    return answer(start_response, type(pickle.loads(pickle.dumps(passenger_wsgi.OfTheEntryFile()))).__module__)


def after_fork():
    report("after-fork-%d" % os.getpid())


def before_exit():
    report("before-exit-%d" % os.getpid())


ROUTES = {"preloading": preloading, "picklable": picklable}
