"""Notices restart files: inotify through watchdog's shared descriptor, a slow stat poll behind it.

One thread, however many apps there are: watchdog's observers start one per watch, its inotify layer does not.
"""

from __future__ import annotations

import asyncio
import functools
import os
from dataclasses import dataclass, field
from typing import Callable, Optional, Protocol

from watchdog.observers.inotify_c import (
    CallbackId,
    InotifyConstants,
    InotifyEvent,
    InotifyFD,
    Mask,
    WatchDescriptor,
)

from spawner.watching.restart_keys import RestartKey, always_restart_file, folders_to_watch, look

_MASK = Mask(
    InotifyConstants.IN_CREATE
    | InotifyConstants.IN_ATTRIB
    | InotifyConstants.IN_CLOSE_WRITE
    | InotifyConstants.IN_MOVED_TO
    | InotifyConstants.IN_MOVED_FROM
    | InotifyConstants.IN_DELETE
    | InotifyConstants.IN_DELETE_SELF
    | InotifyConstants.IN_MOVE_SELF
    | InotifyConstants.IN_ONLYDIR
)
_SETTLE = 0.01  # seconds: the events of one touch are looked at together
_HOLD = 0.25  # seconds after a restart before the next of the same app: touches in quick succession must not keep an
# app from ever coming up; the last one is always acted upon


class FolderEvents(Protocol):
    """Tells that something in a folder changed, on any thread."""

    def add(self, folder: str, changed: Callable[[bool], None]) -> Optional[int]:
        """Watch a folder; None where that is not possible.

        :param changed: called on any thread; True says that the watch is lost.
        """

    def remove(self, folder: str, watch: int) -> None:
        """Watch it no longer."""

    def close(self) -> None:
        """Watch nothing any longer and end the thread."""


class _Callback:
    """Passes watchdog's events on."""

    def __init__(self, changed: Callable[[bool], None]) -> None:
        self._changed = changed

    def on_event(self, event: InotifyEvent) -> None:
        self._changed(event.is_move_self)

    def on_watch_deleted(self, wd: WatchDescriptor) -> None:
        self._changed(True)

    def on_queue_overflow(self) -> None:
        self._changed(False)


class InotifyFolders:
    """FolderEvents on one inotify descriptor and its one thread.

    :param unavailable: told, once, why folders cannot be watched.
    :raises OSError: the kernel gives no inotify descriptor.
    """

    def __init__(self, unavailable: Callable[[str], None]) -> None:
        self._inotify = InotifyFD()
        self._inotify.daemon = True
        self._inotify.start()
        self._unavailable = unavailable
        self._said = False

    def add(self, folder: str, changed: Callable[[bool], None]) -> Optional[int]:
        """Watch a folder; None where the kernel refuses."""
        callback = _Callback(changed)
        try:
            watch = self._inotify.add_callback(folder.encode(errors="surrogateescape"), _MASK, callback, _key(folder))
        except OSError as error:
            if not self._said and not isinstance(error, (FileNotFoundError, NotADirectoryError)):
                self._said = True
                self._unavailable("%s: %s" % (folder, error))
            return None
        return int(watch) if watch >= 0 else None

    def remove(self, folder: str, watch: int) -> None:
        """Watch it no longer; one that has gone by itself is no error."""
        self._inotify.remove_callbacks([(WatchDescriptor(watch), _key(folder))])

    def close(self) -> None:
        """End the thread, which closes the descriptor."""
        self._inotify.stop()
        self._inotify.join(1.0)


def _key(folder: str) -> CallbackId:
    return CallbackId(hash(folder))


@dataclass
class _Folder:
    """A folder that is watched for the sake of some apps.

    :ivar identity: device and inode that the watch is on; another folder may have taken the path since.
    """

    watch: Optional[int] = None
    identity: Optional[tuple[int, int]] = None
    users: set[str] = field(default_factory=set)


@dataclass
class _Watched:
    app_root: str
    restart_dir: str
    key: RestartKey  # as it was last seen
    acted: RestartKey  # as it was seen when everything asked for by then had been passed on
    folders: list[str] = field(default_factory=list)
    always: bool = False  # whether always_restart.txt is there
    held: Optional[asyncio.TimerHandle] = None  # set for a while after a restart
    asked_while_held: bool = False


class RestartWatch:
    """Calls `restart(key)` on the loop's thread when an app's restart file was touched or its release switched.

    :param folders: None where inotify is not available: the stat poll alone then.
    :param poll_every: seconds between looks at every app (PassengerStatThrottleRate); at least 1.
    :param always: told of an app whose always_restart.txt is there (True) or has gone.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        restart: Callable[[str], None],
        folders: Optional[FolderEvents],
        poll_every: float,
        always: Callable[[str, bool], None] = lambda key, on: None,
    ) -> None:
        self._loop = loop
        self._restart = restart
        self._events = folders
        self._always = always
        self.poll_every = max(1.0, poll_every)
        self._apps: dict[str, _Watched] = {}
        self._folders: dict[str, _Folder] = {}
        self._changed: set[str] = set()
        self._settling: Optional[asyncio.TimerHandle] = None
        self._poll: Optional[asyncio.TimerHandle] = None

    def watch(self, key: str, app_root: str, restart_dir: str, always: bool = False) -> None:
        """Watch an app; a restart file that is there already asks for nothing.

        :param always: what was told of its always_restart.txt last, by an earlier spawner too.
        """
        known = self._apps.get(key)
        if known is not None and (known.app_root, known.restart_dir) == (app_root, restart_dir):
            return
        self.unwatch(key)
        seen = look(app_root, restart_dir)
        self._apps[key] = _Watched(app_root, restart_dir, seen, seen, always=known.always if known else always)
        self._place(key)
        self._loop.call_soon(self._look_for_always, key)
        if self._poll is None:
            self._poll = self._loop.call_later(self.poll_every, self._poll_all)

    def resume(self, key: str, seen: str) -> None:
        """Compare with what an earlier spawner has seen last: a restart asked for in between is not lost.

        :param seen: its `key_of`.
        """
        watched, before = self._apps.get(key), RestartKey.from_text(seen)
        if watched is not None and before is not None and before.calls_for_restart(watched.key):
            self._restart(key)

    def key_of(self, key: str) -> str:
        """How an app's restart file stood as far as restarts were asked for, as text; empty if it is not watched."""
        watched = self._apps.get(key)
        return watched.acted.to_text() if watched is not None else ""

    def unwatch(self, key: str) -> None:
        """Watch an app no longer; one that is not watched is no error."""
        watched = self._apps.pop(key, None)
        if watched is not None:
            self._release(key, watched.folders)
            if watched.held is not None:
                watched.held.cancel()

    def close(self) -> None:
        """Watch nothing any longer."""
        for handle in (self._settling, self._poll):
            if handle is not None:
                handle.cancel()
        self._settling = self._poll = None
        for key in list(self._apps):
            self.unwatch(key)
        if self._events is not None:
            self._events.close()

    def _place(self, key: str) -> None:
        """Watch the folders that matter to an app now, and no others."""
        watched = self._apps[key]
        wanted = folders_to_watch(watched.app_root, watched.restart_dir)
        for folder in wanted:
            self._use(key, folder)
        self._release(key, [folder for folder in watched.folders if folder not in wanted])
        watched.folders = wanted

    def _use(self, key: str, path: str) -> None:
        folder = self._folders.setdefault(path, _Folder())
        folder.users.add(key)
        identity = _identity(path)
        if folder.watch is not None and folder.identity != identity:
            self._stop(path, folder)
        if folder.watch is None and identity is not None and self._events is not None:
            folder.watch = self._events.add(path, functools.partial(self._from_thread, path))
            folder.identity = identity

    def _stop(self, path: str, folder: _Folder) -> None:
        if folder.watch is not None and self._events is not None:
            self._events.remove(path, folder.watch)
        folder.watch = None

    def _release(self, key: str, paths: list[str]) -> None:
        for path in paths:
            folder = self._folders.get(path)
            if folder is None:
                continue
            folder.users.discard(key)
            if not folder.users:
                del self._folders[path]
                self._stop(path, folder)

    def _from_thread(self, path: str, lost: bool) -> None:
        try:
            self._loop.call_soon_threadsafe(self._note, path, lost)
        except RuntimeError:  # the loop has been closed: everything ends
            return

    def _note(self, path: str, lost: bool) -> None:
        self._changed.add(path)
        if lost and path in self._folders:
            self._stop(path, self._folders[path])
        if self._settling is None:
            self._settling = self._loop.call_later(_SETTLE, self._look_at_changed)

    def _look_at_changed(self) -> None:
        self._settling = None
        paths, self._changed = self._changed, set()
        for key in sorted({key for path in paths if path in self._folders for key in self._folders[path].users}):
            self._look(key)

    def _poll_all(self) -> None:
        self._poll = self._loop.call_later(self.poll_every, self._poll_all)
        for key in list(self._apps):
            self._look(key)

    def _look(self, key: str) -> None:
        watched = self._apps.get(key)
        if watched is None:
            return
        self._place(key)  # first the watches, then the look: what comes in between is seen by one of them
        self._look_for_always(key)
        newer = look(watched.app_root, watched.restart_dir)
        asked = watched.key.calls_for_restart(newer)
        watched.key = RestartKey(newer.root or watched.key.root, newer.file)
        if not asked:
            if not watched.asked_while_held:
                watched.acted = watched.key
            return
        watched.asked_while_held = watched.held is not None
        if watched.held is None:
            self._ask(key, watched)

    def _look_for_always(self, key: str) -> None:
        watched = self._apps.get(key)
        if watched is None:
            return
        there = os.path.exists(always_restart_file(watched.app_root, watched.restart_dir))
        if there != watched.always:
            watched.always = there
            self._always(key, there)

    def _ask(self, key: str, watched: _Watched) -> None:
        watched.held = self._loop.call_later(_HOLD, self._hold_ended, key, watched)
        watched.acted = watched.key
        self._restart(key)

    def _hold_ended(self, key: str, watched: _Watched) -> None:
        watched.held = None
        if watched.asked_while_held:
            watched.asked_while_held = False
            self._ask(key, watched)


def _identity(path: str) -> Optional[tuple[int, int]]:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
