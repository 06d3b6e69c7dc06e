"""The table of options: one row per Apache directive, from which everything that knows options is generated.

Pure data. `apache_module.generate` turns it into the C structs, merges and command table, the wire names, the spawner's
dataclasses and `docs/directives.md`. To add an option, add a row here and run `python -m apache_module.generate`.
Scopes and defaults follow Phusion Passenger's documented behaviour; where they differ, `difference` says so.
"""

from __future__ import annotations

from apache_module.option import Directive, Kind, Scope

PROCESS_LIMIT = 65535
THREAD_LIMIT = 128  # cells of a scoreboard slot (docs/protocol.md, section 6)
MEGABYTE_LIMIT = 16777216
SECONDS_LIMIT = 604800

_S, _A, _L, _O = Scope.SERVER, Scope.APPLICATION, Scope.LOCATION, Scope.OPTIONS
_ALSO_HTACCESS = "Not open to `.htaccess`, so that a tenant cannot lift a limit that the administrator has set."

DIRECTIVES: tuple[Directive, ...] = (
    # What is served, and from where
    Directive(
        "Enabled",
        Kind.FLAG,
        _L,
        True,
        "Whether requests here may go to an app. Off leaves them to the rest of Apache.",
    ),
    Directive(
        "AppRoot",
        Kind.DIRECTORY,
        _A,
        None,
        "The app's folder. It is the working directory of the app's processes and the first place they import from.",
        default_text="the parent of DocumentRoot, or of the folder that a PassengerBaseURI leads to",
    ),
    Directive(
        "BaseURI",
        Kind.URI_SET,
        _A,
        None,
        "A path under which an app is mounted: it begins with a slash and does not end with one. May be given several "
        "times; an inner scope replaces the set of an outer one. The longest one that fits the request wins.",
        default_text="the app is mounted at /",
    ),
    Directive(
        "AppType",
        Kind.CHOICE,
        _A,
        None,
        "What kind of app it is, for apps that are not recognised by their files.",
        choices={"wsgi": "wsgi", "python": "wsgi"},
        default_text="recognised by the entry file",
        difference="Only Python apps are served: `rack`, `ruby`, `node`, `nodejs` and `meteor` are refused.",
    ),
    Directive(
        "StartupFile",
        Kind.FILE_IN_APP,
        _A,
        "passenger_wsgi.py",
        "The entry file, relative to the app root. The owner of this file is the user that the app runs as.",
    ),
    Directive(
        "AppGroupName",
        Kind.TEXT,
        _A,
        None,
        "The name of the app group. Scopes that have the same name share their processes.",
        default_text="the app root and the environment: `/var/www/shop (production)`",
    ),
    Directive(
        "AllowEncodedSlashes",
        Kind.FLAG,
        _O,
        False,
        "Whether the app gets the path as the client encoded it when it holds `%2F`. "
        "Apache's own AllowEncodedSlashes must let such requests pass.",
    ),
    # How an app's processes are started
    Directive(
        "Python",
        Kind.INTERPRETER,
        _A,
        None,
        "The interpreter that runs the app: an absolute path, or a name that is looked up in PATH.",
        on_wire=True,
        respawn=True,
        default_text="the app's own `venv/` or `.venv/`, else `python3` from PATH",
    ),
    Directive(
        "AppEnv",
        Kind.TEXT,
        _A,
        "production",
        "The environment's name. Apps read it from WSGI_ENV, PASSENGER_APP_ENV, RACK_ENV, RAILS_ENV and NODE_ENV.",
        on_wire=True,
        respawn=True,
    ),
    Directive(
        "SpawnMethod",
        Kind.CHOICE,
        _A,
        "smart",
        "`smart` imports the app once and forks its workers from there; `direct` imports it in each worker anew.",
        choices={"smart": "smart", "smart-lv2": "smart", "direct": "direct", "conservative": "direct"},
        on_wire=True,
        respawn=True,
        difference="In Passenger, Python apps are always started directly.",
    ),
    Directive(
        "LoadShellEnvvars",
        Kind.FLAG,
        _A,
        True,
        "Whether the app is started through its user's login shell, so that it gets what the shell's profile sets.",
        on_wire=True,
        respawn=True,
    ),
    Directive(
        "StartTimeout",
        Kind.INTEGER,
        _A,
        90,
        "How long a process may take to start before it is killed and the start counts as failed.",
        minimum=1,
        unit="seconds",
        on_wire=True,
    ),
    Directive(
        "ConcurrencyModel",
        Kind.CHOICE,
        _A,
        "process",
        "`process`: a worker has one request at a time. `thread`: it has as many as "
        "PassengerThreadCount says, each in a "
        "thread of its own; the app must be thread-safe, and gets `wsgi.multithread` true.",
        choices={"process": "process", "thread": "thread"},
        on_wire=True,
        respawn=True,
        difference="In Passenger only for Ruby, and in its Enterprise edition. " + _ALSO_HTACCESS,
    ),
    Directive(
        "ThreadCount",
        Kind.INTEGER,
        _A,
        1,
        "How many threads a worker has with PassengerConcurrencyModel `thread`.",
        minimum=1,
        maximum=THREAD_LIMIT,
        unit="threads",
        on_wire=True,
        respawn=True,
        difference=_ALSO_HTACCESS,
    ),
    Directive(
        "ForceMaxConcurrentRequestsPerProcess",
        Kind.INTEGER,
        _A,
        -1,
        "The most requests that a worker is given at a time, where that is fewer than it has "
        "threads; -1 and 0: as many "
        "as it has threads.",
        minimum=-1,
        maximum=PROCESS_LIMIT,
        unit="requests",
        on_wire=True,
        respawn=True,
        difference="A worker never gets more requests than it has threads.",
    ),
    # Who runs it
    Directive(
        "User",
        Kind.USER,
        _A,
        None,
        "The user that the app runs as. Never root.",
        on_wire=True,
        respawn=True,
        default_text="the owner of the entry file",
    ),
    Directive(
        "Group",
        Kind.GROUP,
        _A,
        None,
        "The group that the app runs as; `!STARTUP_FILE!` is the group of the entry file.",
        choices={"!STARTUP_FILE!": "!STARTUP_FILE!"},
        on_wire=True,
        respawn=True,
        default_text="the user's primary group",
    ),
    Directive(
        "UserSwitching",
        Kind.FLAG,
        _S,
        True,
        "Whether apps run as their own users. Off: all of them run as PassengerDefaultUser. "
        "Without effect when Apache was not started as root.",
        on_wire=True,
        respawn=True,
    ),
    Directive(
        "DefaultUser",
        Kind.USER,
        _S,
        "nobody",
        "The user for apps that have no usable one of their own, among them those that root owns.",
        on_wire=True,
        respawn=True,
    ),
    Directive(
        "DefaultGroup",
        Kind.GROUP,
        _S,
        None,
        "The group for apps that have no usable one of their own.",
        on_wire=True,
        respawn=True,
        default_text="the primary group of PassengerDefaultUser",
    ),
    # How many processes, and for how long
    Directive(
        "MinInstances",
        Kind.INTEGER,
        _A,
        1,
        "Workers that an app keeps, once it has started, even when they are idle.",
        maximum=PROCESS_LIMIT,
        unit="processes",
        on_wire=True,
    ),
    Directive(
        "MaxInstances",
        Kind.INTEGER,
        _A,
        0,
        "The most workers that this app may have; 0: no limit of its own.",
        maximum=PROCESS_LIMIT,
        unit="processes",
        on_wire=True,
        difference=_ALSO_HTACCESS,
    ),
    Directive(
        "MaxInstancesPerApp",
        Kind.INTEGER,
        _S,
        0,
        "The most workers that any one app may have; 0: no such limit.",
        maximum=PROCESS_LIMIT,
        unit="processes",
        on_wire=True,
    ),
    Directive(
        "MaxPoolSize",
        Kind.INTEGER,
        _S,
        6,
        "The most workers of all apps together.",
        minimum=1,
        maximum=PROCESS_LIMIT,
        unit="processes",
        on_wire=True,
    ),
    Directive(
        "PoolIdleTime",
        Kind.INTEGER,
        _S,
        300,
        "How long a worker beyond PassengerMinInstances may be idle before it is ended; 0: for ever.",
        unit="seconds",
        on_wire=True,
    ),
    Directive(
        "MaxPreloaderIdleTime",
        Kind.INTEGER,
        _A,
        300,
        "How long a preloader may have nothing to fork before it is ended; 0: for ever.",
        unit="seconds",
        on_wire=True,
    ),
    Directive(
        "MaxRequests",
        Kind.INTEGER,
        _A,
        0,
        "How many requests a worker serves before a new one takes its place, for apps that leak "
        "memory; 0: no limit. No "
        "request is lost at the change.",
        unit="requests",
        on_wire=True,
        respawn=True,
    ),
    Directive(
        "MemoryLimit",
        Kind.INTEGER,
        _A,
        0,
        "How much memory a worker may have: one that has more finishes its requests and a new one takes its place. "
        "Counted is its own share (PSS) and what of it is swapped out; 0: no limit.",
        maximum=MEGABYTE_LIMIT,
        unit="MB",
        on_wire=True,
        difference=_ALSO_HTACCESS,
    ),
    Directive(
        "HardMemoryLimit",
        Kind.INTEGER,
        _A,
        0,
        "How much memory a worker may have at the very most: one that has more is killed at once, in the middle of a "
        "request, which is answered 502. Counted as for PassengerMemoryLimit; 0: no limit.",
        maximum=MEGABYTE_LIMIT,
        unit="MB",
        on_wire=True,
        difference=_ALSO_HTACCESS,
    ),
    Directive(
        "PreStart",
        Kind.URL_LIST,
        _S,
        None,
        "A URL of an app that is to be started together with Apache. May be given several times.",
        default_text="apps start with their first request",
    ),
    Directive(
        "Ctl",
        Kind.SETTINGS,
        _S,
        None,
        "A command that is run when something happens: `hook_attached_process`, `hook_detached_process`, "
        "`hook_spawn_failed`, `hook_queue_full_error` or `hook_max_request_time_reached`, and the command (hooks.md). "
        "May be given several times.",
        default_text="none",
        difference="Only these names have an effect; any other is warned of.",
    ),
    # Requests and responses
    Directive(
        "MaxRequestQueueSize",
        Kind.INTEGER,
        _A,
        100,
        "How many requests of an app may wait for a worker; one more is answered 503 at once. 0: as many as the "
        "system allows.",
        unit="requests",
        on_wire=True,
    ),
    Directive(
        "MaxRequestQueueTime",
        Kind.INTEGER,
        _A,
        0,
        "How long a request may wait for a worker, from when its body has been read, before it is answered 504, with "
        "Retry-After, and never given to the app; 0: for ever.",
        maximum=SECONDS_LIMIT,
        unit="seconds",
        difference=_ALSO_HTACCESS,
    ),
    Directive(
        "MaxRequestTime",
        Kind.INTEGER,
        _A,
        0,
        "How long an app may take for a request, from when a worker takes it until it has answered. After that the "
        "client gets a 504 (an answer that has begun is cut), the stacks of all threads of the worker go to the app's "
        "log, and the worker is ended, with SIGTERM first and SIGKILL after some seconds. The time in the queue does "
        "not count; what the worker waits for its client does: for a body that is not buffered (PassengerBufferUpload "
        "off), and for room beyond PassengerResponseBufferHighWatermark. 0: no limit.",
        maximum=SECONDS_LIMIT,
        unit="seconds",
        difference="The client gets a 504, and the log the stacks. " + _ALSO_HTACCESS,
    ),
    Directive(
        "StickySessions",
        Kind.FLAG,
        _A,
        False,
        "Whether a client, known by a cookie, comes back to the worker that served it before, as "
        "long as that one lives.",
        on_wire=True,
        respawn=True,
        difference="Not open to `.htaccess`: it holds for an app as a whole.",
    ),
    Directive(
        "StickySessionsCookieName",
        Kind.TOKEN,
        _A,
        "_passenger_route",
        "The name of the cookie of PassengerStickySessions.",
        difference="In Passenger it has no effect. Not open to `.htaccess`.",
    ),
    Directive(
        "StickySessionsCookieAttributes",
        Kind.COOKIE_ATTRIBUTES,
        _A,
        None,
        "The attributes of the cookie of PassengerStickySessions. `Path=` and the app's base URI "
        "come before them unless "
        "they name a path.",
        default_text="`HttpOnly; SameSite=Lax`, and `Secure` where the request came over TLS",
        difference="The default serves plain HTTP, too. Not open to `.htaccess`.",
    ),
    Directive(
        "BufferUpload",
        Kind.FLAG,
        _L,
        True,
        "Whether a request's body is read whole before a worker is taken, so that slow uploads occupy none.",
    ),
    Directive(
        "DataBufferDir",
        Kind.DIRECTORY,
        _S,
        None,
        "Where request bodies that are too large for memory are kept, in files without names.",
        default_text="TMPDIR of Apache's environment, else /tmp",
    ),
    Directive(
        "ResponseBufferHighWatermark",
        Kind.INTEGER,
        _S,
        134217728,
        "How much of a response is kept for a client that reads slowly, so that the worker is free for others; beyond "
        "that the worker waits. What is too large for memory lies in PassengerDataBufferDir; 0: no limit.",
        unit="bytes",
    ),
    Directive(
        "FriendlyErrorPages",
        Kind.FLAG,
        _A,
        None,
        "Whether the browser is shown why an app did not start, or failed a request, with its traceback.",
        on_when=("AppEnv", "development"),
        on_wire=True,
        respawn=True,
        default_text="On when PassengerAppEnv is `development`, else Off",
    ),
    Directive(
        "CustomErrorPage",
        Kind.READ_FILE,
        _A,
        None,
        "An HTML file that is the answer, with status 500, when an app does not start.",
        on_wire=True,
        default_text="a short page that names no cause",
    ),
    Directive(
        "ErrorOverride",
        Kind.FLAG,
        _L,
        False,
        "Whether Apache's ErrorDocument answers in place of the body of an app's response with a status from 400 on.",
    ),
    Directive(
        "ShowVersionInHeader",
        Kind.FLAG,
        _S,
        True,
        "Whether the X-Powered-By header names the version.",
    ),
    # Restarts
    Directive(
        "RestartDir",
        Kind.PATH_IN_APP,
        _A,
        "tmp",
        "The folder of restart.txt: absolute, or relative to the app root.",
        on_wire=True,
    ),
    Directive(
        "RollingRestarts",
        Kind.FLAG,
        _A,
        True,
        "Whether a restart replaces workers one by one, and only when the new release has loaded. "
        "Off: the old ones end at once, some milliseconds after the touch, and requests wait for the new ones.",
        on_wire=True,
        difference="On by default. " + _ALSO_HTACCESS,
    ),
    Directive(
        "ResistDeploymentErrors",
        Kind.FLAG,
        _A,
        None,
        "Whether the old release goes on serving when a new one does not start. What is wrong is shown by "
        "`jumpseat status` and in `restart.error.txt` beside `restart.txt`; the next restart tries again. Only with "
        "PassengerRollingRestarts. Off: a release that does not start takes the place of the old one all the same, and "
        "its requests are answered 500.",
        on_when=("RollingRestarts", True),
        on_wire=True,
        default_text="On with PassengerRollingRestarts",
        difference="On by default. " + _ALSO_HTACCESS,
    ),
    Directive(
        "StatThrottleRate",
        Kind.INTEGER,
        _S,
        10,
        "How long what was found in an app's folder is believed before the files are looked at again; 0: not at all.",
        unit="seconds",
        on_wire=True,
    ),
    # The log
    Directive(
        "LogFile",
        Kind.WRITTEN_FILE,
        _S,
        None,
        "The file for the spawner's own messages and for the output of apps without a log of their own.",
        on_wire=True,
        default_text="ErrorLog; the output of an app goes to the ErrorLog of its virtual host",
    ),
    Directive(
        "AppLogFile",
        Kind.WRITTEN_FILE,
        _A,
        None,
        "The file for what this app prints.",
        on_wire=True,
        default_text="PassengerLogFile where set, else the ErrorLog of the virtual host",
    ),
    Directive(
        "LogLevel",
        Kind.INTEGER,
        _S,
        3,
        "How much the spawner says: 0 critical, 1 errors, 2 warnings, 3 notices, 4 information, 5 to 7 debugging. "
        "The output of apps has level 3.",
        maximum=7,
        on_wire=True,
    ),
    Directive(
        "DisableLogPrefix",
        Kind.FLAG,
        _S,
        False,
        "Whether the output of apps is logged without time, process id and `App ... output:` before each line.",
        on_wire=True,
    ),
    # The instance
    Directive(
        "InstanceRegistryDir",
        Kind.CREATED_DIRECTORY,
        _S,
        None,
        "Where running instances are found by the command line tools; it holds a folder with the sockets of each. "
        "A change needs a stop and a start.",
        default_text="/run/jumpseat, or /tmp/jumpseat-UID when Apache was not started as root",
    ),
    Directive(
        "SocketBacklog",
        Kind.INTEGER,
        _S,
        2048,
        "How many of Apache's processes may wait for the spawner at the same time.",
        unit="connections",
        on_wire=True,
    ),
    Directive(
        "SpawnerConfigFile",
        Kind.READ_FILE,
        _S,
        None,
        "The spawner's own configuration. A change of the name needs a stop and a start.",
        default_text="/etc/jumpseat/spawner.conf where it exists, else none",
        difference="Passenger has no such directive.",
    ),
)
