"""Advice for the error page: what to check first when an app did not start, by step and message. No I/O."""

from __future__ import annotations

import re
from typing import Callable, Iterator, Mapping, Optional

from spawner.options import AppOptions
from spawner.pages import node_advice
from spawner.shared import start_steps
from spawner.start_failure import StartFailure

_NO_MODULE = re.compile(r"ModuleNotFoundError: No module named '([^']+)'|ImportError: No module named '?([\w.]+)")
_NO_NAME = re.compile(r"ImportError: cannot import name '([^']+)' from (?:partially initialized module )?'([^']+)'")
_KEY_ERROR = re.compile(r"KeyError: '([A-Z][A-Z0-9_]+)'")
_NOT_PERMITTED = re.compile(r"PermissionError: .*?: '([^']+)'")
_CANNOT_ENTER = re.compile(r"user (\S+) cannot enter the folder (.+)\Z")
_REFUSED = ("Connection refused", "could not connect to server", "Can't connect to", "OperationalError")
_NO_MEMORY = ("MemoryError", "Cannot allocate memory", "cannot allocate memory", "failed to map segment")
_NO_PROCESS = ("Resource temporarily unavailable", "can't start new thread", "BlockingIOError", "pthread_create")
_BINARY = ("cannot open shared object file", "undefined symbol", "invalid ELF header", "GLIBC_")


def advice(failure: StartFailure, options: AppOptions, app_type: str = "wsgi") -> list[str]:
    """Sentences that say what to check, the likeliest cause first. Empty if no rule knows more than the failure."""
    facts = dict(failure.facts)
    rules = (*_OF_TYPE.get(app_type, ()), *_RULES)
    return [sentence for rule in rules for sentence in rule(failure, facts, options)]


_Rule = Callable[[StartFailure, Mapping[str, str], AppOptions], Iterator[str]]


def _missing_module(failure: StartFailure, facts: Mapping[str, str], options: AppOptions) -> Iterator[str]:
    found = _NO_MODULE.search(failure.summary)
    if found is None:
        return
    module = found.group(1) or found.group(2)
    interpreter = facts.get("executable") or facts.get("interpreter", "python3")
    yield "Is %s installed for %s? It would be by: %s -m pip install %s" % (
        module,
        interpreter,
        interpreter,
        module.split(".")[0],
    )
    yield _why_interpreter(facts, options)
    yield "If %s is a module of your own: is it below one of the folders in sys.path, under exactly this name?" % module


def _why_interpreter(facts: Mapping[str, str], options: AppOptions) -> str:
    interpreter, root = facts.get("interpreter", ""), facts.get("app root", "")
    if options.python:
        return "This interpreter was chosen by PassengerPython. Is it that of the environment with the app's packages?"
    if root and interpreter.startswith(root + "/"):
        return "This interpreter is that of the virtual environment in the app root. Are the packages in this one?"
    return (
        "There is no virtual environment at venv/ or .venv/ in the app root, so the system's python3 was taken. Make "
        "one there, or name the interpreter of the app's environment with PassengerPython."
    )


def _missing_name(failure: StartFailure, facts: Mapping[str, str], options: AppOptions) -> Iterator[str]:
    found = _NO_NAME.search(failure.summary)
    if found is not None:
        yield (
            "Do two modules import each other, or is there another file named %s.py that is found first?"
            % found.group(2).split(".")[-1]
        )


def _syntax(failure: StartFailure, facts: Mapping[str, str], options: AppOptions) -> Iterator[str]:
    if failure.summary.startswith(("SyntaxError", "IndentationError", "TabError")):
        yield "Look at the marked line and at the line before it: an open bracket or quote is reported only there."
        yield "If the line is correct: does it need a newer version than %s?" % facts.get("runtime", "this one")


def _no_application(failure: StartFailure, facts: Mapping[str, str], options: AppOptions) -> Iterator[str]:
    if failure.step == start_steps.FIND:
        yield (
            "The entry file has to define a WSGI callable named application. Django: from django.core.wsgi import "
            "get_wsgi_application; application = get_wsgi_application(). Flask: from myapp import app as application."
        )


def _environment(failure: StartFailure, facts: Mapping[str, str], options: AppOptions) -> Iterator[str]:
    found = _KEY_ERROR.search(failure.summary)
    name = found.group(1) if found is not None else None
    if name is None and "DJANGO_SETTINGS_MODULE" in failure.summary:
        name = "DJANGO_SETTINGS_MODULE"
    if name is not None:
        yield (
            "Is this an environment variable that is not set for the app? Set it with SetEnv %s ... in the virtual "
            "host, or in the app user's login files (with PassengerLoadShellEnvvars on)." % name
        )


def _permission(failure: StartFailure, facts: Mapping[str, str], options: AppOptions) -> Iterator[str]:
    entered = _CANNOT_ENTER.search(failure.summary)
    refused = _NOT_PERMITTED.search(failure.summary)
    if entered is not None:
        yield (
            "The user that the app runs as needs the right to pass through every folder on the way: "
            "setfacl -m u:%s:x %s, or chmod o+x." % (entered.group(1), entered.group(2))
        )
    elif refused is not None:
        yield "May the user %s read or write %s?" % (facts.get("user", "of the app"), refused.group(1))
    if failure.step in (start_steps.CHOOSE_USER, start_steps.ENTER_ROOT):
        yield "Apps run as the owner of their entry file, unless PassengerUser says otherwise."


def _interpreter(failure: StartFailure, facts: Mapping[str, str], options: AppOptions) -> Iterator[str]:
    if failure.step != start_steps.EXECUTE:
        return
    interpreter = facts.get("interpreter", "the interpreter")
    if _CANNOT_ENTER.search(failure.summary) is not None:
        yield (
            "Tools like pyenv and uv keep their Pythons below a home. Give the app an environment of a Python that "
            "every user can reach: /usr/bin/python3 -m venv, or uv with UV_PYTHON_INSTALL_DIR below /opt."
        )
        return
    if options.python:
        yield "Does PassengerPython name an interpreter that exists? It is %s." % interpreter
    else:
        yield (
            "%s is a link into a Python installation that may no longer exist, for example after an upgrade of the "
            "system. Make the environment again: python3 -m venv --clear, then install the app's packages."
            % interpreter
        )
    yield "May the user %s execute it, and pass through the folders on the way?" % facts.get("user", "of the app")


def _login_shell(failure: StartFailure, facts: Mapping[str, str], options: AppOptions) -> Iterator[str]:
    shell = facts.get("login shell")
    if shell and failure.step in (start_steps.EXECUTE, start_steps.START_LOADER):
        yield (
            "The app is started by its user's login shell, %s. Does a file like ~/.profile or ~/.bash_profile end the "
            "shell, wait for something, or execute another shell? PassengerLoadShellEnvvars off starts the app without "
            "a login shell." % shell
        )


def _time_out(failure: StartFailure, facts: Mapping[str, str], options: AppOptions) -> Iterator[str]:
    if "PassengerStartTimeout" in failure.summary:
        yield "While it is loaded, does the app wait for a database, another service, a lock or a download?"
        yield "If it needs that long: PassengerStartTimeout is %d seconds now." % options.start_timeout


def _out_of_memory(failure: StartFailure, facts: Mapping[str, str], options: AppOptions) -> Iterator[str]:
    if "signal 9" in failure.summary:
        yield "Did the kernel kill it because the machine was out of memory? See: journalctl -k --grep 'out of memory'"


def _ended(failure: StartFailure, facts: Mapping[str, str], options: AppOptions) -> Iterator[str]:
    if "signal 11" in failure.summary or "signal 6" in failure.summary:
        yield "An extension module has crashed. Was it compiled for this version of Python and of the system?"
    elif "the app exits while it is loaded" in failure.summary:
        yield "An entry file defines the application and does not run a server: remove sys.exit() and app.run()."
    elif "exit status" in failure.summary and not failure.detail:
        yield "The process printed nothing. Does the app, or a file that Python runs at its start, call os._exit()?"


def _limits(failure: StartFailure, facts: Mapping[str, str], options: AppOptions) -> Iterator[str]:
    """Where a directive may be the reason, it is named with its value."""
    text = "%s\n%s" % (failure.summary, failure.detail)
    if options.address_space_limit and any(sign in text for sign in _NO_MEMORY):
        yield (
            "PassengerAddressSpaceLimit is %d MB. Libraries and the stacks of threads count completely: an app needs "
            "several times the memory that it uses. PassengerAppMemoryLimit counts what the app uses."
            % options.address_space_limit
        )
    if any(sign in text for sign in _NO_PROCESS):
        yield from _process_limits(options)
    if options.cpu_time_limit and ("PassengerCpuTimeLimit" in text or "signal 9" in text):
        yield (
            "PassengerCpuTimeLimit is %d seconds. It counts from the start of each process, its import included."
            % options.cpu_time_limit
        )
    if options.app_memory_limit and "signal 9" in text:
        yield (
            "PassengerAppMemoryLimit is %d MB for all processes of the app together, those of an old release included."
            % options.app_memory_limit
        )
    if options.app_file_descriptor_ulimit and "Too many open files" in text:
        yield "PassengerAppFileDescriptorUlimit is %d for each process." % options.app_file_descriptor_ulimit
    if options.no_new_privileges and "Operation not permitted" in text:
        yield "PassengerNoNewPrivileges is on: programs like sudo and a setgid sendmail get no rights from the app."


def _process_limits(options: AppOptions) -> Iterator[str]:
    if options.app_process_limit:
        yield (
            "PassengerAppProcessLimit is %d. Threads count, and during a restart the old and the new release do "
            "together." % options.app_process_limit
        )
    if options.user_process_limit:
        yield (
            "PassengerUserProcessLimit is %d. It counts all processes and threads of the user on this machine; "
            "PassengerAppProcessLimit counts those of the app." % options.user_process_limit
        )


def _services(failure: StartFailure, facts: Mapping[str, str], options: AppOptions) -> Iterator[str]:
    if any(text in failure.summary for text in _REFUSED):
        yield "Does the service that the app connects to run? Does the app use the right address and password?"


def _binaries(failure: StartFailure, facts: Mapping[str, str], options: AppOptions) -> Iterator[str]:
    if any(text in failure.summary for text in _BINARY):
        yield (
            "A compiled package does not fit this system or this Python: install it again with %s -m pip install "
            "--force-reinstall." % (facts.get("executable") or facts.get("interpreter", "python3"))
        )


def _after_fork(failure: StartFailure, facts: Mapping[str, str], options: AppOptions) -> Iterator[str]:
    if failure.step in (start_steps.AFTER_FORK, start_steps.ACCEPT):
        yield "after_fork() of the entry file runs in each worker before its first request: what does it wait for?"


# For apps of every kind.
_RULES: tuple[_Rule, ...] = (_syntax, _permission, _login_shell, _time_out, _limits, _out_of_memory, _services)
_OF_TYPE: Mapping[str, tuple[_Rule, ...]] = {
    "wsgi": (
        _missing_module,
        _missing_name,
        _no_application,
        _environment,
        _interpreter,
        _ended,
        _binaries,
        _after_fork,
    ),
    "node": node_advice.RULES,
}


def retry_sentence(retry_in: Optional[int]) -> str:
    """When the app is started again."""
    touch = "at once when restart.txt is touched"
    if retry_in is None:
        return "It is tried again %s." % touch
    return "The next request after %d %s tries again; %s." % (retry_in, "second" if retry_in == 1 else "seconds", touch)
