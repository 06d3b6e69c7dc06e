"""What files of Puma and Unicorn say, as directives of Apache; and what is to be done about the rest."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Mapping, Optional

from spawner.cli.migration.evaluation import Call, Recording
from spawner.cli.migration.words import PUMA, SERVERS, TITLES, UNICORN, Fate

_DEFAULT_POOL = 6  # PassengerMaxPoolSize
_PUMA_THREADS = 5
_UNICORN_TIMEOUT = 60


@dataclass(frozen=True)
class DirectiveLine:
    """A directive, its value, and from where it comes."""

    directive: str
    value: str
    reason: str


@dataclass(frozen=True)
class Remark:
    """What there is to say about a word."""

    place: str
    source: str
    advice: str


@dataclass
class Migration:
    """The result.

    :ivar server_lines: directives that stand outside of the virtual host, and `lines`: those within.
    :ivar unneeded: words that need nothing.
    :ivar remarks: words that have no equivalent, or something to do.
    """

    server: str
    app_root: Path
    server_lines: list[DirectiveLine] = field(default_factory=list)
    lines: list[DirectiveLine] = field(default_factory=list)
    unneeded: list[Remark] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)


def server_of(recording: Recording) -> str:
    """Whose files they are: `puma` or `unicorn`."""
    words = {call.word for call in recording.calls}
    if any(call.word == "before_fork" and call.parameters == 2 for call in recording.calls):
        return "unicorn"
    puma, unicorn = len(words & (PUMA.keys() - UNICORN.keys())), len(words & (UNICORN.keys() - PUMA.keys()))
    if puma == unicorn:
        return "unicorn" if any("unicorn" in file.name for file in recording.files) else "puma"
    return "unicorn" if unicorn > puma else "puma"


def convert(recording: Recording, app_root: Path, environment: str, variables: Mapping[str, str]) -> Migration:
    """Make directives of a recording.

    :param environment: the name of the environment, unless the files say another one.
    :param variables: the environment in which the files were evaluated.
    """
    return _Converter(recording, app_root, environment, variables).run()


class _Converter:
    """One conversion. The methods of `run` each look at one subject."""

    def __init__(self, recording: Recording, app_root: Path, environment: str, variables: Mapping[str, str]) -> None:
        self._recording = recording
        self._environment = environment
        self._variables = variables
        self._title = TITLES[server_of(recording)]
        self._words = SERVERS[server_of(recording)]
        self._result = Migration(server_of(recording), app_root)

    def run(self) -> Migration:
        self._app_root()
        self._add("PassengerRuby", self._recording.executable, "the Ruby that has read the file")
        self._environment_name()
        self._startup_file()
        workers = self._workers()
        self._spawn_method(workers)
        self._threads()
        self._times()
        self._queue()
        self._log()
        self._user()
        self._hooks()
        self._body_limit()
        self._early_hints()
        self._rest()
        return self._result

    def _add(self, directive: str, value: object, reason: str) -> None:
        self._result.lines.append(DirectiveLine(directive, str(value), reason))

    def _remark(self, call: Call, advice: str) -> None:
        self._result.remarks.append(Remark(call.place, call.source, advice))

    def _unneeded(self, call: Call, advice: str) -> None:
        self._result.unneeded.append(Remark(call.place, call.source, advice))

    def _last(self, *words: str) -> Optional[Call]:
        return next((call for call in reversed(self._recording.calls) if call.word in words), None)

    def _number(self, call: Call, argument: int = 0) -> Optional[int]:
        """An argument as a number; if it is none, there is a remark."""
        try:
            return int(call.arguments[argument])
        except (IndexError, TypeError, ValueError):
            self._remark(call, "This is no number: write the directive yourself.")
            return None

    def _app_root(self) -> None:
        call = self._last("directory", "working_directory")
        if call and call.arguments:
            self._result.app_root = self._result.app_root / str(call.arguments[0])
            self._add("PassengerAppRoot", self._result.app_root, _origin(call))

    def _environment_name(self) -> None:
        call = self._last("environment")
        if call and call.arguments:
            self._add("PassengerAppEnv", call.arguments[0], _origin(call))
        else:
            self._add(
                "PassengerAppEnv",
                self._environment,
                "from --environment, APP_ENV, RACK_ENV or RAILS_ENV; without them, production",
            )

    def _startup_file(self) -> None:
        call = next((call for call in self._recording.calls if call.word == "rackup"), None)
        if call and call.arguments:
            path = self._in_app(Path(str(call.arguments[0])))
            if path is None:
                self._remark(call, "The entry file has to be in the app root: copy it there.")
            elif path != "config.ru":
                self._add("PassengerStartupFile", path, _origin(call))

    def _workers(self) -> int:
        call = self._last("workers", "worker_processes")
        reason = _origin(call) if call else "%s's default" % self._title
        count: Optional[int] = 1
        if call and call.arguments[:1] == ("auto",):
            count = os.cpu_count()
            reason += ", on this machine"
        elif call:
            count = self._number(call)
        elif self._result.server == "puma" and self._variables.get("WEB_CONCURRENCY", "").isdecimal():
            count, reason = int(self._variables["WEB_CONCURRENCY"]), "WEB_CONCURRENCY in the environment"
        workers = max(1, count or 1)
        self._add("PassengerMinInstances", workers, reason)
        self._add("PassengerMaxInstances", workers, reason)
        if workers > _DEFAULT_POOL:
            reason = "the workers of all apps together: add those of the others"
            self._result.server_lines.append(DirectiveLine("PassengerMaxPoolSize", str(workers), reason))
        return workers

    def _spawn_method(self, workers: int) -> None:
        call = self._last("preload_app!", "preload_app", "fork_worker")
        if call:
            preloads = call.word == "fork_worker" or call.arguments[:1] not in ((False,), (None,))
            reason = _origin(call)
        else:
            preloads = self._result.server == "puma" and workers > 1
            reason = "%s's default" % self._title
        if not preloads:
            reason += "; with `smart`, workers share memory and start sooner"
        self._add("PassengerSpawnMethod", "smart" if preloads else "direct", reason)

    def _threads(self) -> None:
        if self._result.server != "puma":
            return
        call = self._last("threads")
        count, reason = self._default_threads(), "Puma's default, or PUMA_MAX_THREADS"
        if call:
            count, reason = self._number(call, len(call.arguments) - 1) or 1, _origin(call)
        if count > 1:
            self._add("PassengerConcurrencyModel", "thread", reason)
            self._add("PassengerThreadCount", count, reason)

    def _default_threads(self) -> int:
        text = self._variables.get("PUMA_MAX_THREADS") or self._variables.get("MAX_THREADS") or ""
        return int(text) if text.isdecimal() else _PUMA_THREADS

    def _times(self) -> None:
        boot, request = self._last("worker_boot_timeout"), self._last("timeout")
        if boot and (seconds := self._number(boot)):
            self._add("PassengerStartTimeout", seconds, _origin(boot))
        if self._result.server == "unicorn":
            limit = self._number(request) if request else _UNICORN_TIMEOUT
            if limit:
                self._add("PassengerMaxRequestTime", limit, _origin(request) if request else "Unicorn's default")

    def _queue(self) -> None:
        found: list[tuple[int, Call]] = []
        for call in self._recording.calls:
            if call.word not in ("bind", "listen"):
                continue
            options = call.arguments[1] if len(call.arguments) > 1 and isinstance(call.arguments[1], dict) else {}
            in_url = re.search(r"[?&]backlog=(\d+)", str(call.arguments[0]) if call.arguments else "")
            backlog = int(in_url[1]) if in_url else options.get("backlog")
            if isinstance(backlog, int) and backlog > 0:
                found.append((backlog, call))
            self._unneeded(call, "Apache listens: `Listen` and `<VirtualHost>` say where.")
        if found:
            backlog, call = max(found, key=lambda one: one[0])
            self._add("PassengerMaxRequestQueueSize", backlog, _origin(call))

    def _log(self) -> None:
        redirect = self._last("stdout_redirect")
        streams = [call for call in (self._last("stdout_path"), self._last("stderr_path")) if call]
        paths = [(str(path), redirect) for path in redirect.arguments[:2] if path] if redirect else []
        paths += [(str(call.arguments[0]), call) for call in streams if call.arguments and call.arguments[0]]
        if not paths:
            return
        path, call = paths[-1]
        self._add("PassengerAppLogFile", self._result.app_root / path, _origin(call))
        if len({path for path, _ in paths}) > 1:
            self._remark(paths[0][1], "An app has one log file, for both streams.")

    def _user(self) -> None:
        call = self._last("user")
        if call:
            for directive, name in zip(("PassengerUser", "PassengerGroup"), call.arguments):
                if name:
                    self._add(directive, name, _origin(call))

    def _hooks(self) -> None:
        calls = [call for call in self._recording.calls if self._fate(call) is Fate.HOOK]
        if not calls:
            return
        path = self._in_app(calls[0].file)
        if path is None:
            self._remark(calls[0], "PassengerRubyHooksFile has to be in the app root: copy the file there.")
        else:
            self._add("PassengerRubyHooksFile", path, ", ".join(_origin(call) for call in calls))
        for call in calls[1:]:
            if call.file != calls[0].file:
                self._remark(call, "PassengerRubyHooksFile is one file: move this hook to %s." % calls[0].file)

    def _body_limit(self) -> None:
        call = self._last("http_content_length_limit")
        if call and (limit := self._number(call)):
            self._add("LimitRequestBody", limit, _origin(call))

    def _early_hints(self) -> None:
        call = self._last("early_hints")
        if call and call.arguments[:1] not in ((False,), (None,)):
            self._add("PassengerEarlyHints", "On", _origin(call))
            self._remark(call, "Over HTTP/2, Apache passes them on if it is told to by H2EarlyHints On.")

    def _in_app(self, path: Path) -> Optional[str]:
        """The path relative to the app root; None: it is elsewhere."""
        whole = Path(os.path.normpath(self._result.app_root / path))
        root = Path(os.path.normpath(self._result.app_root))
        return str(whole.relative_to(root)) if whole.is_relative_to(root) else None

    def _fate(self, call: Call) -> Optional[Fate]:
        return self._words[call.word].fate if call.word in self._words else None

    def _rest(self) -> None:
        for call in self._recording.calls:
            fate = self._fate(call)
            if fate is None:
                self._remark(call, "This is no word of %s that Jumpseat knows." % self._title)
            elif fate is Fate.UNNEEDED:
                self._unneeded(call, self._words[call.word].advice)
            elif fate is Fate.ELSEWHERE:
                self._remark(call, self._words[call.word].advice)
            elif call.word in _SPECIAL:
                _SPECIAL[call.word](self, call)
        for call in self._recording.missing:
            self._remark(call, "This library is not installed for %s." % self._recording.executable)

    def _plugin(self, call: Call) -> None:
        if call.arguments[:1] == ("tmp_restart",):
            self._unneeded(call, "A touch of tmp/restart.txt restarts the app.")
        else:
            self._remark(call, "Plugins of Puma do not run: run what it does as a service of its own, or in a hook.")

    def _app(self, call: Call) -> None:
        self._remark(call, "The app has to be in an entry file: move it to config.ru.")

    def _remote_address(self, call: Call) -> None:
        header = call.arguments[0].get("header") if call.arguments and isinstance(call.arguments[0], dict) else None
        self._remark(call, "Apache's mod_remoteip says who the client is: RemoteIPHeader %s." % (header or "..."))

    def _url_scheme(self, call: Call) -> None:
        self._remark(call, "Apache knows whether a request came over TLS. Behind another proxy: SetEnv HTTPS on.")


_SPECIAL: dict[str, Callable[[_Converter, Call], Any]] = {
    "plugin": _Converter._plugin,
    "app": _Converter._app,
    "set_remote_address": _Converter._remote_address,
    "rack_url_scheme": _Converter._url_scheme,
}


def _origin(call: Call) -> str:
    return "%s: %s" % (call.place, call.source)
