"""The spawner's own sockets in the instance folder: for registrations and for the commands of the admin socket."""

from __future__ import annotations

import asyncio
import socket
from typing import Callable, Mapping, Optional

from spawner.admin.admin_socket import AdminSocket
from spawner.admin.command import Command
from spawner.daemon.descriptor_exhaustion import DescriptorExhaustion
from spawner.httpd.registrar import Registrar
from spawner.state_store.instance_directory import InstanceDirectory
from spawner.system.untrusted_socket import refuse_descriptors

_REGISTRATION_BACKLOG = 511
_ADMIN_BACKLOG = 16


class ServerSockets:
    """Opened with the first configuration: before that the spawner does not know how to run an app.

    :param make_registrar: makes the Registrar of a listening socket.
    :param commands: of the admin socket, by name.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        instance: InstanceDirectory,
        descriptors: DescriptorExhaustion,
        make_registrar: Callable[[socket.socket], Registrar],
        commands: Mapping[str, Command],
    ) -> None:
        self._loop = loop
        self._instance = instance
        self._descriptors = descriptors
        self._make_registrar = make_registrar
        self._commands = commands
        self._registrar: Optional[Registrar] = None
        self._admin: Optional[AdminSocket] = None

    @property
    def is_open(self) -> bool:
        """Whether they listen."""
        return self._admin is not None

    def open(self) -> None:
        """Listen.

        :raises OSError: a socket cannot be made.
        """
        self._registrar = self._make_registrar(self._listen_for_registrations())
        self._admin = AdminSocket(self._loop, self._listen_for_commands(), self._commands, self.descriptors_exhausted)

    def make_again(self, path: str) -> None:
        """Listen at a new socket: the path of the old one was removed.

        :raises OSError: it cannot be made.
        """
        if self._registrar is not None and path == self._instance.spawner_socket:
            self._registrar.replace_listener(self._listen_for_registrations())
        if self._admin is not None and path == self._instance.admin_socket:
            self._admin.replace_listener(self._listen_for_commands())

    def descriptors_exhausted(self, error: OSError) -> None:
        """A connection or message could not be received."""
        self._descriptors.report("whoever connects to the spawner waits", error)

    async def close(self) -> None:
        """Close both and every connection."""
        if self._registrar is not None:
            self._registrar.close()
        if self._admin is not None:
            await self._admin.close()

    def _listen_for_registrations(self) -> socket.socket:
        return self._listen(self._instance.spawner_socket, socket.SOCK_SEQPACKET, 0o600, _REGISTRATION_BACKLOG)

    def _listen_for_commands(self) -> socket.socket:
        return self._listen(self._instance.admin_socket, socket.SOCK_STREAM, 0o666, _ADMIN_BACKLOG)

    def _listen(self, path: str, kind: int, mode: int, backlog: int) -> socket.socket:
        listener = self._instance.listen(path, kind, mode, backlog)
        refuse_descriptors(listener)
        return listener
