"""What the app is given with a request."""
import sys
from urllib.parse import parse_qs

from probe_events import answer, answer_json


def index(environ, start_response):
    return answer(start_response, "the probe's front page")


def show_environ(environ, start_response):
    texts = {name: value for name, value in environ.items() if isinstance(value, str)}
    types = {name: type(value).__name__ for name, value in environ.items()}
    flags = {name: environ[name] for name in ("wsgi.multithread", "wsgi.multiprocess", "wsgi.run_once")}
    flags["wsgi.version"] = list(environ["wsgi.version"])
    flags["wsgi.input_terminated"] = environ.get("wsgi.input_terminated")
    flags["exact dict"] = type(environ) is dict
    flags["wsgi.errors is stderr"] = environ["wsgi.errors"] is sys.stderr
    return answer_json(start_response, {"texts": texts, "types": types, "flags": flags})


def parameters(environ, start_response):
    fields = parse_qs(environ["QUERY_STRING"])
    if environ["REQUEST_METHOD"] == "POST":
        fields.update(parse_qs(environ["wsgi.input"].read().decode()))
    return answer_json(start_response, fields)


def method(environ, start_response):
    return answer(start_response, environ["REQUEST_METHOD"])


ROUTES = {"": index, "environ": show_environ, "parameters": parameters, "method": method, "cached": method, "dir": method}
