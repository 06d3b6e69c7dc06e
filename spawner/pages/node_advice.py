"""Advice for the error page of a Node.js app that did not start. No I/O."""

from __future__ import annotations

import re
from typing import Callable, Iterator, Mapping

from spawner.options import AppOptions
from spawner.shared import start_steps
from spawner.start_failure import StartFailure

_NO_MODULE = re.compile(r"Cannot find (?:module|package) '([^']+)'")
_OTHER_VERSION = ("NODE_MODULE_VERSION", "ERR_DLOPEN_FAILED", "invalid ELF header", "cannot open shared object file")

_Rule = Callable[[StartFailure, Mapping[str, str], AppOptions], Iterator[str]]


def _missing_module(failure: StartFailure, facts: Mapping[str, str], options: AppOptions) -> Iterator[str]:
    found = _NO_MODULE.search(failure.summary)
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


def _kind_of_module(failure: StartFailure, facts: Mapping[str, str], options: AppOptions) -> Iterator[str]:
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


def _interpreter(failure: StartFailure, facts: Mapping[str, str], options: AppOptions) -> Iterator[str]:
    if failure.step == start_steps.EXECUTE:
        yield "Is Node.js installed, and does PassengerNodejs name it? It is %s." % (options.nodejs or "not set")
        yield (
            "Tools like nvm keep Node.js below a home, which other users cannot enter. May the user %s execute it?"
            % facts.get("user", "of the app")
        )


def _binaries(failure: StartFailure, facts: Mapping[str, str], options: AppOptions) -> Iterator[str]:
    if any(text in failure.summary for text in _OTHER_VERSION):
        yield (
            "A package was compiled for another system, or another version than %s: npm rebuild, with this Node.js."
            % (facts.get("runtime", "this Node.js"))
        )


RULES: tuple[_Rule, ...] = (_missing_module, _kind_of_module, _no_server, _interpreter, _binaries)
