"""Takes over what an earlier spawner of the same httpd has left: listeners, scoreboards, processes."""

from __future__ import annotations

import os
import socket
import time

from spawner.app_group import AppGroup
from spawner.carrier import Carrier
from spawner.engine import Engine
from spawner.process import Process
from spawner.scoreboard import Scoreboard
from spawner.states import ProcessState
from spawner.stock import FoundGroup, FoundProcess, identity_of
from spawner.world import World


def adopt(world: World, carrier: Carrier, engine: Engine) -> int:
    """Enter what was found in the descriptor store into the pool and go on from there.

    Groups whose socket has lost its path are not taken over: no client finds them any more. Their processes retire,
    because nobody holds the other end of their lines.

    :returns: how many groups there are.
    """
    adopted = [group for group in world.stock.recover(time.monotonic()) if _adopt_group(world, carrier, group)]
    world.instance.remove_sockets_but({group.path for group in world.groups.values()})
    engine.feed(world.pool.adoption_complete)
    for group in adopted:
        world.watch.resume(group.registration.key, group.restart_key)
    return len(adopted)


def _adopt_group(world: World, carrier: Carrier, found: FoundGroup) -> bool:
    key = found.registration.key
    path = world.instance.app_socket(key)
    try:
        os.stat(path)
        scoreboard = Scoreboard(found.scoreboard)
    except (OSError, ValueError) as error:
        world.log.warn(3060, "%s is not taken over from the spawner before: %s" % (key, error))
        world.stock.discard(found)
        found.close()
        return False
    listener = socket.socket(fileno=found.listener)
    listener.setblocking(False)
    world.pool.adopt_group(found.registration, found.generation, time.monotonic())
    group = AppGroup(key, path, listener, scoreboard, found.token)
    carrier.add_group(group)
    world.watch.watch(key, found.registration.app_root, found.registration.options.restart_dir)
    for process in found.processes:
        _adopt_process(world, carrier, group, process)
    return True


def _adopt_process(world: World, carrier: Carrier, group: AppGroup, found: FoundProcess) -> None:
    entry: Process = found.entry
    process_id = world.pool.adopt_process(entry)
    process = carrier.add_process(
        process_id, entry.key, entry.kind, entry.generation, entry.slot, identity_of(found), found.line, found.output
    )
    group.user, group.uid = found.user, found.uid
    process.heard = entry.state is not ProcessState.STARTING
    process.loaded = entry.state in (ProcessState.BOOTING, ProcessState.READY, ProcessState.SERVING)
    process.ready = entry.state is ProcessState.SERVING
    world.stock.adopted(process_id, found.store_key)
    if entry.pid:
        process.set_pid(entry.pid)
