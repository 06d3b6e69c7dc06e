"""What all workers of a preloader start with: the loaded app, the group's socket and scoreboard, the limits."""

from typing import Callable, Optional

from ...shared.app_files import AppFiles
from .core.control_line import ControlMessage
from .core.scoreboard_writer import Scoreboard, SharedSlotWriter, SlotWriter
from .core.unpatched import socket
from .diagnostics.error_responses import ErrorResponses
from .fork_safety.import_check import ImportCheck
from .fork_safety.random_state import RandomState
from .wsgi.app import App
from .wsgi.request import RequestReader


class WorkerContext:
    """Owns its descriptors as long as the process lives.

    Created when the app has loaded: each fork seeds the random generators that exist by then again.
    `max_requests`: after how many a worker tells the spawner, 0 for no limit; `stop_at_max_requests`: whether it then
    accepts nothing more from the group's socket.
    """

    def __init__(
        self, app: App, files: AppFiles, load: ControlMessage, listener: int, scoreboard: int, lifeline: int
    ) -> None:
        """`load`: the message; then its descriptors. Raises ValueError for a number that is none."""
        self.app = app
        self.group_name = load.get("group")
        self.lifeline = lifeline
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, listener)
        self.listener.setblocking(False)
        self.threads = int(load.get("threads") or 1)
        self.max_requests = int(load.get("max_requests") or 0)
        self.error_responses = ErrorResponses(files, load.get("friendly") == "1")
        self.random_state = RandomState()
        self.import_check: Optional[ImportCheck] = None  # of a preloader
        self.stop_at_max_requests = load.get("stop_at_max_requests") == "1"
        self._scoreboard = Scoreboard(scoreboard)
        self._token = load.get("app_token")
        self._multiprocess = load.get("multiprocess") == "1"
        self._server_software = load.get("server_software")

    def slot(self, number: int) -> SlotWriter:
        """Return the writer of a worker's slot of the scoreboard. Raises ValueError when there is none."""
        return self._scoreboard.slot(number)

    def shared_slot(self, number: int) -> SharedSlotWriter:
        """As `slot`, for a worker with threads."""
        return self._scoreboard.shared_slot(number, self.threads)

    def request_reader(self, route: str, request_out_of_band_work: Callable[[], None]) -> RequestReader:
        """Return what reads the requests of one worker."""
        return RequestReader(
            self._token,
            self._multiprocess,
            self.threads > 1,
            self._server_software,
            self.error_responses,
            route,
            request_out_of_band_work,
        )
