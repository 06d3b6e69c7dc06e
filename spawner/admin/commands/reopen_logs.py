"""`reopen_logs`: files of logs are opened anew, for whoever has moved them away."""

from __future__ import annotations

from typing import Any, Callable

from spawner.admin.commands.command import Caller, SendProgress
from spawner.admin.commands.refusals import Denied


class ReopenLogs:
    """Root's alone: the logs belong to everybody's apps.

    :param reopen: opens them; gives the paths.
    """

    def __init__(self, reopen: Callable[[], list[str]]) -> None:
        self._reopen = reopen

    async def run(self, question: dict[str, Any], caller: Caller, progress: SendProgress) -> dict[str, Any]:
        """`logs`: the paths of what was opened anew.

        :raises Denied: the caller is neither root nor the spawner's own user.
        :raises Failed: one cannot be opened.
        """
        if not caller.privileged:
            raise Denied("only root may have the logs opened anew")
        return {"logs": self._reopen()}
