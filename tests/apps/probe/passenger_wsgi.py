"""The universal test app: each first path segment is a behaviour. Runs on every Python from 3.6."""
import probe_bodies
import probe_environ
import probe_preloading
import probe_processes
import probe_responses
from probe_preloading import after_fork, before_exit  # noqa: F401

ROUTES = {}
for module in (probe_bodies, probe_environ, probe_preloading, probe_processes, probe_responses):
    ROUTES.update(module.ROUTES)


class OfTheEntryFile:
    """Can only be pickled when the entry file is a module that can be found."""


def application(environ, start_response):
    segment = environ["PATH_INFO"].lstrip("/").partition("/")[0]
    return ROUTES[segment](environ, start_response)
