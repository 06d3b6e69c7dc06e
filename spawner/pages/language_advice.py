"""Advice for the error page that depends on the language of the app, by step and message. No I/O."""

from __future__ import annotations

import re
from typing import Callable, Iterator, Mapping

from spawner.options import AppOptions
from spawner.shared import start_steps
from spawner.start_failure import StartFailure

Rule = Callable[[StartFailure, Mapping[str, str], AppOptions], Iterator[str]]

_CLOSED_HOME = re.compile(r"user \S+ cannot enter the folder ")


def _interpreter(facts: Mapping[str, str], otherwise: str) -> str:
    return facts.get("executable") or facts.get("interpreter", otherwise)


# Python

_NO_MODULE = re.compile(r"ModuleNotFoundError: No module named '([^']+)'|ImportError: No module named '?([\w.]+)")
_NO_NAME = re.compile(r"ImportError: cannot import name '([^']+)' from (?:partially initialized module )?'([^']+)'")
_BINARY = ("cannot open shared object file", "undefined symbol", "invalid ELF header", "GLIBC_")


def _missing_module(failure: StartFailure, facts: Mapping[str, str], options: AppOptions) -> Iterator[str]:
    found = _NO_MODULE.search(failure.summary)
    if found is None:
        return
    module, python = found.group(1) or found.group(2), _interpreter(facts, "python3")
    package = module.split(".")[0]
    yield "Is %s installed for %s? It would be by: %s -m pip install %s" % (module, python, python, package)
    yield _why_python(facts, options)
    yield "If %s is a module of your own: is it below one of the folders in sys.path, under exactly this name?" % module


def _why_python(facts: Mapping[str, str], options: AppOptions) -> str:
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


def _no_wsgi_callable(failure: StartFailure, facts: Mapping[str, str], options: AppOptions) -> Iterator[str]:
    if failure.step == start_steps.FIND:
        yield (
            "The entry file has to define a WSGI callable named application. Django: from django.core.wsgi import "
            "get_wsgi_application; application = get_wsgi_application(). Flask: from myapp import app as application."
        )


def _no_python(failure: StartFailure, facts: Mapping[str, str], options: AppOptions) -> Iterator[str]:
    if failure.step != start_steps.EXECUTE:
        return
    interpreter = facts.get("interpreter", "the interpreter")
    if _CLOSED_HOME.search(failure.summary) is not None:
        yield (
            "Tools like pyenv and uv keep their Pythons below a home. Give the app an environment of a Python that "
            "every user can reach: /usr/bin/python3 -m venv, or uv with UV_PYTHON_INSTALL_DIR below /opt."
        )
    elif options.python:
        yield "Does PassengerPython name an interpreter that exists? It is %s." % interpreter
    else:
        yield (
            "%s is a link into a Python installation that may no longer exist, for example after an upgrade of the "
            "system. Make the environment again: python3 -m venv --clear, then install the app's packages."
            % interpreter
        )


def _python_ended(failure: StartFailure, facts: Mapping[str, str], options: AppOptions) -> Iterator[str]:
    if "the app exits while it is loaded" in failure.summary:
        yield "An entry file defines the application and does not run a server: remove sys.exit() and app.run()."
    elif "exit status" in failure.summary and not failure.detail:
        yield "The process printed nothing. Does the app, or a file that Python runs at its start, call os._exit()?"


def _python_binaries(failure: StartFailure, facts: Mapping[str, str], options: AppOptions) -> Iterator[str]:
    if any(text in failure.summary for text in _BINARY):
        yield (
            "A compiled package does not fit this system or this Python: install it again with %s -m pip install "
            "--force-reinstall." % _interpreter(facts, "python3")
        )


def _python_forked(failure: StartFailure, facts: Mapping[str, str], options: AppOptions) -> Iterator[str]:
    if failure.step in (start_steps.AFTER_FORK, start_steps.ACCEPT):
        yield "after_fork() of the entry file runs in each worker before its first request: what does it wait for?"


# Ruby

_NO_FILE = re.compile(r"LoadError: cannot load such file -- (\S+)")
_GEMS = ("Bundler::GemNotFound", "Gem::MissingSpecError", "Gem::LoadError", "Bundler::GemfileNotFound")


def _missing_gem(failure: StartFailure, facts: Mapping[str, str], options: AppOptions) -> Iterator[str]:
    found = _NO_FILE.search(failure.summary)
    if found is not None:
        yield (
            "Is the gem with %s in the app's Gemfile, and installed? If there is no Gemfile, is it installed for %s?"
            % (found.group(1), _interpreter(facts, "ruby"))
        )
        yield "If %s is a file of your own: require_relative finds it beside the file that needs it." % found.group(1)
    if found is not None or any(name in failure.summary for name in _GEMS):
        yield (
            "Gems belong to one Ruby and are read by the app's user: run bundle install in the app root as the user "
            "%s, with %s." % (facts.get("user", "of the app").split(" (")[0], _interpreter(facts, "ruby"))
        )


def _no_rack_app(failure: StartFailure, facts: Mapping[str, str], options: AppOptions) -> Iterator[str]:
    if failure.step == start_steps.FIND:
        yield (
            "The entry file has to say run, with the app. Rails: run Rails.application. Sinatra: run "
            "Sinatra::Application, or the class of a modular app."
        )


def _no_ruby(failure: StartFailure, facts: Mapping[str, str], options: AppOptions) -> Iterator[str]:
    if failure.step != start_steps.EXECUTE:
        return
    if _CLOSED_HOME.search(failure.summary) is not None:
        yield "rbenv, rvm and chruby keep their Rubies below a home. Every user of an app has to be able to reach one."
    else:
        directive = "PassengerRuby" if options.ruby else "PassengerDefaultRuby"
        yield "Does %s name a Ruby that exists? It is %s." % (directive, facts.get("interpreter", "ruby"))


def _ruby_ended(failure: StartFailure, facts: Mapping[str, str], options: AppOptions) -> Iterator[str]:
    if "the app exits while it is loaded" in failure.summary:
        yield "A config.ru names the app and does not run a server: remove exit, and the start of another server."
    elif "exit status" in failure.summary and not failure.detail:
        yield "The process printed nothing. Does the app, or a file that RUBYOPT names, call exit!?"


def _ruby_forked(failure: StartFailure, facts: Mapping[str, str], options: AppOptions) -> Iterator[str]:
    if failure.step in (start_steps.AFTER_FORK, start_steps.ACCEPT):
        yield (
            "Hooks run in each worker before its first request: PhusionPassenger.on_event(:starting_worker_process), "
            "on_worker_boot. What do they wait for?"
        )


# Node.js

_NO_PACKAGE = re.compile(r"Cannot find (?:module|package) '([^']+)'")
_OTHER_VERSION = ("NODE_MODULE_VERSION", "ERR_DLOPEN_FAILED", "invalid ELF header", "cannot open shared object file")


def _missing_package(failure: StartFailure, facts: Mapping[str, str], options: AppOptions) -> Iterator[str]:
    found = _NO_PACKAGE.search(failure.summary)
    if found is None:
        return
    name = found.group(1)
    if name.startswith((".", "/")):
        yield "Is there a file %s? Upper and lower case count, and `import` needs the ending of the name." % name
        return
    package = "/".join(name.split("/")[: 2 if name.startswith("@") else 1])
    root = facts.get("app root", "the app root")
    yield "Is %s installed? It would be by npm install %s in %s; after a deployment, by npm ci." % (
        package,
        package,
        root,
    )
    yield "Does node_modules lie in %s or in a folder above it, and may the app's user read it?" % root


def _kind_of_node_module(failure: StartFailure, facts: Mapping[str, str], options: AppOptions) -> Iterator[str]:
    if "Cannot use import statement outside a module" in failure.summary:
        yield 'This is an ES module: name the file *.mjs, or write "type": "module" into package.json.'
    elif "is not defined in ES module scope" in failure.summary:
        yield 'This is no ES module: name the file *.cjs, or take "type": "module" out of package.json.'


def _no_server(failure: StartFailure, facts: Mapping[str, str], options: AppOptions) -> Iterator[str]:
    if failure.step == start_steps.FIND or "PassengerStartTimeout" in failure.summary:
        yield (
            "The entry file has to call listen() of an http.Server, or app.listen() of a framework. Is it the file "
            "that you would start by node? If not, name that one with PassengerStartupFile."
        )
    elif "it listened" in failure.summary:
        yield "The app ends its own process. Where process.exit() was called from, the traceback says."


def _no_node(failure: StartFailure, facts: Mapping[str, str], options: AppOptions) -> Iterator[str]:
    if failure.step == start_steps.EXECUTE:
        yield "Is Node.js installed, and does PassengerNodejs name it? It is %s." % (options.nodejs or "not set")
        yield (
            "Tools like nvm keep Node.js below a home, which other users cannot enter. May the user %s execute it?"
            % facts.get("user", "of the app")
        )


def _node_binaries(failure: StartFailure, facts: Mapping[str, str], options: AppOptions) -> Iterator[str]:
    if any(text in failure.summary for text in _OTHER_VERSION):
        yield (
            "A package was compiled for another system, or another version than %s: npm rebuild, with this Node.js."
            % (facts.get("runtime", "this Node.js"))
        )


#: By the wire name of the directive that names the interpreter (spawner/app_types.py).
RULES: Mapping[str, tuple[Rule, ...]] = {
    "python": (
        _missing_module,
        _missing_name,
        _no_wsgi_callable,
        _no_python,
        _python_ended,
        _python_binaries,
        _python_forked,
    ),
    "ruby": (_missing_gem, _no_rack_app, _no_ruby, _ruby_ended, _ruby_forked),
    "nodejs": (_missing_package, _kind_of_node_module, _no_server, _no_node, _node_binaries),
}
