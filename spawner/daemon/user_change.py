"""An app runs as another user from now on: nothing that the former one has kept may get a request of it.

A process of the former user may have kept the listening socket and the token, whatever happened to the workers. So the
app gets a new socket at another path, and another token, which only processes of the new user get. The requests at the
old socket are still answered by the workers that hold it; then these retire.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Callable

from spawner.daemon.event_dispatcher import Dispatch
from spawner.logs.log import Log
from spawner.pool.pool import Pool
from spawner.processes.app_process import AppRegistry
from spawner.processes.group_resources import connection_waits
from spawner.processes.users import SystemUsers, user_label

_LOOK = 0.05  # seconds between two looks at the queue of the old socket
_LONGEST = 10.0  # seconds until the former user's workers retire, whatever waits there


class UserChange:
    """Replaces the socket of a group, and retires what runs as another user than its newest process.

    :param renew_address: makes a new listening socket and token for a group and returns the old socket.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        pool: Pool,
        registry: AppRegistry,
        dispatch: Dispatch,
        log: Log,
        renew_address: Callable[[str], socket.socket],
    ) -> None:
        self._loop = loop
        self._pool = pool
        self._registry = registry
        self._dispatch = dispatch
        self._log = log
        self._renew_address = renew_address

    def begin(self, key: str, former: int, uid: int) -> None:
        """The first interpreter of a new user has been started; it has not got a socket yet.

        :param former: the uid before.
        :param uid: the uid now.
        """
        users = SystemUsers()
        labels = (key, user_label(former, users), user_label(uid, users))
        self._log.notice(3026, "the user of an app has changed: %s: from %s to %s" % labels)
        try:
            old = self._renew_address(key)
        except OSError as error:
            self._log.error(3027, "cannot make a new socket for the new user of %s: %s" % (key, error))
            self._retire(key, uid)
            return
        self._drain(key, uid, old, self._loop.time() + _LONGEST)

    def _drain(self, key: str, uid: int, old: socket.socket, deadline: float) -> None:
        known = self._registry.groups.entry(key) is not None
        if known and connection_waits(old) and self._loop.time() < deadline:
            self._loop.call_later(_LOOK, self._drain, key, uid, old, deadline)
            return
        self._retire(key, uid)
        old.close()

    def _retire(self, key: str, uid: int) -> None:
        if self._registry.groups.entry(key) is None:
            return
        processes = [one for one in self._registry.processes.handles.values() if one.key == key]
        former = [one.process_id for one in processes if one.identity.uid != uid]
        self._dispatch(self._pool.user_changed, key, former)
