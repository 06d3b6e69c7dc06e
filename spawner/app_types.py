"""The kinds of apps: which loader runs one, and what that loader can do.

The spawner has to know it before a process of an app exists: httpd sends the first request of an app while nothing of
it runs yet. A process says with `ready` what it can do; if that is less, it is not used.

Generated from apache_module/app_types.py by `python -m apache_module.generate`; do not edit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import AbstractSet

from spawner.errors import OperatorError

#: Every capability (docs/protocol.md, section 5). A loader without any speaks plain SCGI.
CAPABILITIES = {
    "acknowledge": "says when it accepts a request, before it calls the app",
    "body-file": "takes the body of a request as a descriptor of a file",
    "cancel": "ends one of the requests that it is in",
    "expect": "says when the app reads the body of a request that expects `100 Continue`",
    "framed-body": "takes the body of a request in frames, whose length nobody knows",
    "frames": "sends the body of a response in frames, so that a cut one is seen",
    "http": "speaks HTTP/1.1 instead of SCGI",
    "keep-alive": "takes another request on the same connection",
    "tail": "knows the tail of a request head by its bytes, and does not read it again",
    "token": "checks that a request comes from who knows the app's token",  # nosec B105  # a capability
}
#: The capability that says which of the two protocols is spoken. All others are additions to it.
WIRE = "http"
#: How the names of the files end that loaders consist of.
LOADER_FILE_ENDINGS = (".py", ".rb", ".js")


@dataclass(frozen=True)
class AppType:
    """What the spawner knows of one kind of app. apache_module/app_types.py says what each field means."""

    interpreter: str
    own_interpreters: tuple[str, ...]
    default_interpreter: str
    interpreter_in_path: str
    load_fields: tuple[tuple[str, str], ...]
    environment: tuple[tuple[str, str], ...]
    app_env_variables: tuple[str, ...]
    base_uri_variables: tuple[str, ...]
    program: str
    forks: bool
    supervised: bool
    capabilities: frozenset[str]


#: By name.
APP_TYPES = {
    "wsgi": AppType(
        interpreter="python",
        own_interpreters=("venv/bin/python", ".venv/bin/python"),
        default_interpreter="",
        interpreter_in_path="python3",
        load_fields=(),
        environment=(("PYTHONUNBUFFERED", "1"),),
        app_env_variables=("WSGI_ENV",),
        base_uri_variables=(),
        program="python/start.py",
        forks=True,
        supervised=False,
        capabilities=frozenset(
            ("acknowledge", "body-file", "expect", "framed-body", "frames", "keep-alive", "tail", "token")
        ),
    ),
    "rack": AppType(
        interpreter="ruby",
        own_interpreters=(),
        default_interpreter="default_ruby",
        interpreter_in_path="",
        load_fields=(("warmup", "warmup"), ("hooks_file", "ruby_hooks_file"), ("early_hints", "early_hints")),
        environment=(),
        app_env_variables=("RACK_ENV", "RAILS_ENV"),
        base_uri_variables=("RAILS_RELATIVE_URL_ROOT", "RACK_BASE_URI"),
        program="ruby/start.rb",
        forks=True,
        supervised=False,
        capabilities=frozenset(
            ("acknowledge", "body-file", "expect", "framed-body", "frames", "keep-alive", "tail", "token")
        ),
    ),
    "node": AppType(
        interpreter="nodejs",
        own_interpreters=(),
        default_interpreter="",
        interpreter_in_path="",
        load_fields=(),
        environment=(),
        app_env_variables=("NODE_ENV",),
        base_uri_variables=(),
        program="program/start.py",
        forks=False,
        supervised=True,
        capabilities=frozenset(
            ("acknowledge", "cancel", "expect", "framed-body", "http", "keep-alive")
        ),
    ),
    "program": AppType(
        interpreter="",
        own_interpreters=(),
        default_interpreter="",
        interpreter_in_path="",
        load_fields=(),
        environment=(),
        app_env_variables=(),
        base_uri_variables=(),
        program="program/start.py",
        forks=False,
        supervised=True,
        capabilities=frozenset(
            ("http",)
        ),
    ),
}


def app_type_of(name: str) -> AppType:
    """The kind of app of this name.

    :raises OperatorError: there is none.
    """
    try:
        return APP_TYPES[name]
    except KeyError:
        known = ", ".join(sorted(APP_TYPES))
        raise OperatorError("PassengerAppType %s is not supported; supported: %s" % (name, known)) from None


def capabilities_of(name: str, disabled: AbstractSet[str] = frozenset()) -> frozenset[str]:
    """What httpd and the spawner may use of the loader of a kind of app.

    :param disabled: capabilities that the operator has switched off (spawner.conf).
    :raises OperatorError: there is no such kind.
    """
    return app_type_of(name).capabilities - disabled
