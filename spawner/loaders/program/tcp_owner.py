"""Whose program is at the other end of a connection to 127.0.0.1.

Every user of the machine may listen on a port of it. A connection of ours must reach the app's own program.
"""

import socket
import struct
from typing import Optional

from .socket_diagnostics import LOOPBACK, NOWHERE, Owner, Peer, as_family, tcp_owner

_TABLES = ((socket.AF_INET, "/proc/net/tcp"), (socket.AF_INET6, "/proc/net/tcp6"))


def is_connected_to(connection: socket.socket, uid: int) -> bool:
    """Whether a connection to 127.0.0.1 has been accepted, or is going to be, by a program that runs as `uid`.

    Before it is accepted, a connection has no owner. Then its listening socket counts: if that one were closed, the
    connection would be, too, and two users cannot listen on the same port. Raises OSError.
    """
    own, port = connection.getsockname()[1], connection.getpeername()[1]
    if own == port:
        return False  # it is connected to itself: nobody listens
    accepted = look_up(port, (LOOPBACK, own))
    if accepted is None or accepted.inode:
        return accepted is not None and accepted.uid == uid
    listening = look_up(port, None)
    again = look_up(port, (LOOPBACK, own))
    if again is None or again.inode:
        return again is not None and again.uid == uid
    return listening is not None and listening.uid == uid


def look_up(port: int, peer: Peer) -> Optional[Owner]:
    """Return whose the socket on 127.0.0.1:`port` is that is connected to `peer`, or listens; None: there is none.

    A program that listens on [::] takes connections to 127.0.0.1, too. Raises OSError.
    """
    for family, _ in _TABLES:
        owner = tcp_owner(family, port, peer)
        if owner is not None:
            return owner
    return look_up_in_tables(port, peer)  # the kernel may be built without the other way


def look_up_in_tables(port: int, peer: Peer) -> Optional[Owner]:
    """As `look_up`, from /proc/net: slow where there are many connections."""
    for family, table in _TABLES:
        own = {_in_table(family, address, port) for address in (LOOPBACK, NOWHERE)}
        other = _in_table(family, *(peer if peer is not None else (NOWHERE, 0)))
        try:
            with open(table) as lines:
                for line in lines:
                    fields = line.split()
                    if fields[1] in own and fields[2] == other:
                        return Owner(int(fields[7]), int(fields[9]))
        except OSError:
            pass  # without IPv6
    return None


def _in_table(family: int, address: bytes, port: int) -> str:
    """An address and a port as the tables have them: words of 32 bits in the order of the machine."""
    whole = as_family(family, address)
    return "%s:%04X" % ("".join("%08X" % word for word in struct.unpack("=%dI" % (len(whole) // 4), whole)), port)
