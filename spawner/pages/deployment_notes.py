"""restart.error.txt: beside restart.txt, why a release did not come up, for whoever deploys without root's rights."""

from __future__ import annotations

import collections
import datetime
import os
from typing import Optional

from spawner.errors import StartFailure
from spawner.logs.log import Log
from spawner.pool.registration import Registration
from spawner.processes.app_environment import PATH
from spawner.processes.helper_process import HelperProcesses, HelperResult
from spawner.system.linux import Identity
from spawner.watching.restart_trigger import restart_file

NAME = "restart.error.txt"
_SECONDS = 10.0
# With the rights of the app's user: links lead no further than that user may go. A rename follows none.
_WRITE = (
    'cd -- "$1" && t=$(mktemp ./.restart.error.XXXXXXXX) || exit 1; '
    'cat > "$t" && chmod 640 "$t" && mv -fT -- "$t" "$2" && exit 0; rm -f -- "$t"; exit 1'
)
_REMOVE = 'cd -- "$1" && rm -f -- "$2"'


def note_text(generation: int, failure: StartFailure, when: datetime.datetime) -> str:
    """What stands in the file."""
    lines = [
        "The release did not start; the one before goes on serving if it can.",
        "",
        "time: %s" % when.isoformat(" ", "seconds"),
        "generation: %d" % generation,
        "step: %s" % failure.step,
        "reason: %s" % failure.summary,
    ]
    lines += ["error id: %s" % failure.error_id] if failure.error_id else []
    lines += ["%s: %s" % (name, value.replace("\n", "\n    ")) for name, value in failure.facts]
    lines += ["", failure.detail.rstrip()] if failure.detail else []
    return "\n".join(lines) + "\n"


class DeploymentNotes:
    """Writes and removes the file by short-lived processes of the app's user, one after the other for each app."""

    def __init__(self, processes: HelperProcesses, log: Log) -> None:
        self._processes = processes
        self._log = log
        # What is still to be done, by folder; the first entry of each is under way, a second one waits.
        self._steps: "dict[str, collections.deque[tuple[Identity, Optional[bytes]]]]" = {}

    @property
    def idle(self) -> bool:
        """Whether everything has been written."""
        return not self._steps

    def note(
        self, registration: Registration, identity: Identity, generation: int, failure: Optional[StartFailure]
    ) -> None:
        """Write why a release did not start, or, with no failure, remove what was written."""
        folder = os.path.dirname(restart_file(registration.app_root, registration.options.restart_dir))
        text = None
        if failure is not None:
            when = datetime.datetime.now().astimezone()
            text = note_text(generation, failure, when).encode("utf-8", "surrogateescape")
        elif folder not in self._steps and not os.path.lexists(os.path.join(folder, NAME)):
            return
        steps = self._steps.setdefault(folder, collections.deque())
        while len(steps) > 1:  # what waits is outdated: one under way that is made to take long keeps no more than one
            steps.pop()
        steps.append((identity, text))
        if len(steps) == 1:
            self._next(folder)

    def _next(self, folder: str) -> None:
        identity, text = self._steps[folder][0]
        script = _REMOVE if text is None else _WRITE
        try:
            content = _file_of(text or b"")
            try:
                self._processes.start(
                    ("/bin/sh", "-c", script, "/bin/sh", folder, NAME),
                    {"PATH": PATH, "LANG": "C"},
                    _SECONDS,
                    lambda result: self._ended(folder, result),
                    identity,
                    content,
                )
            finally:
                os.close(content)
        except OSError as error:
            self._failed(folder, str(error.strerror or error))

    def _ended(self, folder: str, result: HelperResult) -> None:
        if result.succeeded:
            self._done(folder)
        else:
            self._failed(folder, "it took too long" if result.timed_out else result.output)

    def _failed(self, folder: str, reason: str) -> None:
        identity, text = self._steps[folder][0]
        what = "removed" if text is None else "written"
        place = os.path.join(folder, NAME)
        line = "restart.error.txt cannot be %s as user %s: %s: %s"
        self._log.info(3110, line % (what, identity.user, place, reason))
        self._done(folder)

    def _done(self, folder: str) -> None:
        steps = self._steps[folder]
        steps.popleft()
        if steps:
            self._next(folder)
        else:
            del self._steps[folder]


def _file_of(content: bytes) -> int:
    """A file without a name, at its beginning: a pipe would hold only so much.

    :raises OSError: there is no descriptor or memory left.
    """
    descriptor = os.memfd_create("restart.error")
    try:
        os.write(descriptor, content)
        os.lseek(descriptor, 0, os.SEEK_SET)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
