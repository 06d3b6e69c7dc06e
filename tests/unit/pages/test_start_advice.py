"""The advice of the friendly page: each common cause of a failed start has its own."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from spawner.options import AppOptions
from spawner.pages.start_advice import advice, retry_sentence
from spawner.shared.start_steps import AFTER_FORK, COMPILE, ENTER_ROOT, EXECUTE, FIND, IMPORT, START_LOADER
from spawner.start_failure import StartFailure

FACTS = (
    ("interpreter", "python3"),
    ("user", "shop (uid 1000, gid 1000)"),
    ("app root", "/srv/shop"),
    ("login shell", "/bin/bash"),
    ("runtime", "Python 3.11.2"),
    ("executable", "/usr/bin/python3"),
)


@dataclass
class Case:
    step: str
    summary: str
    advice: str
    python: str | None = None


CASES = [
    Case(IMPORT, "ModuleNotFoundError: No module named 'flask.views'", "/usr/bin/python3 -m pip install flask"),
    Case(IMPORT, "ModuleNotFoundError: No module named 'flask'", "no virtual environment at venv/ or .venv/"),
    Case(IMPORT, "ModuleNotFoundError: No module named 'flask'", "chosen by PassengerPython", "/opt/bin/python"),
    Case(IMPORT, "ImportError: cannot import name 'app' from 'shop.views' (/x)", "named views.py"),
    Case(COMPILE, "SyntaxError: invalid syntax (a.py, line 3)", "newer version than Python 3.11.2"),
    Case(FIND, "/x defines no 'application'", "a WSGI callable named application"),
    Case(IMPORT, "KeyError: 'DATABASE_URL'", "SetEnv DATABASE_URL"),
    Case(IMPORT, "ImproperlyConfigured: ... DJANGO_SETTINGS_MODULE ...", "SetEnv DJANGO_SETTINGS_MODULE"),
    Case(ENTER_ROOT, "user shop cannot enter the folder /srv", "setfacl -m u:shop:x /srv"),
    Case(IMPORT, "PermissionError: [Errno 13] Permission denied: '/var/x'", "May the user shop"),
    Case(EXECUTE, "python3 could not be executed", "python3 -m venv --clear"),
    Case(EXECUTE, "x could not be executed", "PassengerPython name an interpreter", "/opt/bin/python"),
    Case(EXECUTE, "/srv/python cannot be executed: user shop cannot enter the folder /root", "UV_PYTHON_INSTALL_DIR"),
    Case(START_LOADER, "the process ended (exit status 1) before it was up", "PassengerLoadShellEnvvars off"),
    Case(IMPORT, "not up within 90 s (PassengerStartTimeout)", "PassengerStartTimeout is 90 seconds"),
    Case(IMPORT, "the process ended (signal 9) before it was up", "out of memory?"),
    Case(IMPORT, "the process ended (signal 11) before it was up", "extension has crashed"),
    Case(IMPORT, "the app exits while it is loaded: SystemExit(0)", "remove sys.exit()"),
    Case(IMPORT, "the process ended (exit status 5) before it was up", "os._exit()"),
    Case(IMPORT, "ConnectionRefusedError: [Errno 111] Connection refused", "Does the service"),
    Case(IMPORT, "ImportError: libpq.so.5: cannot open shared object file", "--force-reinstall"),
    Case(AFTER_FORK, "ValueError: x", "after_fork()"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.step}: {case.summary}"[:60])
def test_a_common_cause_has_its_advice(case: Case) -> None:
    failure = StartFailure(case.step, case.summary, "", FACTS)
    assert case.advice in "\n".join(advice(failure, "wsgi", AppOptions(python=case.python)))


OTHERS = [
    ("rack", IMPORT, "LoadError: cannot load such file -- sinatra", "gem with sinatra in the app's Gemfile"),
    ("rack", IMPORT, "LoadError: cannot load such file -- sinatra", "as the user shop, with /opt/x"),
    ("rack", IMPORT, "Bundler::GemNotFound: Could not find rack-3.0 in locally installed gems", "run bundle install"),
    ("rack", FIND, "config.ru has no 'run': missing run or map statement", "run Rails.application"),
    ("rack", IMPORT, 'KeyError: key not found: "DATABASE_URL"', "SetEnv DATABASE_URL"),
    ("rack", EXECUTE, "/opt/x could not be executed: No such file", "PassengerDefaultRuby name a Ruby"),
    ("rack", EXECUTE, "user shop cannot enter the folder /root", "rbenv, rvm and chruby"),
    ("rack", IMPORT, "the app exits while it is loaded, with status 1", "remove exit"),
    ("rack", IMPORT, "the process ended (exit status 5) before it was up", "call exit!"),
    ("rack", AFTER_FORK, "ArgumentError: x", "on_event(:starting_worker_process)"),
    ("node", IMPORT, "Error: Cannot find module 'express'", "npm install express in"),
    ("node", IMPORT, "Error: Cannot find module './routes'", "Is there a file ./routes"),
    ("node", FIND, "the app has ended without a server that listens", "call listen()"),
    ("node", EXECUTE, "node could not be executed: No such file", "does PassengerNodejs name it"),
]


@pytest.mark.parametrize(("app_type", "step", "summary", "advised"), OTHERS)
def test_other_languages_have_advice_of_their_own(app_type: str, step: str, summary: str, advised: str) -> None:
    facts = (*FACTS[1:-2], ("interpreter", "/opt/x"))
    assert advised in "\n".join(advice(StartFailure(step, summary, "", facts), app_type, AppOptions()))


@pytest.mark.parametrize("app_type", ["rack", "node", "program"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.step}: {case.summary}"[:60])
def test_no_other_app_is_told_of_python(app_type: str, case: Case) -> None:
    told = "\n".join(advice(StartFailure(case.step, case.summary, "", FACTS[1:-2]), app_type, AppOptions()))
    assert not [word for word in ("Python", "WSGI", "pip", "sys.", "venv", "after_fork") if word in told]


FACTS_OF_NODE = (*FACTS[1:4], ("runtime", "Node.js 18.20.4"))
OF_NODE = [
    Case(
        IMPORT,
        "Error: Cannot find module '@shop/tea/leaf' Require stack: - /srv/shop/app.js",
        "npm install @shop/tea in",
    ),
    Case(IMPORT, "Error: Cannot find package 'tea' imported from /srv/shop/app.mjs", "npm install tea in /srv/shop"),
    Case(IMPORT, "Error: Cannot find module './Tea'", "Is there a file ./Tea?"),
    Case(COMPILE, "SyntaxError: Cannot use import statement outside a module", "name the file *.mjs"),
    Case(IMPORT, "ReferenceError: require is not defined in ES module scope", "name the file *.cjs"),
    Case(FIND, "the app has ended without a server that listens", "call listen() of an http.Server"),
    Case(IMPORT, "not up within 90 s (PassengerStartTimeout)", "PassengerStartTimeout is 90 seconds"),
    Case(IMPORT, "not up within 90 s (PassengerStartTimeout)", "call listen() of an http.Server"),
    Case(IMPORT, "the app has ended its process with status 0 before it listened", "process.exit()"),
    Case(EXECUTE, "node could not be executed", "does PassengerNodejs name it? It is node."),
    Case(IMPORT, "Error: ... was compiled against ... NODE_MODULE_VERSION 93", "npm rebuild"),
    Case(IMPORT, "the process ended (signal 9) before it was up", "out of memory?"),
]


@pytest.mark.parametrize("case", OF_NODE, ids=lambda case: f"{case.step}: {case.summary}"[:60])
def test_apps_of_node_have_an_advice_of_their_own(case: Case) -> None:
    advised = "\n".join(advice(StartFailure(case.step, case.summary, "", FACTS_OF_NODE), "node", AppOptions()))
    assert case.advice in advised
    assert not any(word in advised for word in ("Python", "pip", "WSGI"))


def test_an_interpreter_in_the_app_root_is_told_from_others() -> None:
    facts = (("interpreter", "/srv/shop/.venv/bin/python"), ("app root", "/srv/shop"))
    failure = StartFailure(IMPORT, "ModuleNotFoundError: No module named 'flask'", "", facts)
    assert "that of the virtual environment in the app root" in "\n".join(advice(failure, "wsgi", AppOptions()))


def test_nothing_is_advised_where_nothing_is_known() -> None:
    assert advice(StartFailure(IMPORT, "ValueError: odd"), "wsgi", AppOptions()) == []


def test_a_login_shell_that_is_not_used_is_not_suspected() -> None:
    assert advice(StartFailure(START_LOADER, "not heard of", "", FACTS[:3]), "wsgi", AppOptions()) == []


@pytest.mark.parametrize(
    ("seconds", "words"), [(1, "after 1 second tries"), (5, "after 5 seconds tries"), (None, "again at once when")]
)
def test_the_next_try_is_told(seconds: int | None, words: str) -> None:
    assert words in retry_sentence(seconds)


LIMITS = AppOptions(
    address_space_limit=64,
    user_process_limit=5,
    app_file_descriptor_ulimit=20,
    cpu_time_limit=3,
    app_memory_limit=100,
    app_process_limit=7,
    no_new_privileges=True,
)


@pytest.mark.parametrize(
    ("summary", "advised"),
    [
        ("MemoryError", "PassengerAddressSpaceLimit is 64 MB"),
        ("ImportError: libx.so: failed to map segment from shared object", "PassengerAddressSpaceLimit is 64 MB"),
        ("BlockingIOError: [Errno 11] Resource temporarily unavailable", "PassengerUserProcessLimit is 5"),
        ("RuntimeError: can't start new thread", "PassengerAppProcessLimit is 7"),
        ("OSError: [Errno 24] Too many open files: 'x'", "PassengerAppFileDescriptorUlimit is 20"),
        ("the process ended (signal 24; PassengerCpuTimeLimit 3: ...) before it was up", "PassengerCpuTimeLimit is 3"),
        ("the process ended (signal 9) before it was up", "PassengerAppMemoryLimit is 100 MB"),
        ("PermissionError: [Errno 1] Operation not permitted", "PassengerNoNewPrivileges is on"),
    ],
)
def test_a_limit_that_may_be_the_reason_is_named_and_only_where_it_is_set(summary: str, advised: str) -> None:
    failure = StartFailure(IMPORT, summary, "", FACTS)
    assert advised in "\n".join(advice(failure, "wsgi", LIMITS))
    assert advised.split(" is ")[0] not in "\n".join(advice(failure, "wsgi", AppOptions()))
