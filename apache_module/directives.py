"""The table of options: one row per Apache directive, from which everything that knows options is generated.

Pure data. `apache_module.generate` turns it into the C structs, merges and command table, the wire names, the spawner's
dataclasses and `docs/directives.md`. To add an option, add a row here and run `make generate` (CONTRIBUTING.md).
Scopes and defaults are those that Phusion Passenger documents. If one differs, `difference` says so.
"""

from __future__ import annotations

from apache_module import app_types
from apache_module.option import Directive, Kind, Scope

PROCESS_LIMIT = 65535
THREAD_LIMIT = 1024  # of a worker
MEGABYTE_LIMIT = 16777216
SECONDS_LIMIT = 604800
DESCRIPTOR_LIMIT = 1048576  # the kernel's own (fs.nr_open)
PID_LIMIT = 4194304  # the kernel's own
CPU_WEIGHT_LIMIT = 10000  # the kernel's own

# What the spawner runs commands for (docs/hooks.md).
HOOKS = ("attached_process", "detached_process", "spawn_failed", "queue_full_error", "max_request_time_reached")

_S, _A, _L, _O = Scope.SERVER, Scope.APPLICATION, Scope.LOCATION, Scope.OPTIONS
_ALSO_HTACCESS = (
    "Not allowed in `.htaccess`: a user who may write only this file cannot remove a limit of the administrator."
)
_ONLY_HERE = "Passenger has no such directive. " + _ALSO_HTACCESS


DIRECTIVES: tuple[Directive, ...] = (
    # What is served, and from where
    Directive(
        "Enabled",
        Kind.FLAG,
        _L,
        True,
        "Whether Jumpseat may pass requests to an app here. With Off, Apache serves them as without Jumpseat.",
    ),
    Directive(
        "AppRoot",
        Kind.DIRECTORY,
        _A,
        None,
        "The app's folder. It is the working directory of the app's processes and the first entry of `sys.path`.",
        default_text="the parent folder of DocumentRoot, or of the folder to which a PassengerBaseURI leads",
        htaccess=True,
    ),
    Directive(
        "BaseURI",
        Kind.URI_SET,
        _A,
        None,
        "A path below which an app is mounted. It begins with a slash and does not end with one. You may give the "
        "directive several times, for several paths. If an inner section has this directive, the paths of the outer "
        "sections do not count there. If several paths fit a request, the longest one counts.",
        default_text="the app is mounted at /",
        aliases=("RailsBaseURI", "RackBaseURI"),
        htaccess=True,
    ),
    Directive(
        "AppType",
        Kind.CHOICE,
        _A,
        None,
        "The kind of the app. You need it only if Jumpseat does not recognise the app by its entry file.",
        choices=app_types.words(),
        default_text="recognised by the entry file: by the ending of PassengerStartupFile, or because the app root has "
        "one of " + app_types.startup_files(),
        respawn=True,
        difference="Jumpseat refuses `meteor`: a bundled Meteor app is an app of the type `node`. It also knows "
        "`program` and `generic`, for the programs that PassengerAppStartCommand starts.",
        htaccess=True,
    ),
    Directive(
        "StartupFile",
        Kind.FILE_IN_APP,
        _A,
        None,
        "The entry file, relative to the app root. The app runs as the owner of this file.",
        default_text="that of the app's type: " + app_types.startup_files(),
        respawn=True,
        htaccess=True,
    ),
    Directive(
        "AppGroupName",
        Kind.TEXT,
        _A,
        None,
        "The name of the app group. If two virtual hosts or locations have the same name, they share their processes.",
        default_text="the app root and the environment: `/var/www/shop (production)`",
    ),
    Directive(
        "AllowHtaccess",
        Kind.FLAG,
        Scope.DIRECTORY,
        False,
        "Whether `.htaccess` files may say which app is here and how it starts: "
        "[shared-hosting.md](shared-hosting.md) lists the directives. The `.htaccess`, the app root and the entry file "
        "must then belong to one user, who is not root; the app runs as this user. With Off, such a `.htaccess` makes "
        "every request in its folder fail with status 500.",
        difference="Passenger has no such directive. Its versions before 5.2 allowed them in every `.htaccess`, the "
        "others allow them in none.",
    ),
    Directive(
        "AllowEncodedSlashes",
        Kind.FLAG,
        _O,
        False,
        "With On, the app gets a path that contains `%2F` exactly as the client has encoded it. With Off, it gets `/` "
        "in place of `%2F`, also in REQUEST_URI. Apache's own AllowEncodedSlashes must allow such requests: with its "
        "On, this option decides; with its NoDecode, `%2F` stays in any case.",
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
        default_text="`python` in the app's own `venv/` or `.venv/`, else `python3` from PATH",
        htaccess=True,
    ),
    Directive(
        "Ruby",
        Kind.INTERPRETER,
        _A,
        None,
        "The interpreter that runs a Ruby app: an absolute path, or a name that is looked up in PATH.",
        on_wire=True,
        respawn=True,
        default_text="PassengerDefaultRuby",
        htaccess=True,
    ),
    Directive(
        "DefaultRuby",
        Kind.INTERPRETER,
        _S,
        "ruby",
        "The interpreter of Ruby apps that have no PassengerRuby.",
        on_wire=True,
        respawn=True,
    ),
    Directive(
        "Nodejs",
        Kind.INTERPRETER,
        _A,
        "node",
        "The program that runs a Node.js app: an absolute path, or a name that is looked up in PATH.",
        on_wire=True,
        respawn=True,
        htaccess=True,
    ),
    Directive(
        "AppStartCommand",
        Kind.TEXT,
        _A,
        None,
        "The command that starts the app, if the app is a program that is an HTTP server "
        "([programs.md](programs.md)). A shell runs it in the app root, as the owner of the app root.",
        on_wire=True,
        respawn=True,
        default_text="`app_start_command` of the app's `Passengerfile.json`",
    ),
    Directive(
        "Warmup",
        Kind.FLAG,
        _A,
        True,
        "Whether the preloader of a Ruby app compacts its memory before it forks the first worker. The workers then "
        "share more of it.",
        on_wire=True,
        respawn=True,
        difference="Passenger has no such directive.",
    ),
    Directive(
        "RubyHooksFile",
        Kind.FILE_IN_APP,
        _A,
        None,
        "A configuration file of Puma or Unicorn, relative to the app root, whose hooks run in the processes of a Ruby "
        "app. All else that it says has no effect ([coming-from-puma.md](coming-from-puma.md)).",
        on_wire=True,
        respawn=True,
        default_text="none",
        difference="Passenger has no such directive.",
    ),
    Directive(
        "EarlyHints",
        Kind.FLAG,
        _A,
        False,
        "Whether a Ruby app can send early hints, by `rack.early_hints` of the Rack environment. Rails sends them for "
        "its assets by itself then. Clients of HTTP/1.0 do not get them ([ruby.md](ruby.md#early-hints)).",
        on_wire=True,
        respawn=True,
        difference="Passenger has no such directive.",
    ),
    Directive(
        "AppEnv",
        Kind.TEXT,
        _A,
        "production",
        "The name of the environment. Apps read it from %s and %s."
        % (", ".join(app_types.app_env_variables()[:-1]), app_types.app_env_variables()[-1]),
        on_wire=True,
        respawn=True,
        aliases=("RailsEnv", "RackEnv"),
    ),
    Directive(
        "SpawnMethod",
        Kind.CHOICE,
        _A,
        "smart",
        "`smart`: one process, the preloader, imports the app and forks the workers. `direct`: each worker imports "
        "the app itself. `smart-lv2` means the same as `smart`, and `conservative` the same as `direct`.",
        choices={"smart": "smart", "smart-lv2": "smart", "direct": "direct", "conservative": "direct"},
        on_wire=True,
        respawn=True,
        difference="Passenger always starts Python apps directly. Node.js apps and programs are always started "
        "directly, there and here.",
        aliases=("RailsSpawnMethod",),
    ),
    Directive(
        "KnownImportWarnings",
        Kind.TEXT,
        _A,
        None,
        "Which warnings about the app's import (JS3011, [preloading.md](preloading.md)) are known and not logged: "
        "their names, as the log line has them, separated by blanks, in quotes if there are several. In a name, `*` "
        "stands for any characters. `jumpseat status` counts these warnings.",
        on_wire=True,
        default_text="none",
        difference="Passenger has no such directive.",
    ),
    Directive(
        "LoadShellEnvvars",
        Kind.FLAG,
        _A,
        True,
        "Whether the app is started through the login shell of its user. The app then gets the variables that the "
        "shell's profile sets.",
        on_wire=True,
        respawn=True,
    ),
    Directive(
        "StartTimeout",
        Kind.INTEGER,
        _A,
        90,
        "How long a process may take to start. If it takes longer, Jumpseat kills it, and its start has failed.",
        minimum=1,
        unit="seconds",
        on_wire=True,
    ),
    Directive(
        "ConcurrencyModel",
        Kind.CHOICE,
        _A,
        "process",
        "`process`: a worker serves one request at a time. `thread`: a worker serves up to PassengerThreadCount "
        "requests at a time, each in its own thread. The app must then be thread-safe, and `wsgi.multithread` is "
        "true.",
        choices={"process": "process", "thread": "thread"},
        on_wire=True,
        respawn=True,
        difference="Passenger has it only for Ruby, in its Enterprise edition. " + _ALSO_HTACCESS,
    ),
    Directive(
        "ThreadCount",
        Kind.INTEGER,
        _A,
        1,
        "How many threads a worker has with PassengerConcurrencyModel `thread`. It has no effect with `process`.",
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
        "How many requests a worker gets at a time. It has an effect only if the number is smaller than the number of "
        "the worker's threads. -1 and 0: as many as the worker has threads.",
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
        "The user that the app runs as. It is never root.",
        on_wire=True,
        respawn=True,
        default_text="the owner of the entry file",
    ),
    Directive(
        "Group",
        Kind.GROUP,
        _A,
        None,
        "The group that the app runs as. `!STARTUP_FILE!`: the group of the entry file.",
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
        "Whether each app runs as its own user. With Off, all apps run as PassengerDefaultUser. It has no effect if "
        "Apache was not started as root.",
        on_wire=True,
        respawn=True,
        aliases=("RailsUserSwitching",),
    ),
    Directive(
        "DefaultUser",
        Kind.USER,
        _S,
        "nobody",
        "The user for apps that would otherwise run as root, for apps whose entry file belongs to a user that does "
        "not exist, and for all apps with PassengerUserSwitching off.",
        on_wire=True,
        respawn=True,
        aliases=("RailsDefaultUser",),
    ),
    Directive(
        "DefaultGroup",
        Kind.GROUP,
        _S,
        None,
        "The group for apps that would otherwise run in root's group, and for all apps with PassengerUserSwitching "
        "off.",
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
        "How many workers an app keeps even when they are idle. The first request of the app starts this many.",
        maximum=PROCESS_LIMIT,
        unit="processes",
        on_wire=True,
    ),
    Directive(
        "MaxInstances",
        Kind.INTEGER,
        _A,
        0,
        "How many workers this app may have at most. 0: no limit for this app.",
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
        "How many workers any app may have at most. 0: no such limit.",
        maximum=PROCESS_LIMIT,
        unit="processes",
        on_wire=True,
        aliases=("RailsMaxInstancesPerApp",),
    ),
    Directive(
        "MaxPoolSize",
        Kind.INTEGER,
        _S,
        6,
        "How many workers all apps together may have at most.",
        minimum=1,
        maximum=PROCESS_LIMIT,
        unit="processes",
        on_wire=True,
        aliases=("RailsMaxPoolSize",),
    ),
    Directive(
        "PoolIdleTime",
        Kind.INTEGER,
        _S,
        300,
        "When a worker beyond PassengerMinInstances has been idle for this time, it ends. 0: it does not end.",
        unit="seconds",
        on_wire=True,
        aliases=("RailsPoolIdleTime",),
    ),
    Directive(
        "MaxPreloaderIdleTime",
        Kind.INTEGER,
        _A,
        300,
        "When a preloader has forked no worker for this time, it ends. 0: it does not end.",
        unit="seconds",
        on_wire=True,
        aliases=("RailsAppSpawnerIdleTime",),
    ),
    Directive(
        "MaxRequests",
        Kind.INTEGER,
        _A,
        0,
        "How many requests a worker serves before a new worker takes its place. No request is lost. Use it for apps "
        "that leak memory. 0: no limit.",
        unit="requests",
        on_wire=True,
        respawn=True,
    ),
    Directive(
        "MemoryLimit",
        Kind.INTEGER,
        _A,
        0,
        "How much memory a worker may have. A worker with more finishes its requests, and a new one takes its place. "
        "The memory is the worker's PSS and SwapPss (its share of the memory that is swapped out), in MB of 1,048,576 "
        "bytes. Jumpseat measures it every 2 seconds (`memory_interval` in spawner.conf). 0: no limit.",
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
        "How much memory a worker may have at most. Jumpseat kills a worker with more at once, even while it is "
        "serving. Its requests are answered 502. The memory is measured as for PassengerMemoryLimit. 0: no limit.",
        maximum=MEGABYTE_LIMIT,
        unit="MB",
        on_wire=True,
        difference=_ALSO_HTACCESS,
    ),
    # What the kernel allows an app (docs/decisions/029-limits-per-app.md)
    Directive(
        "AddressSpaceLimit",
        Kind.INTEGER,
        _A,
        0,
        "How much address space each process of the app may have (RLIMIT_AS). It is more than the memory that the "
        "process uses: libraries, and 8 MB for the stack of each thread, count completely. What asks for more fails; "
        "in Python it is a MemoryError. In MB of 1,048,576 bytes. 0: no limit.",
        maximum=MEGABYTE_LIMIT,
        unit="MB",
        on_wire=True,
        respawn=True,
        difference=_ONLY_HERE,
    ),
    Directive(
        "UserProcessLimit",
        Kind.INTEGER,
        _A,
        0,
        "How many processes and threads the user of the app may have (RLIMIT_NPROC) when a process of the app starts "
        "another one. The kernel counts all processes of this user on the machine, also those of other apps and of "
        "logins. Better use PassengerAppProcessLimit, which counts the app only. 0: no limit.",
        maximum=PID_LIMIT,
        unit="processes",
        on_wire=True,
        respawn=True,
        difference=_ONLY_HERE,
    ),
    Directive(
        "AppFileDescriptorUlimit",
        Kind.INTEGER,
        _A,
        0,
        "How many files, sockets and pipes each process of the app may have open (RLIMIT_NOFILE). 0: as many as Apache "
        "(LimitNOFILE of its unit).",
        maximum=DESCRIPTOR_LIMIT,
        unit="descriptors",
        on_wire=True,
        respawn=True,
        difference="Passenger has it for Nginx only. " + _ALSO_HTACCESS,
    ),
    Directive(
        "CpuTimeLimit",
        Kind.INTEGER,
        _A,
        0,
        "How much processor time each process of the app may use in its whole life (RLIMIT_CPU). Time in which it "
        "waits does not count. At the limit, the kernel ends it with SIGXCPU, even while it is serving; if it ignores "
        "that, with SIGKILL 5 seconds later. Its requests are answered 502. PassengerMaxRequests replaces workers "
        "earlier, without a loss. 0: no limit.",
        unit="seconds",
        on_wire=True,
        respawn=True,
        difference=_ONLY_HERE,
    ),
    Directive(
        "AppMemoryLimit",
        Kind.INTEGER,
        _A,
        0,
        "How much memory all processes of the app may have together, with those that the app starts and those of an "
        "old release during a restart (memory.max of its cgroup; nothing is swapped out). If they need more, the "
        "kernel kills one of them. It needs cgroups of version 2 ([shared-hosting.md](shared-hosting.md#cgroups)). In "
        "MB of 1,048,576 bytes. 0: no limit.",
        maximum=MEGABYTE_LIMIT,
        unit="MB",
        on_wire=True,
        respawn=True,
        difference=_ONLY_HERE,
    ),
    Directive(
        "AppCpuWeight",
        Kind.INTEGER,
        _A,
        0,
        "The share of the processors that the app gets while others need them, too, compared with theirs (cpu.weight "
        "of its cgroup). An app without this directive has 100. It needs cgroups of version 2. 0: the default.",
        maximum=CPU_WEIGHT_LIMIT,
        on_wire=True,
        respawn=True,
        difference=_ONLY_HERE,
    ),
    Directive(
        "AppProcessLimit",
        Kind.INTEGER,
        _A,
        0,
        "How many processes and threads the app may have together: preloader, workers, what they start, and those of "
        "an old release during a restart (pids.max of its cgroup). It needs cgroups of version 2. 0: no limit.",
        maximum=PID_LIMIT,
        unit="processes",
        on_wire=True,
        respawn=True,
        difference=_ONLY_HERE,
    ),
    Directive(
        "NoNewPrivileges",
        Kind.FLAG,
        _A,
        False,
        "With On, no process of the app gets more rights by executing a program that is setuid, setgid or has "
        "capabilities, such as `sudo`, `su`, `ping` or a setgid `sendmail`. An app that sends mails by such a "
        "`sendmail` fails then; let it use SMTP.",
        on_wire=True,
        respawn=True,
        difference=_ONLY_HERE,
    ),
    Directive(
        "PreStart",
        Kind.URL_LIST,
        _S,
        None,
        "The URL of an app that is to start together with Apache. You may give the directive several times.",
        default_text="apps start with their first request",
    ),
    Directive(
        "Ctl",
        Kind.SETTINGS,
        _S,
        None,
        "A command that runs when something happens. The name is %s or `hook_%s`; the value is the command "
        "([hooks.md](hooks.md)). You may give the directive several times. If a name is given twice, the last one "
        "counts." % (", ".join("`hook_%s`" % name for name in HOOKS[:-1]), HOOKS[-1]),
        choices={"hook_" + name: name for name in HOOKS},
        default_text="none",
        difference="Only these names have an effect. Any other name brings a warning.",
    ),
    # Requests and responses
    Directive(
        "MaxRequestQueueSize",
        Kind.INTEGER,
        _A,
        100,
        "How many requests of an app may wait for a worker. One more request is answered 503 at once. 0: as many as "
        "PassengerSocketBacklog says. The system's `net.core.somaxconn` limits both values.",
        unit="requests",
        on_wire=True,
    ),
    Directive(
        "MaxRequestQueueTime",
        Kind.INTEGER,
        _A,
        0,
        "How long a request may wait for a worker, after Apache has read its body. If it waits longer, it is answered "
        "504 with Retry-After, and the app never gets it. 0: no limit.",
        maximum=SECONDS_LIMIT,
        unit="seconds",
        difference=_ALSO_HTACCESS,
    ),
    Directive(
        "MaxRequestTime",
        Kind.INTEGER,
        _A,
        0,
        "How long an app may take for a request, from the moment at which a worker takes it until the worker has "
        "given its complete response. If it takes longer, the client gets a 504 (a response that has begun is cut). "
        "Jumpseat writes the stacks of all threads of the worker to the app's log and ends the worker: first with "
        "SIGTERM, some seconds later with SIGKILL. The time in the queue does not count. The time in which the worker "
        "waits for its client counts: for a body that is not buffered (PassengerBufferUpload off), and when the "
        "response is larger than PassengerResponseBufferHighWatermark. 0: no limit.",
        maximum=SECONDS_LIMIT,
        unit="seconds",
        difference="Jumpseat sends a 504 to the client and writes the stacks to the log. " + _ALSO_HTACCESS,
    ),
    Directive(
        "StickySessions",
        Kind.FLAG,
        _A,
        False,
        "Whether a client always gets the same worker, as long as this worker lives. A cookie names the worker.",
        on_wire=True,
        respawn=True,
        difference="Not allowed in `.htaccess`, because it is valid for the whole app.",
    ),
    Directive(
        "StickySessionsCookieName",
        Kind.TOKEN,
        _A,
        "_passenger_route",
        "The name of the cookie for PassengerStickySessions.",
        difference="In Passenger it has no effect. Not allowed in `.htaccess`.",
    ),
    Directive(
        "StickySessionsCookieAttributes",
        Kind.COOKIE_ATTRIBUTES,
        _A,
        None,
        "The attributes of the cookie for PassengerStickySessions. If they do not contain a path, Jumpseat puts "
        "`Path=` with the app's base URI before them.",
        default_text="`HttpOnly; SameSite=Lax`, and `Secure` if the request came over TLS",
        difference="With the default, the cookie also works over plain HTTP. Not allowed in `.htaccess`.",
    ),
    Directive(
        "BufferUpload",
        Kind.FLAG,
        _L,
        True,
        "With On, a worker gets a request only after Apache has read its complete body. So a slow upload does not "
        "occupy a worker. With Off, the worker gets the body while the client sends it.",
    ),
    Directive(
        "DataBufferDir",
        Kind.DIRECTORY,
        _S,
        None,
        "The folder for request bodies that are too large for memory, and for responses to slow clients. Apache "
        "stores them there in files without names.",
        default_text="TMPDIR of Apache's environment, else /tmp",
    ),
    Directive(
        "ResponseBufferHighWatermark",
        Kind.INTEGER,
        _S,
        134217728,
        "How much of a response Apache keeps for a client that reads slowly, so that the worker is free for other "
        "requests. If the client is further behind, the worker waits for it. Apache stores what is too large for "
        "memory in PassengerDataBufferDir. 0: no limit.",
        unit="bytes",
    ),
    Directive(
        "FriendlyErrorPages",
        Kind.FLAG,
        _A,
        None,
        "Whether the error page shows the reason with the traceback, when an app did not start or a request failed.",
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
        "An HTML file that visitors get, with status 500, when the app does not start.",
        on_wire=True,
        default_text="a short page that does not name the reason",
    ),
    Directive(
        "ErrorOverride",
        Kind.FLAG,
        _L,
        False,
        "With On, if an app answers with a status of 400 or more, Apache's ErrorDocument replaces the body of the "
        "response.",
    ),
    Directive(
        "ShowVersionInHeader",
        Kind.FLAG,
        _S,
        True,
        "Whether the header X-Powered-By contains the version.",
    ),
    # Restarts
    Directive(
        "RestartDir",
        Kind.PATH_IN_APP,
        _A,
        "tmp",
        "The folder of `restart.txt`: absolute, or relative to the app root.",
        on_wire=True,
    ),
    Directive(
        "RollingRestarts",
        Kind.FLAG,
        _A,
        None,
        "With On, a restart first loads the new release and then replaces the workers one by one. With Off, the old "
        "workers end at once, some milliseconds after the touch, and requests wait for the new ones.",
        off_when=("AppEnv", "development"),
        on_wire=True,
        default_text="Off when PassengerAppEnv is `development`, else On",
        difference="On by default, but for development. " + _ALSO_HTACCESS,
    ),
    Directive(
        "ResistDeploymentErrors",
        Kind.FLAG,
        _A,
        None,
        "With On, the old release continues to serve when a new release does not start. `jumpseat status` and "
        "`restart.error.txt` beside `restart.txt` show the reason. The next restart tries again. It needs "
        "PassengerRollingRestarts. With Off, a release that does not start replaces the old one, and its requests are "
        "answered 500.",
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
        "How many seconds Apache remembers which app it has found in a folder. After this time it looks at the files "
        "again. 0: it looks at the files for each request, also at `restart.txt`: a request that comes after a touch "
        "does not overtake the restart. On file systems that do not report changes, the spawner looks at "
        "`restart.txt` as often, but at most once a second.",
        unit="seconds",
        on_wire=True,
    ),
    # The log
    Directive(
        "LogFile",
        Kind.WRITTEN_FILE,
        _S,
        None,
        "The file for the messages of the spawner, and for the output of apps that have no PassengerAppLogFile.",
        on_wire=True,
        default_text="ErrorLog; the output of an app goes to the ErrorLog of its virtual host",
        aliases=("PassengerDebugLogFile",),
    ),
    Directive(
        "AppLogFile",
        Kind.WRITTEN_FILE,
        _A,
        None,
        "The file for the output of this app.",
        on_wire=True,
        default_text="PassengerLogFile if it is set, else the ErrorLog of the virtual host",
        htaccess=True,
    ),
    Directive(
        "LogLevel",
        Kind.INTEGER,
        _S,
        3,
        "Which messages the spawner writes: 0 critical, 1 errors, 2 warnings, 3 notices, 4 information, 5 to 7 "
        "debugging. The output of apps has level 3.",
        maximum=7,
        on_wire=True,
    ),
    Directive(
        "DisableLogPrefix",
        Kind.FLAG,
        _A,
        False,
        "With On, the log has each line of the app as the app has written it. With Off, each line begins with the "
        "time, the process id and `App ... output:`; a line that continues a traceback begins with `App ... output:` "
        "only.",
        on_wire=True,
        difference="Passenger allows it in the server configuration only.",
    ),
    # The instance
    Directive(
        "InstanceRegistryDir",
        Kind.CREATED_DIRECTORY,
        _S,
        None,
        "The folder in which the commands look for running instances. It contains one folder for each instance, with "
        "its sockets. Nobody except root and the user who starts Apache may be able to rename the folder or what is in "
        "it; a folder like /tmp, with the sticky bit, is allowed. If it cannot work, Apache does not start, and "
        "`apachectl configtest` says why. With `PrivateTmp`, Apache has a /tmp of its own, and the commands do not "
        "find an instance there. After a change, stop and start Apache.",
        default_text="/run/jumpseat, or /tmp/jumpseat-UID if Apache was not started as root",
    ),
    Directive(
        "SocketBacklog",
        Kind.INTEGER,
        _S,
        2048,
        "How many processes of Apache may wait for the spawner at the same time. It is also the limit of the request "
        "queue of an app that has PassengerMaxRequestQueueSize 0.",
        unit="connections",
        on_wire=True,
    ),
    Directive(
        "SpawnerConfigFile",
        Kind.READ_FILE,
        _S,
        None,
        "The spawner's own configuration file. If you change this directive, stop and start Apache.",
        default_text="/etc/jumpseat/spawner.conf if it exists, else none",
        difference="Passenger has no such directive.",
    ),
)
