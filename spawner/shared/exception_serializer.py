"""An exception as data: what was raised, where, with the lines of source around each place.

The source is read here, by the app's own process, when it happens: the files may be others a moment later, and nobody
else may be allowed to read them. It travels to the spawner as JSON (`exceptions` of `failed`).
"""

import linecache
import traceback
from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Optional, Set, Tuple

from . import masking
from .app_files import AppFiles, is_ours

_CONTEXT = 5  # lines before and behind the one in question, of the app's own files
_MOST_FRAMES = 50  # of one exception; of more, those in the middle are left out
_MOST_EXCEPTIONS = 8
_LONGEST_LINE = 300  # characters
_LONGEST_TITLE = 4000  # characters
LONGEST_JSON = 48 * 1024  # characters

CAUSE, CONTEXT, PART = "cause", "context", "part"


class Frame(NamedTuple):
    """A place in a traceback. `first` is the number of the first line of `source`; `line` may be 0: not known."""

    file: str
    line: int
    function: str
    of_app: bool
    first: int
    source: Tuple[str, ...]


class SerializedException(NamedTuple):
    """An exception. `link`: how it led to the next one (CAUSE, CONTEXT), PART of a group, or empty for the last."""

    title: str
    link: str
    frames: Tuple[Frame, ...]
    left_out: int


def serialize(error: BaseException, files: AppFiles) -> List[SerializedException]:
    """Return what led to `error`, the first cause first, and it; then the parts of an exception group."""
    raised = [_serialize_one(each, link, files) for each, link in _chain(error)]
    raised.reverse()
    for part in list(getattr(error, "exceptions", None) or ())[: _MOST_EXCEPTIONS - 1]:
        raised.append(_serialize_one(part, PART, files))
    return raised


def to_json(raised: List[SerializedException]) -> str:
    """Return the exceptions as JSON, with as many lines of source as fit into LONGEST_JSON."""
    import json  # not before the first failure: an app may do without it

    for reduced in (raised, _without_source(raised, keep_app=True), _without_source(raised, keep_app=False)):
        text = json.dumps([_as_dictionary(each) for each in reduced])
        if len(text) <= LONGEST_JSON:
            return text
    return "[]"


def _chain(error: BaseException) -> Iterator[Tuple[BaseException, str]]:
    """Yield `error`, then what led to it, each with its link to the one before."""
    link = ""
    current: Optional[BaseException] = error
    seen: Set[int] = set()
    while current is not None and id(current) not in seen and len(seen) < _MOST_EXCEPTIONS:
        seen.add(id(current))
        yield current, link
        if current.__cause__ is not None:
            current, link = current.__cause__, CAUSE
        elif not current.__suppress_context__:
            current, link = current.__context__, CONTEXT
        else:
            current = None


def _serialize_one(error: BaseException, link: str, files: AppFiles) -> SerializedException:
    return serialized(_title(error), link, _places(error, files))


def serialized(title: str, link: str, places: Iterable[Frame]) -> SerializedException:
    """Return an exception of any language; `places`: the outermost first."""
    frames = [frame for frame in places if not is_ours(frame.file)]
    left_out = max(0, len(frames) - _MOST_FRAMES)
    if left_out:
        half = _MOST_FRAMES // 2
        frames[half : len(frames) - half] = []
    return SerializedException(masking.text(title)[:_LONGEST_TITLE], link, tuple(frames), left_out)


def _title(error: BaseException) -> str:
    return traceback.format_exception_only(type(error), error)[-1].strip() or type(error).__name__


def _places(error: BaseException, files: AppFiles) -> Iterator[Frame]:
    for frame, line in traceback.walk_tb(error.__traceback__):
        code = frame.f_code
        name = getattr(code, "co_qualname", code.co_name)
        if not code.co_filename.startswith("<frozen importlib"):
            yield place(code.co_filename, line, name, files)
    if isinstance(error, SyntaxError) and error.filename:
        yield place(error.filename, error.lineno or 0, "", files)


def place(file: str, line: int, function: str, files: AppFiles) -> Frame:
    """Return a place with its lines of source; `line`: 0: not known."""
    of_app = files.holds(file)
    reach = _CONTEXT if of_app else 0
    first = max(1, line - reach)
    linecache.checkcache(file)
    source = [linecache.getline(file, number) for number in range(first, line + reach + 1)] if line else []
    while source and not source[-1]:
        source.pop()
    shown = tuple(masking.source_line(text.rstrip("\r\n")[:_LONGEST_LINE]) for text in source)
    return Frame(file, line, function, of_app, first, shown)


def _without_source(raised: List[SerializedException], keep_app: bool) -> List[SerializedException]:
    return [
        each._replace(
            frames=tuple(
                frame._replace(first=frame.line, source=_only_line(frame) if keep_app and frame.of_app else ())
                for frame in each.frames
            )
        )
        for each in raised
    ]


def _only_line(frame: Frame) -> Tuple[str, ...]:
    index = frame.line - frame.first
    return frame.source[index : index + 1]


def _as_dictionary(raised: SerializedException) -> Dict[str, Any]:
    return dict(raised._asdict(), frames=[frame._asdict() for frame in raised.frames])


def from_json(text: str) -> List[SerializedException]:
    """Return what `to_json` was given. Raises ValueError when `text`, which an app may have written, is not that."""
    import json

    try:
        return [_from_dictionary(each) for each in json.loads(text)[: 2 * _MOST_EXCEPTIONS]]
    except (TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError("these are not exceptions as JSON: {}".format(error)) from error


def _from_dictionary(given: Dict[str, Any]) -> SerializedException:
    frames = tuple(
        Frame(
            str(frame["file"]),
            int(frame["line"]),
            str(frame["function"]),
            bool(frame["of_app"]),
            int(frame["first"]),
            tuple(str(line) for line in frame["source"]),
        )
        for frame in given["frames"]
    )
    return SerializedException(str(given["title"]), str(given["link"]), frames, int(given["left_out"]))
