"""The options that httpd sends to the spawner.

Generated from apache_module/directives.py by `python -m apache_module.generate`; do not edit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Mapping, Optional

from spawner.errors import PeerError


class OptionError(PeerError):
    """A value that the option cannot have.

    :param name: the option's wire name.
    :param value: what came.
    :param reason: what it must be.
    """

    def __init__(self, name: str, value: str, reason: str) -> None:
        super().__init__("option %s: %r is not %s" % (name, value, reason))
        self.name = name
        self.value = value


def _text(fields: Mapping[str, str], name: str) -> Optional[str]:
    value = fields.get(name)
    if value == "":
        raise OptionError(name, value, "a text of at least one character")
    return value


def _choice(fields: Mapping[str, str], name: str, choices: tuple[str, ...], default: str) -> str:
    value = fields.get(name, default)
    if value not in choices:
        raise OptionError(name, value, "one of " + ", ".join(choices))
    return value


def _flag(fields: Mapping[str, str], name: str, default: bool) -> bool:
    value = fields.get(name)
    if value not in (None, "0", "1"):
        raise OptionError(name, str(value), "0 or 1")
    return default if value is None else value == "1"


def _integer(fields: Mapping[str, str], name: str, default: int, minimum: int, maximum: int) -> int:
    value = fields.get(name)
    if value is None:
        return default
    # int() would also take signs, spaces, underscores and other scripts' digits.
    digits = value[1:] if minimum < 0 and value[:1] == "-" else value
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 10 and minimum <= int(value) <= maximum):
        raise OptionError(name, value, "a number from %d to %d" % (minimum, maximum))
    return int(value)


# What PassengerCtl can set a command for (docs/hooks.md).
HookName = Literal[
    "attached_process",
    "detached_process",
    "spawn_failed",
    "queue_full_error",
    "max_request_time_reached",
]


@dataclass(frozen=True)
class AppOptions:
    """What is configured for an app (`register`, docs/protocol.md section 4).

    :ivar python: PassengerPython. None: `python` in the app's own `venv/` or `.venv/`, else `python3` from PATH.
    :ivar ruby: PassengerRuby. None: PassengerDefaultRuby.
    :ivar nodejs: PassengerNodejs.
    :ivar app_start_command: PassengerAppStartCommand. None: `app_start_command` of the app's `Passengerfile.json`.
    :ivar warmup: PassengerWarmup.
    :ivar ruby_hooks_file: PassengerRubyHooksFile. None: none.
    :ivar early_hints: PassengerEarlyHints.
    :ivar app_env: PassengerAppEnv.
    :ivar spawn_method: PassengerSpawnMethod.
    :ivar known_import_warnings: PassengerKnownImportWarnings. None: none.
    :ivar load_shell_envvars: PassengerLoadShellEnvvars.
    :ivar start_timeout: PassengerStartTimeout. In seconds.
    :ivar concurrency_model: PassengerConcurrencyModel.
    :ivar thread_count: PassengerThreadCount. In threads.
    :ivar force_max_concurrent_requests_per_process: PassengerForceMaxConcurrentRequestsPerProcess. In requests.
    :ivar user: PassengerUser. None: the owner of the entry file.
    :ivar group: PassengerGroup. None: the user's primary group.
    :ivar min_instances: PassengerMinInstances. In processes.
    :ivar max_instances: PassengerMaxInstances. In processes.
    :ivar max_preloader_idle_time: PassengerMaxPreloaderIdleTime. In seconds.
    :ivar max_requests: PassengerMaxRequests. In requests.
    :ivar memory_limit: PassengerMemoryLimit. In MB.
    :ivar hard_memory_limit: PassengerHardMemoryLimit. In MB.
    :ivar address_space_limit: PassengerAddressSpaceLimit. In MB.
    :ivar user_process_limit: PassengerUserProcessLimit. In processes.
    :ivar app_file_descriptor_ulimit: PassengerAppFileDescriptorUlimit. In descriptors.
    :ivar cpu_time_limit: PassengerCpuTimeLimit. In seconds.
    :ivar app_memory_limit: PassengerAppMemoryLimit. In MB.
    :ivar app_cpu_weight: PassengerAppCpuWeight.
    :ivar app_process_limit: PassengerAppProcessLimit. In processes.
    :ivar no_new_privileges: PassengerNoNewPrivileges.
    :ivar max_request_queue_size: PassengerMaxRequestQueueSize. In requests.
    :ivar sticky_sessions: PassengerStickySessions.
    :ivar friendly_error_pages: PassengerFriendlyErrorPages.
    :ivar custom_error_page: PassengerCustomErrorPage. None: a short page that does not name the reason.
    :ivar restart_dir: PassengerRestartDir.
    :ivar rolling_restarts: PassengerRollingRestarts.
    :ivar resist_deployment_errors: PassengerResistDeploymentErrors.
    :ivar app_log_file: PassengerAppLogFile. None: PassengerLogFile if it is set, else the ErrorLog of the virtual host.
    :ivar disable_log_prefix: PassengerDisableLogPrefix.
    """

    python: Optional[str] = None
    ruby: Optional[str] = None
    nodejs: str = "node"
    app_start_command: Optional[str] = None
    warmup: bool = True
    ruby_hooks_file: Optional[str] = None
    early_hints: bool = False
    app_env: str = "production"
    spawn_method: str = "smart"
    known_import_warnings: Optional[str] = None
    load_shell_envvars: bool = True
    start_timeout: int = 90
    concurrency_model: str = "process"
    thread_count: int = 1
    force_max_concurrent_requests_per_process: int = -1
    user: Optional[str] = None
    group: Optional[str] = None
    min_instances: int = 1
    max_instances: int = 0
    max_preloader_idle_time: int = 300
    max_requests: int = 0
    memory_limit: int = 0
    hard_memory_limit: int = 0
    address_space_limit: int = 0
    user_process_limit: int = 0
    app_file_descriptor_ulimit: int = 0
    cpu_time_limit: int = 0
    app_memory_limit: int = 0
    app_cpu_weight: int = 0
    app_process_limit: int = 0
    no_new_privileges: bool = False
    max_request_queue_size: int = 100
    sticky_sessions: bool = False
    friendly_error_pages: bool = False
    custom_error_page: Optional[str] = None
    restart_dir: str = "tmp"
    rolling_restarts: bool = True
    resist_deployment_errors: bool = True
    app_log_file: Optional[str] = None
    disable_log_prefix: bool = False

    @classmethod
    def from_wire(cls, fields: Mapping[str, str]) -> "AppOptions":
        """The options in a message. Other names are ignored; options that are missing have their default.

        :raises OptionError: for a value that the option cannot have.
        """
        return cls(
            python=_text(fields, "python"),
            ruby=_text(fields, "ruby"),
            nodejs=_text(fields, "nodejs") or "node",
            app_start_command=_text(fields, "app_start_command"),
            warmup=_flag(fields, "warmup", True),
            ruby_hooks_file=_text(fields, "ruby_hooks_file"),
            early_hints=_flag(fields, "early_hints", False),
            app_env=_text(fields, "app_env") or "production",
            spawn_method=_choice(fields, "spawn_method", ("smart", "direct"), "smart"),
            known_import_warnings=_text(fields, "known_import_warnings"),
            load_shell_envvars=_flag(fields, "load_shell_envvars", True),
            start_timeout=_integer(fields, "start_timeout", 90, 1, 2147483647),
            concurrency_model=_choice(fields, "concurrency_model", ("process", "thread"), "process"),
            thread_count=_integer(fields, "thread_count", 1, 1, 1024),
            force_max_concurrent_requests_per_process=_integer(
                fields, "force_max_concurrent_requests_per_process", -1, -1, 65535
            ),
            user=_text(fields, "user"),
            group=_text(fields, "group"),
            min_instances=_integer(fields, "min_instances", 1, 0, 65535),
            max_instances=_integer(fields, "max_instances", 0, 0, 65535),
            max_preloader_idle_time=_integer(fields, "max_preloader_idle_time", 300, 0, 2147483647),
            max_requests=_integer(fields, "max_requests", 0, 0, 2147483647),
            memory_limit=_integer(fields, "memory_limit", 0, 0, 16777216),
            hard_memory_limit=_integer(fields, "hard_memory_limit", 0, 0, 16777216),
            address_space_limit=_integer(fields, "address_space_limit", 0, 0, 16777216),
            user_process_limit=_integer(fields, "user_process_limit", 0, 0, 4194304),
            app_file_descriptor_ulimit=_integer(fields, "app_file_descriptor_ulimit", 0, 0, 1048576),
            cpu_time_limit=_integer(fields, "cpu_time_limit", 0, 0, 2147483647),
            app_memory_limit=_integer(fields, "app_memory_limit", 0, 0, 16777216),
            app_cpu_weight=_integer(fields, "app_cpu_weight", 0, 0, 10000),
            app_process_limit=_integer(fields, "app_process_limit", 0, 0, 4194304),
            no_new_privileges=_flag(fields, "no_new_privileges", False),
            max_request_queue_size=_integer(fields, "max_request_queue_size", 100, 0, 2147483647),
            sticky_sessions=_flag(fields, "sticky_sessions", False),
            friendly_error_pages=_flag(
                fields, "friendly_error_pages", fields.get("app_env", "production") == "development"
            ),
            custom_error_page=_text(fields, "custom_error_page"),
            restart_dir=_text(fields, "restart_dir") or "tmp",
            rolling_restarts=_flag(fields, "rolling_restarts", fields.get("app_env", "production") != "development"),
            resist_deployment_errors=_flag(
                fields, "resist_deployment_errors", fields.get("rolling_restarts", "1") == "1"
            ),
            app_log_file=_text(fields, "app_log_file"),
            disable_log_prefix=_flag(fields, "disable_log_prefix", False),
        )

    def respawn_key(self) -> tuple[object, ...]:
        """What a running app process was started with. If it differs, the process has to be replaced."""
        return (
            self.python,
            self.ruby,
            self.nodejs,
            self.app_start_command,
            self.warmup,
            self.ruby_hooks_file,
            self.early_hints,
            self.app_env,
            self.spawn_method,
            self.load_shell_envvars,
            self.concurrency_model,
            self.thread_count,
            self.force_max_concurrent_requests_per_process,
            self.user,
            self.group,
            self.max_requests,
            self.address_space_limit,
            self.user_process_limit,
            self.app_file_descriptor_ulimit,
            self.cpu_time_limit,
            self.app_memory_limit,
            self.app_cpu_weight,
            self.app_process_limit,
            self.no_new_privileges,
            self.sticky_sessions,
            self.friendly_error_pages,
        )


@dataclass(frozen=True)
class ServerOptions:
    """What is configured for the whole server (`begin`, docs/protocol.md section 4).

    :ivar default_ruby: PassengerDefaultRuby.
    :ivar user_switching: PassengerUserSwitching.
    :ivar default_user: PassengerDefaultUser.
    :ivar default_group: PassengerDefaultGroup. None: the primary group of PassengerDefaultUser.
    :ivar max_instances_per_app: PassengerMaxInstancesPerApp. In processes.
    :ivar max_pool_size: PassengerMaxPoolSize. In processes.
    :ivar pool_idle_time: PassengerPoolIdleTime. In seconds.
    :ivar stat_throttle_rate: PassengerStatThrottleRate. In seconds.
    :ivar log_file: PassengerLogFile. None: ErrorLog; the output of an app goes to the ErrorLog of its virtual host.
    :ivar log_level: PassengerLogLevel.
    :ivar socket_backlog: PassengerSocketBacklog. In connections.
    """

    default_ruby: str = "ruby"
    user_switching: bool = True
    default_user: str = "nobody"
    default_group: Optional[str] = None
    max_instances_per_app: int = 0
    max_pool_size: int = 6
    pool_idle_time: int = 300
    stat_throttle_rate: int = 10
    log_file: Optional[str] = None
    log_level: int = 3
    socket_backlog: int = 2048

    @classmethod
    def from_wire(cls, fields: Mapping[str, str]) -> "ServerOptions":
        """The options in a message. Other names are ignored; options that are missing have their default.

        :raises OptionError: for a value that the option cannot have.
        """
        return cls(
            default_ruby=_text(fields, "default_ruby") or "ruby",
            user_switching=_flag(fields, "user_switching", True),
            default_user=_text(fields, "default_user") or "nobody",
            default_group=_text(fields, "default_group"),
            max_instances_per_app=_integer(fields, "max_instances_per_app", 0, 0, 65535),
            max_pool_size=_integer(fields, "max_pool_size", 6, 1, 65535),
            pool_idle_time=_integer(fields, "pool_idle_time", 300, 0, 2147483647),
            stat_throttle_rate=_integer(fields, "stat_throttle_rate", 10, 0, 2147483647),
            log_file=_text(fields, "log_file"),
            log_level=_integer(fields, "log_level", 3, 0, 7),
            socket_backlog=_integer(fields, "socket_backlog", 2048, 0, 2147483647),
        )

    def respawn_key(self) -> tuple[object, ...]:
        """What a running app process was started with. If it differs, the process has to be replaced."""
        return (
            self.default_ruby,
            self.user_switching,
            self.default_user,
            self.default_group,
        )
