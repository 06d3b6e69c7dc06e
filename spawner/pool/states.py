"""The states of processes and app groups: tables, and the one function that moves along them."""

from __future__ import annotations

import enum
from typing import Mapping, TypeVar

from spawner.errors import IllegalTransition


class ProcessKind(enum.Enum):
    """What a process of an app is for."""

    PRELOADER = "preloader"  # imports the app once, forks workers on command
    WORKER = "worker"  # forked by a preloader
    DIRECT = "direct"  # imports the app and serves it itself


class ProcessState(enum.Enum):
    """How far a process of an app has come."""

    SPAWNED = "starting"  # executed, or ordered from its preloader; users and stored records know it by this word
    LOADING = "loading"  # imports the app
    BOOTING = "booting"  # has the app, does not accept yet
    READY = "ready"  # a preloader that can fork
    SERVING = "serving"  # a worker that accepts
    RETIRING = "retiring"  # told to finish and go
    GONE = "gone"


class ProcessEvent(enum.Enum):
    """What can happen to a process of an app."""

    FORKED = "forked"  # its preloader has named its pid
    HELLO = "hello"
    LOADED = "loaded"
    ACCEPTS = "accepts"
    RETIRE = "retire"
    EXIT = "exit"


class GroupState(enum.Enum):
    """How an app group stands."""

    COLD = "cold"  # no worker, none starting: its queue is watched
    STARTING = "starting"  # the first worker is on its way, requests wait in the queue
    SERVING = "serving"
    RESTARTING = "restarting"  # a newer generation comes in while the old one serves
    FAILED = "failed"  # could not start: requests are refused until the next try is due
    CLOSING = "closing"  # no longer configured, or everything ends


class GroupEvent(enum.Enum):
    """What can happen to an app group."""

    SPAWN = "spawn"
    WORKER_READY = "worker ready"
    START_FAILED = "start failed"
    RESTART = "restart"
    RESTARTED = "restarted"
    EMPTIED = "emptied"
    CLOSE = "close"
    REGISTER = "register"


_P, _S, _E = ProcessKind, ProcessState, ProcessEvent

# A process that retires still says what it was about to say: those rows stay where they are.
_ENDING: Mapping[tuple[ProcessState, ProcessEvent], ProcessState] = {
    (_S.RETIRING, _E.HELLO): _S.RETIRING,
    (_S.RETIRING, _E.LOADED): _S.RETIRING,
    (_S.RETIRING, _E.ACCEPTS): _S.RETIRING,
    (_S.RETIRING, _E.RETIRE): _S.RETIRING,
    (_S.RETIRING, _E.EXIT): _S.GONE,
    (_S.SPAWNED, _E.RETIRE): _S.RETIRING,
    (_S.SPAWNED, _E.EXIT): _S.GONE,
    (_S.LOADING, _E.RETIRE): _S.RETIRING,
    (_S.LOADING, _E.EXIT): _S.GONE,
    (_S.BOOTING, _E.RETIRE): _S.RETIRING,
    (_S.BOOTING, _E.EXIT): _S.GONE,
}

PROCESS_TRANSITIONS: Mapping[ProcessKind, Mapping[tuple[ProcessState, ProcessEvent], ProcessState]] = {
    _P.PRELOADER: {
        **_ENDING,
        (_S.SPAWNED, _E.HELLO): _S.LOADING,
        (_S.LOADING, _E.LOADED): _S.READY,
        (_S.READY, _E.RETIRE): _S.RETIRING,
        (_S.READY, _E.EXIT): _S.GONE,
    },
    _P.WORKER: {
        **_ENDING,
        (_S.SPAWNED, _E.FORKED): _S.SPAWNED,
        (_S.RETIRING, _E.FORKED): _S.RETIRING,
        (_S.SPAWNED, _E.HELLO): _S.BOOTING,
        (_S.BOOTING, _E.ACCEPTS): _S.SERVING,
        (_S.SERVING, _E.RETIRE): _S.RETIRING,
        (_S.SERVING, _E.EXIT): _S.GONE,
    },
    _P.DIRECT: {
        **_ENDING,
        (_S.SPAWNED, _E.HELLO): _S.LOADING,
        (_S.LOADING, _E.LOADED): _S.BOOTING,
        (_S.BOOTING, _E.ACCEPTS): _S.SERVING,
        (_S.SERVING, _E.RETIRE): _S.RETIRING,
        (_S.SERVING, _E.EXIT): _S.GONE,
    },
}

_G, _V = GroupState, GroupEvent

GROUP_TRANSITIONS: Mapping[tuple[GroupState, GroupEvent], GroupState] = {
    (_G.COLD, _V.SPAWN): _G.STARTING,
    (_G.COLD, _V.RESTART): _G.COLD,
    (_G.COLD, _V.CLOSE): _G.CLOSING,
    (_G.COLD, _V.REGISTER): _G.COLD,
    (_G.STARTING, _V.SPAWN): _G.STARTING,
    (_G.STARTING, _V.WORKER_READY): _G.SERVING,
    (_G.STARTING, _V.START_FAILED): _G.FAILED,
    (_G.STARTING, _V.RESTART): _G.STARTING,
    (_G.STARTING, _V.EMPTIED): _G.COLD,  # always_restart.txt: what was starting has gone, and is not replaced
    (_G.STARTING, _V.CLOSE): _G.CLOSING,
    (_G.STARTING, _V.REGISTER): _G.STARTING,
    (_G.SERVING, _V.SPAWN): _G.SERVING,
    (_G.SERVING, _V.WORKER_READY): _G.SERVING,
    (_G.SERVING, _V.START_FAILED): _G.SERVING,
    (_G.SERVING, _V.RESTART): _G.RESTARTING,
    (_G.SERVING, _V.EMPTIED): _G.COLD,
    (_G.SERVING, _V.CLOSE): _G.CLOSING,
    (_G.SERVING, _V.REGISTER): _G.SERVING,
    (_G.RESTARTING, _V.SPAWN): _G.RESTARTING,
    (_G.RESTARTING, _V.WORKER_READY): _G.RESTARTING,
    (_G.RESTARTING, _V.START_FAILED): _G.SERVING,
    (_G.RESTARTING, _V.RESTART): _G.RESTARTING,
    (_G.RESTARTING, _V.RESTARTED): _G.SERVING,
    (_G.RESTARTING, _V.EMPTIED): _G.STARTING,
    (_G.RESTARTING, _V.CLOSE): _G.CLOSING,
    (_G.RESTARTING, _V.REGISTER): _G.RESTARTING,
    (_G.FAILED, _V.SPAWN): _G.STARTING,
    (_G.FAILED, _V.RESTART): _G.COLD,
    (_G.FAILED, _V.CLOSE): _G.CLOSING,
    (_G.FAILED, _V.REGISTER): _G.FAILED,
    (_G.CLOSING, _V.CLOSE): _G.CLOSING,
    (_G.CLOSING, _V.REGISTER): _G.COLD,
}

State = TypeVar("State")
Event = TypeVar("Event")


def move(table: Mapping[tuple[State, Event], State], machine: str, state: State, event: Event) -> State:
    """The state that follows.

    :param table: rows of one machine.
    :param machine: its name, for the error.
    :raises IllegalTransition: the table has no such row.
    """
    try:
        return table[state, event]
    except KeyError:
        raise IllegalTransition(machine, state, event) from None
