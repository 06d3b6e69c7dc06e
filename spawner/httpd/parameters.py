"""What httpd's parent tells the spawner when it starts it."""

from __future__ import annotations

from dataclasses import dataclass

from spawner.errors import PeerError
from spawner.system import packets
from spawner.system.packets import Packet


@dataclass(frozen=True)
class Parameters:
    """The start message (docs/protocol.md, section 4). The descriptors become the spawner's.

    :ivar token: the instance's secret.
    :ivar spawner_config: path of spawner.conf, or empty.
    """

    control_fd: int
    lifeline_fd: int
    store_fd: int
    store_fd_write: int
    httpd_pid: int
    apache_uid: int
    apache_gid: int
    server_root: str
    server_software: str
    instance_dir: str
    token: str
    spawner_config: str

    @classmethod
    def decode(cls, data: bytes) -> "Parameters":
        """Read the message.

        :raises PeerError: it is malformed, or a number or the folder is missing.
        """
        packet = Packet([("type", "start"), *packets.decode(data)])
        return cls(
            control_fd=packet.number("control_fd"),
            lifeline_fd=packet.number("lifeline_fd"),
            store_fd=packet.number("store_fd"),
            store_fd_write=packet.number("store_fd_write"),
            httpd_pid=packet.number("httpd_pid"),
            apache_uid=packet.number("apache_uid"),
            apache_gid=packet.number("apache_gid"),
            server_root=packet.get("server_root"),
            server_software=packet.get("server_software"),
            instance_dir=_absolute(packet.get("instance_dir")),
            token=packet.get("token"),
            spawner_config=packet.get("spawner_config"),
        )


def _absolute(path: str) -> str:
    if not path.startswith("/"):
        raise PeerError("instance_dir is %r, which is not absolute" % path)
    return path.rstrip("/")
