"""Each word of the configuration files of Puma (up to 8.0) and Unicorn (up to 6.1), and what becomes of it."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Fate(enum.Enum):
    """What becomes of a word."""

    CONVERTED = "converted"  # conversion.py makes a directive of it, or says why it does not
    HOOK = "hook"  # PassengerRubyHooksFile runs it
    UNNEEDED = "unneeded"  # nothing has to be done: `advice` says why
    ELSEWHERE = "elsewhere"  # it has no equivalent, or another program does it: `advice` says what to do
    STRUCTURE = "structure"  # it holds other words


@dataclass(frozen=True)
class Word:
    """One word.

    :ivar advice: one or two sentences for people; may be empty for CONVERTED, HOOK and STRUCTURE.
    """

    fate: Fate
    advice: str = ""


def _converted(*names: str) -> dict[str, Word]:
    return {name: Word(Fate.CONVERTED) for name in names}


def _hooks(*names: str) -> dict[str, Word]:
    return {name: Word(Fate.HOOK) for name in names}


def _unneeded(advice: str, *names: str) -> dict[str, Word]:
    return {name: Word(Fate.UNNEEDED, advice) for name in names}


def _elsewhere(advice: str, *names: str) -> dict[str, Word]:
    return {name: Word(Fate.ELSEWHERE, advice) for name in names}


_LISTENS = "Apache listens: `Listen` and `<VirtualHost>` say where."
_TLS = "Apache speaks TLS: SSLEngine, SSLCertificateFile and SSLCertificateKeyFile in a virtual host for port 443."
_PID = "The apps' processes have no pid file: `jumpseat status` shows them."
_CONTROL = "`jumpseat status` shows the processes, and `jumpseat restart-app` restarts the app."
_DAEMON = "Apache's own service starts and stops the apps; remove the service of the old server."
_KEEP_ALIVE = "Apache keeps the connections: KeepAlive, KeepAliveTimeout and MaxKeepAliveRequests."
_LOG = "The log has the app's output as lines with time and process; PassengerDisableLogPrefix On leaves these out."
_STUCK = "A worker that hangs is found by its requests: set PassengerMaxRequestTime."
_QUEUE = "A worker takes a request when it is free; until then the request waits in the queue of the app."
_BUNDLER = "Each release is loaded by a new process, with the gems of that release."
_BUFFERS = "Apache reads the body of a request before a worker gets it (PassengerBufferUpload)."
_WARNING = "Jumpseat has no such warning."
_RACK = "The version of the app's Rack decides."
_STOPS = (
    "A worker that is to end finishes its requests first, whatever time they take; PassengerMaxRequestTime bounds that."
)
_RESTARTS = "The new release is loaded by a new process; code for its start belongs to `before_fork`."
_REFORK = "A worker is never forked from a worker: remove it."

PUMA: dict[str, Word] = {
    **_converted("workers", "threads", "preload_app!", "fork_worker", "environment", "rackup", "directory"),
    **_converted("worker_boot_timeout", "stdout_redirect", "bind", "http_content_length_limit", "plugin", "app"),
    **_converted("set_remote_address", "rack_url_scheme", "early_hints"),
    **_hooks("before_fork", "before_worker_boot", "on_worker_boot", "before_worker_shutdown", "on_worker_shutdown"),
    **_hooks("before_worker_fork", "on_worker_fork", "after_worker_fork", "after_worker_boot", "after_worker_shutdown"),
    **_hooks("after_booted", "on_booted", "before_thread_start", "on_thread_start", "out_of_band"),
    "cluster": Word(Fate.STRUCTURE),
    "single": Word(Fate.STRUCTURE),
    **_unneeded("A worker never ends one of its threads.", "before_thread_exit", "on_thread_exit"),
    **_unneeded(_LISTENS, "clear_binds!", "port", "set_default_host", "bind_to_activated_sockets", "tcp_mode!"),
    **_unneeded(_QUEUE, "wait_for_less_busy_worker", "drain_on_shutdown"),
    **_unneeded(_BUFFERS, "queue_requests"),
    **_unneeded(_BUNDLER, "prune_bundler", "extra_runtime_dependencies"),
    **_unneeded(_WARNING, "silence_single_worker_warning", "silence_fork_callback_warning"),
    **_unneeded("A worker that is told to end ends with status 0.", "raise_exception_on_sigterm"),
    **_unneeded("The app's output is never held back.", "mutate_stdout_and_stderr_to_sync_on_write"),
    **_unneeded("Apache ignores such headers.", "allow_underscore_headers"),
    **_unneeded("There is no such part here.", "io_selector_backend"),
    **_unneeded("The memory is compacted before the first fork (PassengerWarmup).", "nakayoshi_fork"),
    **_unneeded("Jumpseat starts again what has ended.", "restart_command", "restart_cmd"),
    **_unneeded("The worker that has been idle for longest ends first.", "worker_culling_strategy"),
    **_elsewhere(_TLS, "ssl_bind"),
    **_elsewhere(_PID, "pidfile"),
    **_elsewhere(_CONTROL, "state_path", "state_permission", "activate_control_app"),
    **_elsewhere(_DAEMON, "daemonize"),
    **_elsewhere(_KEEP_ALIVE, "persistent_timeout", "max_keep_alive", "max_fast_inline", "enable_keep_alives"),
    **_elsewhere("Apache bounds the time of a slow client: RequestReadTimeout.", "first_data_timeout"),
    **_elsewhere("An idle app ends with PassengerMinInstances 0 and PassengerPoolIdleTime.", "idle_timeout"),
    **_elsewhere(_STOPS, "force_shutdown_after", "worker_shutdown_timeout"),
    **_elsewhere(_STUCK, "worker_timeout", "worker_check_interval"),
    **_elsewhere(_RESTARTS, "before_restart", "on_restart", "after_stopped", "on_stopped"),
    **_elsewhere(_REFORK, "before_refork", "on_refork", "after_refork"),
    **_elsewhere("Apache's CustomLog has a line for each request.", "quiet", "log_requests"),
    **_elsewhere("PassengerLogLevel (0 to 7) sets how much the log has.", "debug"),
    **_elsewhere(_LOG, "custom_logger", "log_formatter"),
    **_elsewhere("`jumpseat backtraces` shows the stacks of all threads at any time.", "shutdown_debug"),
    **_elsewhere("PassengerCustomErrorPage names a page for an app that does not start.", "lowlevel_error_handler"),
    **_elsewhere("Apache allows or refuses methods: <LimitExcept>, or AllowMethods.", "supported_http_methods"),
    **_elsewhere("Name the app by PassengerAppGroupName.", "tag"),
    **_elsewhere("Raise PassengerThreadCount by this number.", "max_io_threads"),
    **_elsewhere("A thread keeps its own variables between requests.", "fiber_per_request", "clean_thread_locals"),
}

UNICORN: dict[str, Word] = {
    **_converted("worker_processes", "timeout", "preload_app", "working_directory", "stderr_path", "stdout_path"),
    **_converted("user", "listen", "early_hints"),
    **_hooks("before_fork", "after_fork", "after_worker_exit", "after_worker_ready"),
    **_unneeded(_LISTENS, "listeners"),
    **_unneeded(_RACK, "rewindable_input", "default_middleware"),
    **_unneeded(_BUFFERS, "client_body_buffer_size"),
    **_unneeded("A process never executes itself again.", "before_exec"),
    **_elsewhere(_PID, "pid"),
    **_elsewhere(_LOG, "logger"),
    **_elsewhere("PassengerSpawnMethod direct starts each worker as a new process.", "worker_exec"),
    **_elsewhere("A request of a client that has left still runs, if a worker has it.", "check_client_connection"),
}

SERVERS = {"puma": PUMA, "unicorn": UNICORN}
#: Their names as people write them.
TITLES = {"puma": "Puma", "unicorn": "Unicorn"}
