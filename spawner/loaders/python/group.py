"""What all workers of a group share, as `load` told it."""

import socket
from typing import Callable

from ...shared.app_files import AppFiles
from . import originals
from .app import App
from .control_line import Message
from .random_state import RandomState
from .request import RequestReader
from .request_failure import FailurePages
from .scoreboard import Scoreboard, SharedSlot, Slot


class Group:
    """The loaded app and what its workers need. Owns its descriptors as long as the process lives.

    Made when the app has loaded: what it has by then is seeded anew in each fork.
    `max_requests`: how many a worker serves before it says that it is worn, 0 for no limit; `stops_when_worn`: whether
    it then takes nothing more from the group's socket.
    """

    def __init__(self, app: App, files: AppFiles, load: Message) -> None:
        """`load`: the message, with its three descriptors. Raises ValueError for a figure that is none."""
        listener, board, lifeline = load.descriptors
        self.app = app
        self.name = load.get("group")
        self.lifeline = lifeline
        self.listener = originals.Socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, listener)
        self.listener.setblocking(False)
        self.threads = int(load.get("threads") or 1)
        self.max_requests = int(load.get("max_requests") or 0)
        self.pages = FailurePages(files, load.get("friendly") == "1")
        self.random_state = RandomState()
        self.stops_when_worn = load.get("stops_when_worn") == "1"
        self._scoreboard = Scoreboard(board)
        self._token = load.get("app_token")
        self._multiprocess = load.get("multiprocess") == "1"
        self._server_software = load.get("server_software")

    def slot(self, number: int) -> Slot:
        """Return the writer of a worker's slot of the scoreboard. Raises ValueError when there is none."""
        return self._scoreboard.slot(number)

    def shared_slot(self, number: int) -> SharedSlot:
        """As `slot`, for a worker with threads."""
        return self._scoreboard.shared_slot(number, self.threads)

    def reader(self, route: str, request_work: Callable[[], None]) -> RequestReader:
        """Return what reads the requests of one worker."""
        multithread = self.threads > 1
        return RequestReader(
            self._token, self._multiprocess, multithread, self._server_software, self.pages, route, request_work
        )  # fmt: skip
