"""restart.error.txt: says beside restart.txt why a release did not start, for users without root's rights."""

from __future__ import annotations

import collections
import datetime
import os
from typing import Optional

from spawner.logs.log import Log
from spawner.pool.registration import Registration
from spawner.processes.app_environment import PATH
from spawner.processes.helper_process import HelperProcesses, HelperResult
from spawner.start_failure import StartFailure
from spawner.system.linux import Identity
from spawner.watching.restart_trigger import restart_file

NAME = "restart.error.txt"
_SECONDS = 10.0
# Runs with the rights of the app's user, so a link leads only to where that user may write. A rename follows no link.
_WRITE = (
    'cd -- "$1" && t=$(mktemp ./.restart.error.XXXXXXXX) || exit 1; '
    'cat > "$t" && chmod 640 "$t" && mv -fT -- "$t" "$2" && exit 0; rm -f -- "$t"; exit 1'
)
_REMOVE = 'cd -- "$1" && rm -f -- "$2"'


def file_text(generation: int, failure: StartFailure, when: datetime.datetime) -> str:
    """The text of the file."""
    lines = [
        "The release did not start. The previous release continues to serve if it can.",
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


class RestartErrorFiles:
    """Writes and removes the files, by helper processes of the app's user, one after the other for each app."""

    def __init__(self, processes: HelperProcesses, log: Log) -> None:
        self._processes = processes
        self._log = log
        # What is to be done, by folder: the first entry is being done, a second one waits. None removes the file.
        self._steps: "dict[str, collections.deque[tuple[Identity, Optional[bytes]]]]" = {}

    @property
    def idle(self) -> bool:
        """Whether nothing is left to be written or removed."""
        return not self._steps

    def update(
        self, registration: Registration, identity: Identity, generation: int, failure: Optional[StartFailure]
    ) -> None:
        """Write why a release did not start, or, with no failure, remove what was written."""
        folder = os.path.dirname(restart_file(registration.app_root, registration.options.restart_dir))
        text = None
        if failure is not None:
            when = datetime.datetime.now().astimezone()
            text = file_text(generation, failure, when).encode("utf-8", "surrogateescape")
        elif folder not in self._steps and not os.path.lexists(os.path.join(folder, NAME)):
            return
        steps = self._steps.setdefault(folder, collections.deque())
        while len(steps) > 1:  # what waits is outdated; an app that makes its process slow can keep only one waiting
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
            self._finish(folder)
        else:
            self._failed(folder, "it took too long" if result.timed_out else result.output)

    def _failed(self, folder: str, reason: str) -> None:
        identity, text = self._steps[folder][0]
        what = "removed" if text is None else "written"
        message = "restart.error.txt cannot be %s as user %s in %s: %s"
        self._log.info(3110, message % (what, identity.user, folder, reason))
        self._finish(folder)

    def _finish(self, folder: str) -> None:
        steps = self._steps[folder]
        steps.popleft()
        if steps:
            self._next(folder)
        else:
            del self._steps[folder]


def _file_of(content: bytes) -> int:
    """A file in memory with this content, at its beginning. A pipe would hold only 64 KiB.

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
