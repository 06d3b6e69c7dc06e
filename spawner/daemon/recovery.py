"""Takes over what an earlier spawner of the same httpd has left: listeners, scoreboards, processes."""

from __future__ import annotations

import os
import socket
import time
import traceback

from spawner.daemon.effect_handlers import EffectHandlers
from spawner.daemon.event_loop import EventLoop
from spawner.daemon.world import World
from spawner.errors import PeerError
from spawner.pool.process import Process
from spawner.pool.states import ProcessState
from spawner.processes.group_resources import GroupResources
from spawner.processes.scoreboard_reader import ScoreboardReader
from spawner.state_store.state_store import FoundGroup, FoundProcess, identity_of
from spawner.system import linux, packets


def adopt(world: World, carrier: EffectHandlers, engine: EventLoop) -> int:
    """Enter what was found in the descriptor store into the pool and go on from there.

    Groups whose socket has lost its path are not taken over: no client finds them any more. Their processes are
    told to retire.

    :returns: how many groups there are.
    """
    adopted = [group for group in world.stock.recover(time.monotonic()) if _adopt_or_drop(world, carrier, group)]
    own = {world.instance.worker_socket(one.key, one.route) for one in world.processes.values() if one.route}
    world.instance.remove_sockets_but(own | {group.path for group in world.groups.values()})
    engine.feed(world.pool.adoption_complete)
    engine.watch_starts()
    for group in adopted:
        world.watch.resume(group.registration.key, group.restart_key)
    return len(adopted)


def _adopt_or_drop(world: World, carrier: EffectHandlers, found: FoundGroup) -> bool:
    """A group that cannot be taken over for a defect of ours must not keep the others from being."""
    key = found.registration.key
    try:
        return _adopt_group(world, carrier, found)
    except Exception:  # noqa: BLE001 - a boundary: the group is dropped, and registers anew with its next request
        text = "a defect of the spawner: %s cannot be taken over:\n%s"
        world.log.error(3113, text % (key, traceback.format_exc().rstrip()))
        world.watch.unwatch(key)
        group = world.groups.pop(key, None)
        if group is not None:
            group.close()
        for process in [process for process in world.processes.values() if process.key == key]:
            del world.processes[process.process_id]
            process.line.retire()
            process.close()
        world.pool.drop_adopted(key)
        for left in [process for process in found.processes if process.line.fileno() >= 0]:
            left.close()
        world.stock.discard(found)
        return False


def _adopt_group(world: World, carrier: EffectHandlers, found: FoundGroup) -> bool:
    key = found.registration.key
    path = world.instance.app_socket(key)
    try:
        os.stat(path)
        scoreboard = ScoreboardReader(found.scoreboard)
    except (OSError, ValueError) as error:
        world.log.warn(3060, "%s is not taken over from the spawner before: %s" % (key, error))
        world.stock.discard(found)
        found.close()
        return False
    listener = socket.socket(fileno=found.listener)
    listener.setblocking(False)
    now = time.monotonic()
    world.pool.adopt_group(found.registration, found.generation, now, found.pinned, found.always_restart)
    group = GroupResources(key, path, listener, scoreboard, found.token, warnings=found.warnings)
    carrier.add_group(group)
    registration = found.registration
    world.watch.watch(key, registration.app_root, registration.options.restart_dir, found.always_restart)
    for process in found.processes:
        _adopt_process(world, carrier, group, process)
    return True


def _adopt_process(world: World, carrier: EffectHandlers, group: GroupResources, found: FoundProcess) -> None:
    entry: Process = found.entry
    if entry.state is ProcessState.LOADING and _waits_for_load(found.line):
        entry.state = ProcessState.SPAWNED
    age = linux.age_of(entry.pid) if entry.pid and not entry.starting else None
    entry.started -= age or 0.0
    process_id = world.pool.adopt_process(entry)
    process = carrier.processes.add_process(
        process_id, entry.key, entry.kind, entry.generation, entry.slot, identity_of(found), found.line, found.output
    )
    process.route = found.route
    group.user, group.uid = found.user, found.uid
    process.heard = entry.state is not ProcessState.SPAWNED
    process.loaded = entry.state not in (ProcessState.SPAWNED, ProcessState.LOADING)
    process.ready = entry.state in (ProcessState.SERVING, ProcessState.RETIRING)
    world.stock.adopted(process_id, found.store_key)
    if entry.pid:
        process.set_pid(entry.pid, found.pidfd)


def _waits_for_load(line: socket.socket) -> bool:
    """Whether the spawner before was killed when it had heard a `hello` and not yet answered it by `load`.

    Only what was dealt with leaves the line, so the `hello` is still in it then; and a `load` that was sent stays
    unread at the other end until the app has loaded.
    """
    try:
        first = packets.receive(line, peek=True)
    except (OSError, PeerError):
        return False
    if first is None:
        return False
    first.close()
    return first.type == "hello" and not linux.has_unread(line)
