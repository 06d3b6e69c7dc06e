"""What the import of the app has left behind that a forked worker cannot share, found in the preloader and a worker.

The preloader looks when the app has loaded. Each worker looks, after `after_fork()`, at what was found: it tells what
is so in it. To look must never fail a start: what cannot be looked at is left out.
"""

from typing import Callable, Iterable, List, Sequence, Tuple

from ....shared.app_files import AppFiles
from ..diagnostics import error_log
from . import fork_hazards, left_threads, random_state
from .fork_hazards import UNSAFE, Hazard
from .import_tracer import ImportTracer
from .inherited_descriptors import InheritedDescriptors

_MOST = 50  # warnings that are told
_MORE = "There are {} more warnings of this kind."
Source = Callable[[ImportTracer, AppFiles], Iterable[Hazard]]


def new_tracer(files: AppFiles) -> ImportTracer:
    """Return what has to trace the import of the app."""
    return ImportTracer(files, tuple(UNSAFE))


class ImportCheck:
    """The hazards of one import. Created in the preloader when the app has loaded."""

    def __init__(self, tracer: ImportTracer, ours: Sequence[int], files: AppFiles) -> None:
        """`ours`: the loader's own descriptors."""

        def descriptors(tracer: ImportTracer, files: AppFiles) -> Iterable[Hazard]:
            return InheritedDescriptors(tracer, ours, files).hazards()

        self._hazards: List[Hazard] = []
        sources: Tuple[Source, ...] = (
            left_threads.hazards,
            descriptors,
            fork_hazards.unsafe_modules,
            random_state.hazards,
        )
        for source in sources:
            try:
                self._hazards += source(tracer, files)
            except Exception as error:  # noqa: BLE001 - objects of the app's own, which may do anything when looked at
                error_log.log_app_error("cannot find out what forks cannot share", error)

    def before_fork(self) -> None:
        """Leave out what has ceased to be: a thread that has done its work is not missing in the worker."""
        self._hazards = [each for each in self._hazards if not _asked(each.is_over, False)]

    def of_worker(self) -> List[str]:
        """Return what is so in this worker: for each its name, a blank and the text for people."""
        found = [each for each in self._hazards if _asked(each.is_so, True)]
        told = list(dict.fromkeys("{} {}".format(each.name, each.text) for each in found))
        more = len(told) - _MOST
        return told[:_MOST] + (["more " + _MORE.format(more)] if more > 0 else [])


def _asked(question: Callable[[], bool], otherwise: bool) -> bool:
    try:
        return question()
    except Exception:  # noqa: BLE001 - objects of the app's own
        return otherwise
