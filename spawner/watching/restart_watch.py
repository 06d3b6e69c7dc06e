"""Notices that a restart is asked for: by inotify through watchdog's shared descriptor, and by a slow stat poll.

There is one thread, however many apps there are: watchdog's observers start one for each watch, its inotify layer does
not.
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

from spawner.watching.restart_trigger import RestartTrigger, always_restart_file, folders_to_watch, read_trigger

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
_SETTLE = 0.01  # seconds in which the events of one touch are collected
# A folder with so many events in a second is not watched for a while: to read them takes time from other apps.
_MOST_EVENTS = 250
_EVENTS_PERIOD = 1.0  # seconds
_REST = 1.0  # seconds; then the app is checked, and its folder watched again
# Seconds between two restarts of one app: touches in quick succession must not keep it from ever starting. The last
# one is always acted upon.
_RESTART_INTERVAL = 0.25


class FolderEvents(Protocol):
    """Reports changes in folders, on any thread."""

    def add(self, folder: str, on_change: Callable[[bool], None]) -> Optional[int]:
        """Watch a folder.

        :param on_change: called on any thread; with True if the watch is lost.
        :returns: the watch; None where that is not possible.
        """

    def remove(self, folder: str, watch: int) -> None:
        """Watch it no longer."""

    def close(self) -> None:
        """Watch nothing any longer and end the thread."""


class _Callback:
    """Receives watchdog's events of one folder."""

    def __init__(self, on_change: Callable[[bool], None]) -> None:
        self._on_change = on_change

    def on_event(self, event: InotifyEvent) -> None:
        self._on_change(event.is_move_self)

    def on_watch_deleted(self, wd: WatchDescriptor) -> None:
        self._on_change(True)

    def on_queue_overflow(self) -> None:
        self._on_change(False)


class InotifyFolders:
    """FolderEvents with one inotify descriptor and its one thread.

    :param on_unavailable: called once, with the reason, if a folder cannot be watched.
    :raises OSError: the kernel gives no inotify descriptor.
    """

    def __init__(self, on_unavailable: Callable[[str], None]) -> None:
        self._inotify = InotifyFD()
        self._inotify.daemon = True
        self._inotify.start()
        self._on_unavailable = on_unavailable
        self._reported = False

    def add(self, folder: str, on_change: Callable[[bool], None]) -> Optional[int]:
        """Watch a folder; None where the kernel refuses."""
        callback = _Callback(on_change)
        try:
            watch = self._inotify.add_callback(folder.encode(errors="surrogateescape"), _MASK, callback, _id(folder))
        except OSError as error:
            if not self._reported and not isinstance(error, (FileNotFoundError, NotADirectoryError)):
                self._reported = True
                self._on_unavailable("%s: %s" % (folder, error))
            return None
        return int(watch) if watch >= 0 else None

    def remove(self, folder: str, watch: int) -> None:
        """Watch it no longer; a watch that is gone already is no error."""
        self._inotify.remove_callbacks([(WatchDescriptor(watch), _id(folder))])

    def close(self) -> None:
        """End the thread, which closes the descriptor."""
        self._inotify.stop()
        self._inotify.join(1.0)


def _id(folder: str) -> CallbackId:
    return CallbackId(hash(folder))


@dataclass
class _Folder:
    """A folder that is watched for some apps.

    :ivar identity: device and inode of the folder that the watch is on; another one may have its path by now.
    :ivar apps: their keys.
    :ivar announced: whether the loop knows of an event and has not checked the apps yet; set on any thread.
    :ivar events: how many came since `counted_since`; counted on any thread.
    :ivar rests: not watched for a while, because too many came.
    """

    watch: Optional[int] = None
    identity: Optional[tuple[int, int]] = None
    apps: set[str] = field(default_factory=set)
    announced: bool = False
    events: int = 0
    counted_since: float = 0.0
    rests: bool = False


@dataclass
class _App:
    """One app.

    :ivar seen: the trigger at the last check.
    :ivar handled: the trigger as far as restarts were asked for.
    :ivar always_restart: whether always_restart.txt was there at the last check.
    :ivar interval: runs for a while after a restart; the next one waits for its end.
    :ivar fired_in_interval: whether a restart waits for that.
    """

    app_root: str
    restart_dir: str
    seen: RestartTrigger
    handled: RestartTrigger
    folders: list[str] = field(default_factory=list)
    always_restart: bool = False
    interval: Optional[asyncio.TimerHandle] = None
    fired_in_interval: bool = False


class RestartWatch:
    """Calls back on the loop's thread when an app's restart file is touched or its release is switched.

    :param on_restart: called with the app's key: it is to be restarted.
    :param folders: None where inotify is not available: then there is the poll only.
    :param poll_interval: seconds between two checks of an app (PassengerStatThrottleRate); at least 1.
    :param on_always_restart: called with the app's key when its always_restart.txt is there (True) or is gone.
    :param on_state: called with the app's key when its `state_of` changes.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        on_restart: Callable[[str], None],
        folders: Optional[FolderEvents],
        poll_interval: float,
        on_always_restart: Callable[[str, bool], None] = lambda key, on: None,
        on_state: Callable[[str], None] = lambda key: None,
    ) -> None:
        self._loop = loop
        self._on_restart = on_restart
        self._on_always_restart = on_always_restart
        self._on_state = on_state
        self._events = folders
        self.poll_interval = max(1.0, poll_interval)
        self._apps: dict[str, _App] = {}
        self._folders: dict[str, _Folder] = {}
        self._changed: set[str] = set()
        self._settle_timer: Optional[asyncio.TimerHandle] = None
        self._poll_timer: Optional[asyncio.TimerHandle] = None

    def watch(self, key: str, app_root: str, restart_dir: str, always_restart: bool = False) -> None:
        """Watch an app. A restart file that is there already means no restart.

        :param always_restart: the last known state of its always_restart.txt, maybe from an earlier spawner.
        """
        known = self._apps.get(key)
        if known is not None and (known.app_root, known.restart_dir) == (app_root, restart_dir):
            return
        self.unwatch(key)
        seen = read_trigger(app_root, restart_dir)
        always = known.always_restart if known else always_restart
        self._apps[key] = _App(app_root, restart_dir, seen, seen, always_restart=always)
        self._update_watches(key)
        self._loop.call_soon(self._check_always_restart, key)
        if self._poll_timer is None:
            self._poll_timer = self._loop.call_later(self.poll_interval, self._poll)

    def resume(self, key: str, state: str) -> None:
        """Restart an app if that was asked for since an earlier spawner has checked it last.

        :param state: its `state_of` in that spawner.
        """
        app, before = self._apps.get(key), RestartTrigger.from_text(state)
        if app is not None and before is not None and before.is_fired_by(app.seen):
            self._on_restart(key)

    def state_of(self, key: str) -> str:
        """The trigger of an app as far as restarts were asked for, as text; empty if it is not watched."""
        app = self._apps.get(key)
        return app.handled.to_text() if app is not None else ""

    def unwatch(self, key: str) -> None:
        """Watch an app no longer; one that is not watched is no error."""
        app = self._apps.pop(key, None)
        if app is not None:
            self._remove_watches(key, app.folders)
            if app.interval is not None:
                app.interval.cancel()

    def check(self, key: str) -> None:
        """Look at an app's restart file now, without waiting for an event; an app that is not watched is no error."""
        self._check(key)

    def close(self) -> None:
        """Watch nothing any longer."""
        for timer in (self._settle_timer, self._poll_timer):
            if timer is not None:
                timer.cancel()
        self._settle_timer = self._poll_timer = None
        for key in list(self._apps):
            self.unwatch(key)
        if self._events is not None:
            self._events.close()

    # Folders

    def _update_watches(self, key: str) -> None:
        """Watch the folders that matter to an app now, and no others."""
        app = self._apps[key]
        wanted = folders_to_watch(app.app_root, app.restart_dir)
        for folder in wanted:
            self._add_watch(key, folder)
        self._remove_watches(key, [folder for folder in app.folders if folder not in wanted])
        app.folders = wanted

    def _add_watch(self, key: str, path: str) -> None:
        folder = self._folders.setdefault(path, _Folder())
        folder.apps.add(key)
        identity = _identity(path)
        if folder.watch is not None and folder.identity != identity:
            self._stop_watch(path, folder)
        if folder.watch is None and identity is not None and self._events is not None and not folder.rests:
            folder.watch = self._events.add(path, functools.partial(self._changed_in_thread, path, folder))
            folder.identity = identity

    def _remove_watches(self, key: str, paths: list[str]) -> None:
        for path in paths:
            folder = self._folders.get(path)
            if folder is None:
                continue
            folder.apps.discard(key)
            if not folder.apps:
                del self._folders[path]
                self._stop_watch(path, folder)

    def _stop_watch(self, path: str, folder: _Folder) -> None:
        if folder.watch is not None and self._events is not None:
            self._events.remove(path, folder.watch)
        folder.watch = None

    def _changed_in_thread(self, path: str, folder: _Folder, lost: bool) -> None:
        """Have the loop look, once for all events until it does; and once more when there are too many."""
        folder.events += 1
        if folder.announced and not lost and folder.events != _MOST_EVENTS:
            return
        folder.announced = True
        try:
            self._loop.call_soon_threadsafe(self._folder_changed, path, lost)
        except RuntimeError:  # the loop is closed: the spawner ends
            return

    def _folder_changed(self, path: str, lost: bool) -> None:
        self._changed.add(path)
        folder = self._folders.get(path)
        if folder is not None:
            self._count_events(path, folder)
            if lost:
                self._stop_watch(path, folder)
        if self._settle_timer is None:
            self._settle_timer = self._loop.call_later(_SETTLE, self._check_changed)

    def _count_events(self, path: str, folder: _Folder) -> None:
        now = self._loop.time()
        if folder.events >= _MOST_EVENTS and not folder.rests:
            folder.rests = True
            self._stop_watch(path, folder)
            self._loop.call_later(_REST, self._end_rest, path, folder)
        if now - folder.counted_since > _EVENTS_PERIOD or folder.rests:
            folder.counted_since, folder.events = now, 0

    def _end_rest(self, path: str, folder: _Folder) -> None:
        folder.rests = False
        if self._folders.get(path) is folder:
            for key in sorted(folder.apps):
                self._check(key)

    # Apps

    def _check_changed(self) -> None:
        self._settle_timer = None
        paths, self._changed = self._changed, set()
        for path in paths:
            if path in self._folders:
                self._folders[path].announced = False
        for key in sorted({key for path in paths if path in self._folders for key in self._folders[path].apps}):
            self._check(key)

    def _poll(self) -> None:
        self._poll_timer = self._loop.call_later(self.poll_interval, self._poll)
        for key in list(self._apps):
            self._check(key)

    def _check(self, key: str) -> None:
        app = self._apps.get(key)
        if app is None:
            return
        # First the watches, then the trigger: a change in between is noticed by one of them.
        self._update_watches(key)
        self._check_always_restart(key)
        newer = read_trigger(app.app_root, app.restart_dir)
        fired = app.seen.is_fired_by(newer)
        app.seen = RestartTrigger(newer.root or app.seen.root, newer.file)
        if not fired:
            if not app.fired_in_interval:
                self._set_handled(key, app)
            return
        app.fired_in_interval = app.interval is not None
        if app.interval is None:
            self._restart(key, app)

    def _check_always_restart(self, key: str) -> None:
        app = self._apps.get(key)
        if app is None:
            return
        exists = os.path.exists(always_restart_file(app.app_root, app.restart_dir))
        if exists != app.always_restart:
            app.always_restart = exists
            self._on_always_restart(key, exists)

    def _set_handled(self, key: str, app: _App) -> None:
        if app.handled != app.seen:
            app.handled = app.seen
            self._on_state(key)

    def _restart(self, key: str, app: _App) -> None:
        app.interval = self._loop.call_later(_RESTART_INTERVAL, self._interval_ended, key, app)
        self._set_handled(key, app)
        self._on_restart(key)

    def _interval_ended(self, key: str, app: _App) -> None:
        app.interval = None
        if app.fired_in_interval:
            app.fired_in_interval = False
            self._restart(key, app)


def _identity(path: str) -> Optional[tuple[int, int]]:
    """Device and inode; None if there is no such folder."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
