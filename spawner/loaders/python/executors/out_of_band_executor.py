"""The executor of out-of-band work: what an app wants done between two requests.

Collect garbage, warm a cache, close what has grown old. The app requests it; the worker tells the spawner, which grants
it when other workers can do without this one; the worker runs it when it is in no request. docs/protocol.md, section 5.
"""

from typing import Any, Callable

from ..core.unpatched import time
from ..diagnostics import error_log
from ..wsgi.app import App
from ..wsgi.request import RequestReader

_METHOD = "OOBW"


class OutOfBandExecutor:
    """One worker's.

    Invariants: only the spawner's message sets `granted`; a request is reported once until the work is over.
    The app's threads write `_requested` and nothing else.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        """`wake`: makes the worker look at `take_unreported`; any thread may call it."""
        self.granted = False
        self._wake = wake
        self._requested = False
        self._reported = False

    def request(self) -> None:
        """The app wants it."""
        self._requested = True
        self._wake()

    def take_unreported(self) -> bool:
        """Whether the spawner has to be told that the app wants it; it counts as told from now on."""
        if self._reported or not self._requested:
            return False
        self._reported = True
        return True

    def run(self, app: App, reader: RequestReader) -> float:
        """Run it; return the seconds it took. What goes wrong is the app's, and goes into its log."""
        started = time.monotonic()
        self._requested = False
        try:
            if not app.out_of_band_work():
                _call(app.application, reader)
        except BaseException as error:  # noqa: BLE001 - the app's own code, which may raise anything
            error_log.log_app_error("the out-of-band work failed", error)
        self.granted = False
        self._reported = False
        return time.monotonic() - started


class RequestOutOfBandWork:
    """`passenger.request_oob_work` of the environ, which an app calls when it wants out-of-band work."""

    __module__ = "jumpseat"  # as apps see it
    do_not_call_in_templates = True  # Django's error page shows the environ, and would call what can be called

    def __init__(self, request: Callable[[], None]) -> None:
        self._request = request

    def __call__(self) -> None:
        """Request out-of-band work after this request."""
        self._request()


def _call(application: Callable[..., Any], reader: RequestReader) -> None:
    """Call the app with a request that no client has sent, as Passenger does, and drop the response."""
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
