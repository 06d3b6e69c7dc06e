"""What an app wants done between two requests: collect garbage, warm a cache, close what has grown old.

The app asks; the worker tells the spawner, which orders the work when other workers can do without this one; the
worker does it when it is in no request. docs/protocol.md, section 5.
"""

import time
from typing import Any, Callable

from . import report
from .app import App
from .request import RequestReader

_METHOD = "OOBW"


class OutOfBandWork:
    """Whether a worker's app wants such work, and how far it is.

    Invariants: `ordered` only by the spawner; between telling it and the end of the work it is not told again.
    `_asked` alone is written by the app's threads.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        """`wake`: makes the worker look at `take_news`, callable from any thread."""
        self.ordered = False
        self._wake = wake
        self._asked = False
        self._told = False

    def ask(self) -> None:
        """The app wants it."""
        self._asked = True
        self._wake()

    def take_news(self) -> bool:
        """Whether the spawner has to be told that the app wants it; it counts as told from now on."""
        if self._told or not self._asked:
            return False
        self._told = True
        return True

    def run(self, app: App, reader: RequestReader) -> float:
        """Do it; return the seconds it took. What goes wrong is the app's, and goes into its log."""
        started = time.monotonic()
        self._asked = False
        try:
            if not app.out_of_band_work():
                _call(app.application, reader)
        except BaseException as error:  # noqa: BLE001 - the app's own code, which may raise anything
            report.log_failure("the out-of-band work failed", error)
        self.ordered = False
        self._told = False
        return time.monotonic() - started


class RequestForWork:
    """What an app finds in its environ, to be called when it wants out-of-band work."""

    __module__ = "jumpseat"  # as apps see it
    do_not_call_in_templates = True  # Django's error page shows the environ, and would call what can be called

    def __init__(self, ask: Callable[[], None]) -> None:
        self._ask = ask

    def __call__(self) -> None:
        """Ask for out-of-band work after this request."""
        self._ask()


def _call(application: Callable[..., Any], reader: RequestReader) -> None:
    """Call the app with a request that no client has sent, as Passenger does; what it answers is thrown away."""
    result = None
    try:
        result = application(reader.pseudo_environ(_METHOD), _start_response)
        for _ in result:
            pass
    finally:
        close = getattr(result, "close", None)
        if close is not None:
            close()


def _start_response(status: str, headers: Any, exc_info: Any = None) -> Callable[[bytes], None]:
    return _write


def _write(data: bytes) -> None:
    pass
