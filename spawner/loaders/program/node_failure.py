"""What is told the spawner of a Node.js app that does not start: the fields of `failed` (docs/protocol.md, section 5).

The loader in Node.js (loaders/node/error_report.js) says what was thrown, with the stacks as text. Here, by a process
of the same user, the lines of source are read and the secrets hidden, as for Python apps.
"""

import os
import re
from typing import Any, Dict, Iterator, List, Tuple
from urllib.parse import unquote

from ...shared import exception_serializer, masking, start_steps
from ...shared.app_files import AppFiles
from ...shared.exception_serializer import Frame, SerializedException
from .supervised_program import Fields

_LONGEST_TEXT = 64 * 1024  # characters of a stack: it travels in one control message
_LONGEST_PATH = 16 * 1024  # characters of all folders in which modules are looked for
_LONGEST_ENVIRONMENT = 16 * 1024  # characters
_MOST_EXCEPTIONS = 16
_FILE_URL = "file://"
# `at f (/srv/app/a.js:1:2)`, `at async file:///srv/app/a.mjs:1:2`. Node.js's own modules are `node:...`.
_CALL = re.compile(r"\s+at (?:async )?(?:(?P<function>[^/]*?) \()?(?P<file>(?:file://)?/.*?):(?P<line>\d+):\d+\)?\Z")
_HEAD = re.compile(r"(?P<file>(?:file://)?/.*):(?P<line>\d+)\Z")  # of the stack of an error of syntax
_NOT_FOUND = re.compile(r"Cannot find (?P<what>package|module) '(?P<name>[^']+)' imported from (?P<file>/.*)")
_SPECIFIER = re.compile(r"""\b(?:from|import)\s{0,20}\(?\s{0,20}['"]([^'"]+)['"]""")
_LONGEST_FILE = 4 * 1024 * 1024  # bytes of a file that is searched


def fields_of(message: Dict[str, Any], app_root: str) -> Fields:
    """Return the fields. The app can have written what it likes: whatever is no text becomes some."""
    step = text_of(message, "step")
    fields: Fields = [("step", step if step in start_steps.OF_LOADERS else start_steps.IMPORT)]
    fields += [(name, text_of(message, name)) for name in ("runtime", "executable")]
    fields.append(("summary", " ".join(text_of(message, "summary").splitlines())))
    fields += [("traceback", text_of(message, "traceback")), ("cwd", os.getcwd())]
    folders = message.get("search_path")
    if isinstance(folders, list):
        fields += _within([("search_path", _clean(folder)) for folder in folders], _LONGEST_PATH)
    return fields + _for_friendly_pages(message, AppFiles(app_root))


def text_of(message: Dict[str, Any], name: str) -> str:
    """Return a field as text that can be encoded, without NUL."""
    return _clean(message.get(name, ""))[-_LONGEST_TEXT:]


def _clean(value: Any) -> str:
    return str(value).replace("\0", "").encode("utf-8", "backslashreplace").decode("utf-8")


def _for_friendly_pages(message: Dict[str, Any], files: AppFiles) -> Fields:
    fields: Fields = []
    raised, variables = message.get("exceptions"), message.get("environment")
    if isinstance(raised, list) and raised:
        serialized = [_exception(each, files) for each in raised[:_MOST_EXCEPTIONS] if isinstance(each, dict)]
        fields.append(("exceptions", exception_serializer.to_json(serialized)))
    if isinstance(variables, dict):
        shown = [(_clean(name), masking.variable(_clean(name), _clean(variables[name]))) for name in sorted(variables)]
        fields += _within([("env:" + name, value) for name, value in shown], _LONGEST_ENVIRONMENT)
    return fields


def _within(fields: Fields, limit: int) -> Fields:
    """Return the first ones that have no more characters than the limit."""
    kept: Fields = []
    for name, value in fields:
        limit -= len(name) + len(value)
        if limit < 0:
            break
        kept.append((name, value))
    return kept


# The errors


def _exception(told: Dict[str, Any], files: AppFiles) -> SerializedException:
    title, stack = text_of(told, "title"), text_of(told, "stack")
    found = places(title, stack)
    return exception_serializer.serialized(title, text_of(told, "link"), [_frame(*one, files) for one in found])


def places(title: str, stack: str) -> List[Tuple[str, int, str]]:
    """Return file, line and function of each call in a stack of Node.js, the outermost first."""
    found = calls_in(stack)
    head = _HEAD.match(stack.split("\n", 1)[0])
    if head is not None:
        found.append((_path(head["file"]), int(head["line"]), ""))
    if not found:
        found += _importers(title)
    return found


def calls_in(stack: str) -> List[Tuple[str, int, str]]:
    """Return the same of the lines that are calls in files."""
    calls = map(_CALL.match, reversed(stack.split("\n")))
    return [_place(call) for call in calls if call and "<anonymous>" not in call["file"]]


def _place(call: "re.Match[str]") -> Tuple[str, int, str]:
    return _path(call["file"]), int(call["line"]), call["function"] or ""


def _path(file: str) -> str:
    return unquote(file[len(_FILE_URL) :]) if file.startswith(_FILE_URL) else file


def _importers(title: str) -> Iterator[Tuple[str, int, str]]:
    """Yield the line that imports what was not found: the stack of such an error has only Node.js's own calls."""
    missing = _NOT_FOUND.search(title)
    if missing is None:
        return
    for number, line in enumerate(_lines(missing["file"]), 1):
        if any(_means(name, missing) for name in _SPECIFIER.findall(line)):
            yield missing["file"], number, ""
            return
    yield missing["file"], 0, ""


def _means(specifier: str, missing: "re.Match[str]") -> bool:
    if missing["what"] == "package":
        return specifier == missing["name"] or specifier.startswith(missing["name"] + "/")
    return os.path.normpath(os.path.join(os.path.dirname(missing["file"]), specifier)) == missing["name"]


def _lines(path: str) -> List[str]:
    if not os.path.isfile(path):
        return []
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(_LONGEST_FILE).split("\n")
    except OSError:
        return []


def _frame(file: str, line: int, function: str, files: AppFiles) -> Frame:
    try:
        if not os.path.isfile(file):
            return Frame(file, line, function, files.holds(file), line, ())
        return exception_serializer.place(file, line, function, files)
    except (OSError, SyntaxError, ValueError):  # Python's reader of lines, where it takes the source for Python
        return Frame(file, line, function, files.holds(file), line, ())
