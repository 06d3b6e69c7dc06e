"""The table of app types: one row for each kind of app, from which everything that knows kinds of apps is generated.

Pure data. `apache_module.generate` turns it into the table by which httpd recognises apps and into
`spawner/app_types.py`. To add a language, add a row here, add its loader to `spawner/loaders/`, and run `make generate`
(docs/loader-contract.md).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

#: What a loader's workers can do besides plain SCGI (docs/protocol.md, section 5).
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

_LOADER_IN_THE_APP = frozenset(
    ("acknowledge", "body-file", "expect", "framed-body", "frames", "keep-alive", "tail", "token")
)


@dataclass(frozen=True)
class AppType:
    """One row of the table.

    :ivar name: in messages and in `status`.
    :ivar words: of PassengerAppType that mean it.
    :ivar startup_file: the entry file, if PassengerStartupFile names none. An app root that has it holds such an app.
    :ivar endings: of the names of entry files, by which PassengerStartupFile says the type of an app.
    :ivar interpreter: wire name of the directive that names the program that runs the entry file; empty: there is none.
    :ivar own_interpreters: where an app may have its own, below the app root, in the order in which they are sought.
    :ivar default_interpreter: wire name of the directive of the server that names it for other apps; empty: none does.
    :ivar interpreter_in_path: its name in PATH, if no directive has a default; empty: there is none.
    :ivar load_fields: what `load` tells its loader besides: names of fields, each with the wire name of its directive.
    :ivar environment: variables that its processes need, with their values.
    :ivar app_env_variables: names under which its frameworks look for PassengerAppEnv.
    :ivar base_uri_variables: names under which they look for the path at which the app is mounted.
    :ivar request_keys: how the names of what its loader tells the app of a request begin; SetEnv cannot set them.
    :ivar program: path of the loader, below the folder of the loaders.
    :ivar forks: its loader can load the app once and fork the workers.
    :ivar supervised: the loader is a program of its own, run by Python, which starts the app's program beside it.
    :ivar capabilities: what its workers can do, of CAPABILITIES.
    """

    name: str
    words: tuple[str, ...]
    startup_file: str
    endings: tuple[str, ...]
    interpreter: str
    own_interpreters: tuple[str, ...]
    default_interpreter: str
    interpreter_in_path: str
    load_fields: tuple[tuple[str, str], ...]
    environment: tuple[tuple[str, str], ...]
    app_env_variables: tuple[str, ...]
    base_uri_variables: tuple[str, ...]
    request_keys: str
    program: str
    forks: bool
    supervised: bool
    capabilities: frozenset[str]


#: In the order in which httpd looks for their entry files.
APP_TYPES: tuple[AppType, ...] = (
    AppType(
        name="wsgi",
        words=("wsgi", "python"),
        startup_file="passenger_wsgi.py",
        endings=(".py", ".wsgi"),
        interpreter="python",
        own_interpreters=("venv/bin/python", ".venv/bin/python"),
        default_interpreter="",
        interpreter_in_path="python3",
        load_fields=(),
        environment=(("PYTHONUNBUFFERED", "1"),),
        app_env_variables=("WSGI_ENV",),
        base_uri_variables=(),
        request_keys="wsgi.",
        program="python/start.py",
        forks=True,
        supervised=False,
        capabilities=_LOADER_IN_THE_APP,
    ),
    AppType(
        name="rack",
        words=("rack", "ruby"),
        startup_file="config.ru",
        endings=(".ru",),
        interpreter="ruby",
        own_interpreters=(),
        default_interpreter="default_ruby",
        interpreter_in_path="",
        load_fields=(("warmup", "warmup"), ("hooks_file", "ruby_hooks_file"), ("early_hints", "early_hints")),
        environment=(),
        app_env_variables=("RACK_ENV", "RAILS_ENV"),
        base_uri_variables=("RAILS_RELATIVE_URL_ROOT", "RACK_BASE_URI"),
        request_keys="rack.",
        program="ruby/start.rb",
        forks=True,
        supervised=False,
        capabilities=_LOADER_IN_THE_APP,
    ),
    AppType(
        name="node",
        words=("node", "nodejs"),
        startup_file="app.js",
        endings=(".js", ".mjs", ".cjs"),
        interpreter="nodejs",
        own_interpreters=(),
        default_interpreter="",
        interpreter_in_path="",
        load_fields=(),
        environment=(),
        app_env_variables=("NODE_ENV",),
        base_uri_variables=(),
        request_keys="",
        program="program/start.py",
        forks=False,
        supervised=True,
        capabilities=frozenset(("acknowledge", "cancel", "expect", "framed-body", "http", "keep-alive")),
    ),
    # PassengerAppStartCommand says so, too.
    AppType(
        name="program",
        words=("program", "generic"),
        startup_file="Passengerfile.json",
        endings=(".json",),
        interpreter="",
        own_interpreters=(),
        default_interpreter="",
        interpreter_in_path="",
        load_fields=(),
        environment=(),
        app_env_variables=(),
        base_uri_variables=(),
        request_keys="",
        program="program/start.py",
        forks=False,
        supervised=True,
        capabilities=frozenset(("http",)),
    ),
)

#: How the names of the files end that loaders consist of.
LOADER_FILE_ENDINGS = (".py", ".rb", ".js")
#: For httpd, which recognises the apps and begins the requests. The spawner needs the other fields.
_FIELDS_OF_HTTPD = ("name", "words", "startup_file", "endings", "request_keys")
_FIELDS_OF_SPAWNER = [one for one in fields(AppType) if one.name not in _FIELDS_OF_HTTPD]
_BANNER = "Generated from apache_module/app_types.py by `python -m apache_module.generate`; do not edit."

_PYTHON = '''"""The kinds of apps: which loader runs one, and what that loader can do.

The spawner has to know it before a process of an app exists: httpd sends the first request of an app while nothing of
it runs yet. A process says with `ready` what it can do; if that is less, it is not used.

%s
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import AbstractSet

from spawner.errors import OperatorError

#: Every capability (docs/protocol.md, section 5). A loader without any speaks plain SCGI.
CAPABILITIES = {
%s}
#: The capability that says which of the two protocols is spoken. All others are additions to it.
WIRE = "%s"
#: How the names of the files end that loaders consist of.
LOADER_FILE_ENDINGS = %s


@dataclass(frozen=True)
class AppType:
    """What the spawner knows of one kind of app. apache_module/app_types.py says what each field means."""

%s

#: By name.
APP_TYPES = {
%s}


def app_type_of(name: str) -> AppType:
    """The kind of app of this name.

    :raises OperatorError: there is none.
    """
    try:
        return APP_TYPES[name]
    except KeyError:
        known = ", ".join(sorted(APP_TYPES))
        raise OperatorError("PassengerAppType %%s is not supported; supported: %%s" %% (name, known)) from None


def capabilities_of(name: str, disabled: AbstractSet[str] = frozenset()) -> frozenset[str]:
    """What httpd and the spawner may use of the loader of a kind of app.

    :param disabled: capabilities that the operator has switched off (spawner.conf).
    :raises OperatorError: there is no such kind.
    """
    return app_type_of(name).capabilities - disabled
'''


def words() -> dict[str, str]:
    """Each word of PassengerAppType, with the name of the type that it means."""
    return {word: row.name for row in APP_TYPES for word in row.words}


def app_env_variables() -> tuple[str, ...]:
    """Every name under which an app may look for PassengerAppEnv."""
    return ("PASSENGER_APP_ENV", *(name for row in APP_TYPES for name in row.app_env_variables))


def startup_files() -> str:
    """The entry files that are looked for, for people."""
    return ", ".join("`%s`" % row.startup_file for row in APP_TYPES)


def _literal(value: object) -> str:
    """A Python literal in double quotes."""
    if isinstance(value, str):
        return '"%s"' % value
    if isinstance(value, frozenset):
        return "frozenset(\n            %s\n        )" % _literal(tuple(sorted(value)))
    if isinstance(value, tuple):
        return "(%s%s)" % (", ".join(map(_literal, value)), "," if len(value) == 1 else "")
    return repr(value)


def _row(row: AppType) -> str:
    values = "".join("        %s=%s,\n" % (one.name, _literal(getattr(row, one.name))) for one in _FIELDS_OF_SPAWNER)
    return '    "%s": AppType(\n%s    ),\n' % (row.name, values)


def _capability(word: str, meaning: str) -> str:
    reason = "  # nosec B105  # a capability" if word == "token" else ""  # nosec B105  # a capability
    return '    "%s": "%s",%s\n' % (word, meaning, reason)


def python_module() -> str:
    """The text of spawner/app_types.py."""
    meanings = "".join(_capability(*one) for one in CAPABILITIES.items())
    attributes = "".join("    %s: %s\n" % (one.name, one.type) for one in _FIELDS_OF_SPAWNER)
    return _PYTHON % (_BANNER, meanings, WIRE, _literal(LOADER_FILE_ENDINGS), attributes, "".join(map(_row, APP_TYPES)))


def c_header() -> str:
    """The text of the table by which httpd recognises apps."""
    keys = "".join('"%s", ' % row.request_keys for row in APP_TYPES if row.request_keys)
    rows = "".join(
        '    {"%s", "%s", "%s"},\n' % (row.name, row.startup_file, " ".join(row.endings)) for row in APP_TYPES
    )
    return (
        "/* %s */\n"
        "#ifndef PASSENGER_APP_TYPES_H\n#define PASSENGER_APP_TYPES_H\n\n"
        "typedef struct passenger_app_type {\n"
        "    const char *name;            /* in messages */\n"
        "    const char *startup_file;    /* an app root that has it holds such an app */\n"
        "    const char *endings;         /* of the names of its entry files, separated by blanks */\n"
        "} passenger_app_type;\n\n"
        "/* The type of an app that PassengerAppStartCommand starts. */\n"
        '#define PASSENGER_PROGRAM_TYPE "program"\n\n'
        "/* In the order in which their entry files are looked for; ended by one without a name. */\n"
        "static const passenger_app_type passenger_app_types[] = {\n%s    {0},\n};\n\n"
        "/* How the names of what loaders tell apps of a request begin; ended by NULL. */\n"
        "static const char *const passenger_request_keys[] = {%sNULL};\n\n#endif\n" % (_BANNER, rows, keys)
    )
