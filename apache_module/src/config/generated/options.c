/* Generated from apache_module/directives.py by `python -m apache_module.generate`; do not edit. */
#include "config/generated/options.h"

#include <apr_strings.h>

#include "config/settings.h"

static const char *const app_type_choices[] = {"wsgi", "wsgi", "python", "wsgi", NULL};
static const char *const spawn_method_choices[] = {"smart", "smart", "smart-lv2", "smart", "direct", "direct", "conservative", "direct", NULL};
static const char *const concurrency_model_choices[] = {"process", "process", "thread", "thread", NULL};
static const char *const group_choices[] = {"!STARTUP_FILE!", "!STARTUP_FILE!", NULL};
static const char *const ctl_choices[] = {"hook_attached_process", "attached_process", "hook_detached_process", "detached_process", "hook_spawn_failed", "spawn_failed", "hook_queue_full_error", "queue_full_error", "hook_max_request_time_reached", "max_request_time_reached", NULL};

static const passenger_option option_table[] = {
    {"PassengerEnabled", PASSENGER_FLAG, offsetof(passenger_dir_options, enabled), 0, 1, 0, 2147483647, NULL},
    {"PassengerAppRoot", PASSENGER_DIRECTORY, offsetof(passenger_dir_options, app_root), 0, 0, 0, 2147483647, NULL},
    {"PassengerBaseURI", PASSENGER_URI_SET, offsetof(passenger_dir_options, base_uri), 0, 0, 0, 2147483647, NULL},
    {"PassengerAppType", PASSENGER_CHOICE, offsetof(passenger_dir_options, app_type), 0, 0, 0, 2147483647, app_type_choices},
    {"PassengerStartupFile", PASSENGER_FILE_IN_APP, offsetof(passenger_dir_options, startup_file), 0, 0, 0, 2147483647, NULL},
    {"PassengerAppGroupName", PASSENGER_TEXT, offsetof(passenger_dir_options, app_group_name), 0, 0, 0, 2147483647, NULL},
    {"PassengerAllowEncodedSlashes", PASSENGER_FLAG, offsetof(passenger_dir_options, allow_encoded_slashes), 0, 1, 0, 2147483647, NULL},
    {"PassengerPython", PASSENGER_INTERPRETER, offsetof(passenger_dir_options, python), 0, 0, 0, 2147483647, NULL},
    {"PassengerAppEnv", PASSENGER_TEXT, offsetof(passenger_dir_options, app_env), 0, 0, 0, 2147483647, NULL},
    {"PassengerSpawnMethod", PASSENGER_CHOICE, offsetof(passenger_dir_options, spawn_method), 0, 0, 0, 2147483647, spawn_method_choices},
    {"PassengerLoadShellEnvvars", PASSENGER_FLAG, offsetof(passenger_dir_options, load_shell_envvars), 0, 0, 0, 2147483647, NULL},
    {"PassengerStartTimeout", PASSENGER_INTEGER, offsetof(passenger_dir_options, start_timeout), 0, 0, 1, 2147483647, NULL},
    {"PassengerConcurrencyModel", PASSENGER_CHOICE, offsetof(passenger_dir_options, concurrency_model), 0, 0, 0, 2147483647, concurrency_model_choices},
    {"PassengerThreadCount", PASSENGER_INTEGER, offsetof(passenger_dir_options, thread_count), 0, 0, 1, 128, NULL},
    {"PassengerForceMaxConcurrentRequestsPerProcess", PASSENGER_INTEGER, offsetof(passenger_dir_options, force_max_concurrent_requests_per_process), 0, 0, -1, 65535, NULL},
    {"PassengerUser", PASSENGER_USER, offsetof(passenger_dir_options, user), 0, 0, 0, 2147483647, NULL},
    {"PassengerGroup", PASSENGER_GROUP, offsetof(passenger_dir_options, group), 0, 0, 0, 2147483647, group_choices},
    {"PassengerUserSwitching", PASSENGER_FLAG, offsetof(passenger_server_options, user_switching), 1, 0, 0, 2147483647, NULL},
    {"PassengerDefaultUser", PASSENGER_USER, offsetof(passenger_server_options, default_user), 1, 0, 0, 2147483647, NULL},
    {"PassengerDefaultGroup", PASSENGER_GROUP, offsetof(passenger_server_options, default_group), 1, 0, 0, 2147483647, NULL},
    {"PassengerMinInstances", PASSENGER_INTEGER, offsetof(passenger_dir_options, min_instances), 0, 0, 0, 65535, NULL},
    {"PassengerMaxInstances", PASSENGER_INTEGER, offsetof(passenger_dir_options, max_instances), 0, 0, 0, 65535, NULL},
    {"PassengerMaxInstancesPerApp", PASSENGER_INTEGER, offsetof(passenger_server_options, max_instances_per_app), 1, 0, 0, 65535, NULL},
    {"PassengerMaxPoolSize", PASSENGER_INTEGER, offsetof(passenger_server_options, max_pool_size), 1, 0, 1, 65535, NULL},
    {"PassengerPoolIdleTime", PASSENGER_INTEGER, offsetof(passenger_server_options, pool_idle_time), 1, 0, 0, 2147483647, NULL},
    {"PassengerMaxPreloaderIdleTime", PASSENGER_INTEGER, offsetof(passenger_dir_options, max_preloader_idle_time), 0, 0, 0, 2147483647, NULL},
    {"PassengerMaxRequests", PASSENGER_INTEGER, offsetof(passenger_dir_options, max_requests), 0, 0, 0, 2147483647, NULL},
    {"PassengerMemoryLimit", PASSENGER_INTEGER, offsetof(passenger_dir_options, memory_limit), 0, 0, 0, 16777216, NULL},
    {"PassengerHardMemoryLimit", PASSENGER_INTEGER, offsetof(passenger_dir_options, hard_memory_limit), 0, 0, 0, 16777216, NULL},
    {"PassengerPreStart", PASSENGER_URL_LIST, offsetof(passenger_server_options, pre_start), 1, 0, 0, 2147483647, NULL},
    {"PassengerCtl", PASSENGER_SETTINGS, offsetof(passenger_server_options, ctl), 1, 0, 0, 2147483647, ctl_choices},
    {"PassengerMaxRequestQueueSize", PASSENGER_INTEGER, offsetof(passenger_dir_options, max_request_queue_size), 0, 0, 0, 2147483647, NULL},
    {"PassengerMaxRequestQueueTime", PASSENGER_INTEGER, offsetof(passenger_dir_options, max_request_queue_time), 0, 0, 0, 604800, NULL},
    {"PassengerMaxRequestTime", PASSENGER_INTEGER, offsetof(passenger_dir_options, max_request_time), 0, 0, 0, 604800, NULL},
    {"PassengerStickySessions", PASSENGER_FLAG, offsetof(passenger_dir_options, sticky_sessions), 0, 0, 0, 2147483647, NULL},
    {"PassengerStickySessionsCookieName", PASSENGER_TOKEN, offsetof(passenger_dir_options, sticky_sessions_cookie_name), 0, 0, 0, 2147483647, NULL},
    {"PassengerStickySessionsCookieAttributes", PASSENGER_COOKIE_ATTRIBUTES, offsetof(passenger_dir_options, sticky_sessions_cookie_attributes), 0, 0, 0, 2147483647, NULL},
    {"PassengerBufferUpload", PASSENGER_FLAG, offsetof(passenger_dir_options, buffer_upload), 0, 1, 0, 2147483647, NULL},
    {"PassengerDataBufferDir", PASSENGER_DIRECTORY, offsetof(passenger_server_options, data_buffer_dir), 1, 0, 0, 2147483647, NULL},
    {"PassengerResponseBufferHighWatermark", PASSENGER_INTEGER, offsetof(passenger_server_options, response_buffer_high_watermark), 1, 0, 0, 2147483647, NULL},
    {"PassengerFriendlyErrorPages", PASSENGER_FLAG, offsetof(passenger_dir_options, friendly_error_pages), 0, 0, 0, 2147483647, NULL},
    {"PassengerCustomErrorPage", PASSENGER_READ_FILE, offsetof(passenger_dir_options, custom_error_page), 0, 0, 0, 2147483647, NULL},
    {"PassengerErrorOverride", PASSENGER_FLAG, offsetof(passenger_dir_options, error_override), 0, 1, 0, 2147483647, NULL},
    {"PassengerShowVersionInHeader", PASSENGER_FLAG, offsetof(passenger_server_options, show_version_in_header), 1, 0, 0, 2147483647, NULL},
    {"PassengerRestartDir", PASSENGER_PATH_IN_APP, offsetof(passenger_dir_options, restart_dir), 0, 0, 0, 2147483647, NULL},
    {"PassengerRollingRestarts", PASSENGER_FLAG, offsetof(passenger_dir_options, rolling_restarts), 0, 0, 0, 2147483647, NULL},
    {"PassengerResistDeploymentErrors", PASSENGER_FLAG, offsetof(passenger_dir_options, resist_deployment_errors), 0, 0, 0, 2147483647, NULL},
    {"PassengerStatThrottleRate", PASSENGER_INTEGER, offsetof(passenger_server_options, stat_throttle_rate), 1, 0, 0, 2147483647, NULL},
    {"PassengerLogFile", PASSENGER_WRITTEN_FILE, offsetof(passenger_server_options, log_file), 1, 0, 0, 2147483647, NULL},
    {"PassengerAppLogFile", PASSENGER_WRITTEN_FILE, offsetof(passenger_dir_options, app_log_file), 0, 0, 0, 2147483647, NULL},
    {"PassengerLogLevel", PASSENGER_INTEGER, offsetof(passenger_server_options, log_level), 1, 0, 0, 7, NULL},
    {"PassengerDisableLogPrefix", PASSENGER_FLAG, offsetof(passenger_server_options, disable_log_prefix), 1, 0, 0, 2147483647, NULL},
    {"PassengerInstanceRegistryDir", PASSENGER_CREATED_DIRECTORY, offsetof(passenger_server_options, instance_registry_dir), 1, 0, 0, 2147483647, NULL},
    {"PassengerSocketBacklog", PASSENGER_INTEGER, offsetof(passenger_server_options, socket_backlog), 1, 0, 0, 2147483647, NULL},
    {"PassengerSpawnerConfigFile", PASSENGER_READ_FILE, offsetof(passenger_server_options, spawner_config_file), 1, 0, 0, 2147483647, NULL},
};

const command_rec passenger_commands[] = {
    AP_INIT_FLAG("PassengerEnabled", passenger_set_flag, (void *)&option_table[0], OR_ALL,
        "Whether Jumpseat may send requests to an app here. With Off, the rest of Apache serves them."),
    AP_INIT_TAKE1("PassengerAppRoot", passenger_set_value, (void *)&option_table[1], RSRC_CONF | ACCESS_CONF,
        "The app's folder. It is the working directory of the app's processes, and the first folder from which they import."),
    AP_INIT_ITERATE("PassengerBaseURI", passenger_add_value, (void *)&option_table[2], RSRC_CONF | ACCESS_CONF,
        "A path below which an app is mounted. It begins with a slash and does not end with one. You may give the directive several times. The set in an inner scope replaces the set of an outer scope. If several paths fit a request, the longest one wins."),
    AP_INIT_TAKE1("PassengerAppType", passenger_set_value, (void *)&option_table[3], RSRC_CONF | ACCESS_CONF,
        "The kind of the app. Needed only if Jumpseat cannot recognise the app by its files."),
    AP_INIT_TAKE1("PassengerStartupFile", passenger_set_value, (void *)&option_table[4], RSRC_CONF | ACCESS_CONF,
        "The entry file, relative to the app root. The app runs as the owner of this file."),
    AP_INIT_TAKE1("PassengerAppGroupName", passenger_set_value, (void *)&option_table[5], RSRC_CONF | ACCESS_CONF,
        "The name of the app group. Scopes with the same name share their processes."),
    AP_INIT_FLAG("PassengerAllowEncodedSlashes", passenger_set_flag, (void *)&option_table[6], OR_OPTIONS,
        "Whether the app gets a path that contains `%2F` as the client encoded it. Apache's own AllowEncodedSlashes must also allow such requests."),
    AP_INIT_TAKE1("PassengerPython", passenger_set_value, (void *)&option_table[7], RSRC_CONF | ACCESS_CONF,
        "The interpreter that runs the app: an absolute path, or a name that is looked up in PATH."),
    AP_INIT_TAKE1("PassengerAppEnv", passenger_set_value, (void *)&option_table[8], RSRC_CONF | ACCESS_CONF,
        "The name of the environment. Apps read it from WSGI_ENV, PASSENGER_APP_ENV, RACK_ENV, RAILS_ENV and NODE_ENV."),
    AP_INIT_TAKE1("PassengerSpawnMethod", passenger_set_value, (void *)&option_table[9], RSRC_CONF | ACCESS_CONF,
        "`smart` imports the app once and forks the workers from there. `direct` imports the app in each worker."),
    AP_INIT_FLAG("PassengerLoadShellEnvvars", passenger_set_flag, (void *)&option_table[10], RSRC_CONF | ACCESS_CONF,
        "Whether the app is started through the login shell of its user. It then gets the variables that the shell's profile sets."),
    AP_INIT_TAKE1("PassengerStartTimeout", passenger_set_value, (void *)&option_table[11], RSRC_CONF | ACCESS_CONF,
        "How long a process may take to start. After this time it is killed, and its start has failed."),
    AP_INIT_TAKE1("PassengerConcurrencyModel", passenger_set_value, (void *)&option_table[12], RSRC_CONF | ACCESS_CONF,
        "`process`: a worker serves one request at a time. `thread`: a worker serves up to PassengerThreadCount requests at a time, each in its own thread. The app must then be thread-safe, and `wsgi.multithread` is true."),
    AP_INIT_TAKE1("PassengerThreadCount", passenger_set_value, (void *)&option_table[13], RSRC_CONF | ACCESS_CONF,
        "How many threads a worker has with PassengerConcurrencyModel `thread`. It has no effect with `process`."),
    AP_INIT_TAKE1("PassengerForceMaxConcurrentRequestsPerProcess", passenger_set_value, (void *)&option_table[14], RSRC_CONF | ACCESS_CONF,
        "The most requests that a worker gets at a time, if this is fewer than it has threads. -1 and 0: as many as it has threads."),
    AP_INIT_TAKE1("PassengerUser", passenger_set_value, (void *)&option_table[15], RSRC_CONF | ACCESS_CONF,
        "The user that the app runs as. It is never root."),
    AP_INIT_TAKE1("PassengerGroup", passenger_set_value, (void *)&option_table[16], RSRC_CONF | ACCESS_CONF,
        "The group that the app runs as. `!STARTUP_FILE!` means the group of the entry file."),
    AP_INIT_FLAG("PassengerUserSwitching", passenger_set_flag, (void *)&option_table[17], RSRC_CONF,
        "Whether each app runs as its own user. With Off, all apps run as PassengerDefaultUser. It has no effect if Apache was not started as root."),
    AP_INIT_TAKE1("PassengerDefaultUser", passenger_set_value, (void *)&option_table[18], RSRC_CONF,
        "The user for apps that have no usable user of their own, for example because root owns their entry file."),
    AP_INIT_TAKE1("PassengerDefaultGroup", passenger_set_value, (void *)&option_table[19], RSRC_CONF,
        "The group for apps that have no usable group of their own."),
    AP_INIT_TAKE1("PassengerMinInstances", passenger_set_value, (void *)&option_table[20], RSRC_CONF | ACCESS_CONF,
        "The number of workers that an app keeps even when they are idle, once it has started."),
    AP_INIT_TAKE1("PassengerMaxInstances", passenger_set_value, (void *)&option_table[21], RSRC_CONF | ACCESS_CONF,
        "The most workers that this app may have. 0: no limit for this app."),
    AP_INIT_TAKE1("PassengerMaxInstancesPerApp", passenger_set_value, (void *)&option_table[22], RSRC_CONF,
        "The most workers that each app may have. 0: no such limit."),
    AP_INIT_TAKE1("PassengerMaxPoolSize", passenger_set_value, (void *)&option_table[23], RSRC_CONF,
        "The most workers of all apps together."),
    AP_INIT_TAKE1("PassengerPoolIdleTime", passenger_set_value, (void *)&option_table[24], RSRC_CONF,
        "How long a worker beyond PassengerMinInstances may be idle before it is ended. 0: for ever."),
    AP_INIT_TAKE1("PassengerMaxPreloaderIdleTime", passenger_set_value, (void *)&option_table[25], RSRC_CONF | ACCESS_CONF,
        "How long a preloader may fork nothing before it is ended. 0: for ever."),
    AP_INIT_TAKE1("PassengerMaxRequests", passenger_set_value, (void *)&option_table[26], RSRC_CONF | ACCESS_CONF,
        "How many requests a worker serves before a new worker takes its place. Use it for apps that leak memory. 0: no limit. No request is lost when the worker is replaced."),
    AP_INIT_TAKE1("PassengerMemoryLimit", passenger_set_value, (void *)&option_table[27], RSRC_CONF | ACCESS_CONF,
        "How much memory a worker may have. A worker with more finishes its requests, and a new one takes its place. The memory is its share (PSS) and the part of it that is swapped out, in MB of 1,048,576 bytes. It is measured every 2 seconds (`memory_interval` in spawner.conf). 0: no limit."),
    AP_INIT_TAKE1("PassengerHardMemoryLimit", passenger_set_value, (void *)&option_table[28], RSRC_CONF | ACCESS_CONF,
        "How much memory a worker may have at most. A worker with more is killed at once, even while it is serving. Its requests are answered 502. The memory is measured as for PassengerMemoryLimit. 0: no limit."),
    AP_INIT_ITERATE("PassengerPreStart", passenger_add_value, (void *)&option_table[29], RSRC_CONF,
        "The URL of an app that is started together with Apache. You may give the directive several times."),
    AP_INIT_TAKE2("PassengerCtl", passenger_set_setting, (void *)&option_table[30], RSRC_CONF,
        "A command that runs when something happens. The name is `hook_attached_process`, `hook_detached_process`, `hook_spawn_failed`, `hook_queue_full_error` or `hook_max_request_time_reached`; the value is the command ([hooks.md](hooks.md)). You may give the directive several times. If a name is given twice, the last one counts."),
    AP_INIT_TAKE1("PassengerMaxRequestQueueSize", passenger_set_value, (void *)&option_table[31], RSRC_CONF | ACCESS_CONF,
        "How many requests of an app may wait for a worker. One more request is answered 503 at once. 0: as many as PassengerSocketBacklog says. The system's `net.core.somaxconn` limits both values."),
    AP_INIT_TAKE1("PassengerMaxRequestQueueTime", passenger_set_value, (void *)&option_table[32], RSRC_CONF | ACCESS_CONF,
        "How long a request may wait for a worker after its body has been read. Then it is answered 504 with Retry-After, and the app never gets it. 0: for ever."),
    AP_INIT_TAKE1("PassengerMaxRequestTime", passenger_set_value, (void *)&option_table[33], RSRC_CONF | ACCESS_CONF,
        "How long an app may take for a request, from the moment at which a worker takes it until the worker has given its complete response. Then the client gets a 504 (a response that has begun is cut), the stacks of all threads of the worker are written to the app's log, and the worker is ended: first with SIGTERM, some seconds later with SIGKILL. The time in the queue does not count. The time in which the worker waits for its client counts: for a body that is not buffered (PassengerBufferUpload off), and when the response is larger than PassengerResponseBufferHighWatermark. 0: no limit."),
    AP_INIT_FLAG("PassengerStickySessions", passenger_set_flag, (void *)&option_table[34], RSRC_CONF | ACCESS_CONF,
        "Whether a client comes back to the worker that served it before, as long as that worker lives. A cookie identifies the worker."),
    AP_INIT_TAKE1("PassengerStickySessionsCookieName", passenger_set_value, (void *)&option_table[35], RSRC_CONF | ACCESS_CONF,
        "The name of the cookie of PassengerStickySessions."),
    AP_INIT_TAKE1("PassengerStickySessionsCookieAttributes", passenger_set_value, (void *)&option_table[36], RSRC_CONF | ACCESS_CONF,
        "The attributes of the cookie of PassengerStickySessions. `Path=` with the app's base URI is put before them, unless they name a path."),
    AP_INIT_FLAG("PassengerBufferUpload", passenger_set_flag, (void *)&option_table[37], OR_ALL,
        "Whether the complete body of a request is read before a worker gets the request. With On, a slow upload does not occupy a worker."),
    AP_INIT_TAKE1("PassengerDataBufferDir", passenger_set_value, (void *)&option_table[38], RSRC_CONF,
        "The folder for request bodies, and for responses to slow clients, that are too large for memory. They are stored in files without names."),
    AP_INIT_TAKE1("PassengerResponseBufferHighWatermark", passenger_set_value, (void *)&option_table[39], RSRC_CONF,
        "How much of a response is kept for a client that reads slowly, so that the worker is free for other requests. When more is waiting, the worker waits, too. What is too large for memory is stored in PassengerDataBufferDir. 0: no limit."),
    AP_INIT_FLAG("PassengerFriendlyErrorPages", passenger_set_flag, (void *)&option_table[40], RSRC_CONF | ACCESS_CONF,
        "Whether the browser shows, with traceback, why an app did not start or why a request failed."),
    AP_INIT_TAKE1("PassengerCustomErrorPage", passenger_set_value, (void *)&option_table[41], RSRC_CONF | ACCESS_CONF,
        "An HTML file that visitors get, with status 500, when an app does not start."),
    AP_INIT_FLAG("PassengerErrorOverride", passenger_set_flag, (void *)&option_table[42], OR_ALL,
        "Whether Apache's ErrorDocument replaces the body of an app's response with a status of 400 or more."),
    AP_INIT_FLAG("PassengerShowVersionInHeader", passenger_set_flag, (void *)&option_table[43], RSRC_CONF,
        "Whether the X-Powered-By header contains the version."),
    AP_INIT_TAKE1("PassengerRestartDir", passenger_set_value, (void *)&option_table[44], RSRC_CONF | ACCESS_CONF,
        "The folder of restart.txt: absolute, or relative to the app root."),
    AP_INIT_FLAG("PassengerRollingRestarts", passenger_set_flag, (void *)&option_table[45], RSRC_CONF | ACCESS_CONF,
        "Whether a restart replaces the workers one by one, after the new release has loaded. With Off, the old workers end at once, some milliseconds after the touch, and requests wait for the new ones."),
    AP_INIT_FLAG("PassengerResistDeploymentErrors", passenger_set_flag, (void *)&option_table[46], RSRC_CONF | ACCESS_CONF,
        "Whether the old release continues to serve when a new release does not start. `jumpseat status` and `restart.error.txt` beside `restart.txt` show the reason. The next restart tries again. It needs PassengerRollingRestarts. With Off, a release that does not start replaces the old one, and its requests are answered 500."),
    AP_INIT_TAKE1("PassengerStatThrottleRate", passenger_set_value, (void *)&option_table[47], RSRC_CONF,
        "How many seconds Apache remembers which app it found in a folder before it looks at the files again. 0: it looks at each request. On file systems that do not report changes, the spawner looks at restart.txt as often, but at most once a second."),
    AP_INIT_TAKE1("PassengerLogFile", passenger_set_value, (void *)&option_table[48], RSRC_CONF,
        "The file for the messages of the spawner, and for the output of apps that have no log of their own."),
    AP_INIT_TAKE1("PassengerAppLogFile", passenger_set_value, (void *)&option_table[49], RSRC_CONF | ACCESS_CONF,
        "The file for the output of this app."),
    AP_INIT_TAKE1("PassengerLogLevel", passenger_set_value, (void *)&option_table[50], RSRC_CONF,
        "Which messages the spawner writes: 0 critical, 1 errors, 2 warnings, 3 notices, 4 information, 5 to 7 debugging. The output of apps has level 3."),
    AP_INIT_FLAG("PassengerDisableLogPrefix", passenger_set_flag, (void *)&option_table[51], RSRC_CONF,
        "With On, the output of apps is logged without time, process id and `App ... output:` before each line."),
    AP_INIT_TAKE1("PassengerInstanceRegistryDir", passenger_set_value, (void *)&option_table[52], RSRC_CONF,
        "The folder in which the commands look for running instances. It has one folder with sockets for each instance. After a change, stop and start Apache."),
    AP_INIT_TAKE1("PassengerSocketBacklog", passenger_set_value, (void *)&option_table[53], RSRC_CONF,
        "How many processes of Apache may wait for the spawner at the same time. Also how many requests may wait for an app that has PassengerMaxRequestQueueSize 0."),
    AP_INIT_TAKE1("PassengerSpawnerConfigFile", passenger_set_value, (void *)&option_table[54], RSRC_CONF,
        "The spawner's own configuration file. After a change of the name, stop and start Apache."),
    AP_INIT_RAW_ARGS("PassengerAdminPanelAuthType", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("PassengerAdminPanelPassword", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("PassengerAdminPanelUrl", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("PassengerAdminPanelUsername", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("PassengerAnalyticsCollectionRate", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("PassengerAnalyticsLogGroup", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("PassengerAnalyticsLogUser", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("PassengerAnonymousTelemetryProxy", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("PassengerAppStartCommand", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("PassengerBufferResponse", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("PassengerDebugLogFile", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("PassengerDebugger", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("PassengerDefaultRuby", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("PassengerDirectInstanceRequestAddress", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("PassengerDisableAnonymousTelemetry", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("PassengerDisableSecurityUpdateCheck", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("PassengerDumpConfigManifest", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("PassengerFileDescriptorLogFile", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("PassengerFlyWith", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("PassengerHighPerformance", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("PassengerLveMinUid", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("PassengerMeteorAppSettings", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("PassengerMonitorLogFile", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("PassengerNodejs", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("PassengerPreloadBundler", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("PassengerResolveSymlinksInDocumentRoot", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("PassengerRoot", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("PassengerRuby", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("PassengerSecurityUpdateCheckProxy", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("PassengerSpawnDir", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("PassengerTempDir", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("PassengerTurbocaching", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("PassengerUploadBufferDir", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("PassengerUseGlobalQueue", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("RackAutoDetect", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("RackBaseURI", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("RackEnv", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("RailsAllowModRewrite", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("RailsAppSpawnerIdleTime", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("RailsAutoDetect", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("RailsBaseURI", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("RailsDefaultUser", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("RailsEnv", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("RailsFrameworkSpawnerIdleTime", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("RailsMaxInstancesPerApp", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("RailsMaxPoolSize", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("RailsPoolIdleTime", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("RailsRuby", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("RailsSpawnMethod", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("RailsSpawnServer", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("RailsUserSwitching", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("UnionStationFilter", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("UnionStationGatewayAddress", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("UnionStationGatewayCert", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("UnionStationGatewayPort", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("UnionStationKey", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("UnionStationProxyAddress", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("UnionStationSupport", passenger_ignore, NULL, OR_ALL, "has no effect"),
    AP_INIT_RAW_ARGS("WsgiAutoDetect", passenger_ignore, NULL, OR_ALL, "has no effect"),
    {NULL}
};

passenger_dir_options *passenger_dir_options_create(apr_pool_t *pool)
{
    passenger_dir_options *options = apr_pcalloc(pool, sizeof *options);

    options->enabled = PASSENGER_UNSET;
    options->allow_encoded_slashes = PASSENGER_UNSET;
    options->load_shell_envvars = PASSENGER_UNSET;
    options->start_timeout = PASSENGER_UNSET;
    options->thread_count = PASSENGER_UNSET;
    options->force_max_concurrent_requests_per_process = PASSENGER_UNSET;
    options->min_instances = PASSENGER_UNSET;
    options->max_instances = PASSENGER_UNSET;
    options->max_preloader_idle_time = PASSENGER_UNSET;
    options->max_requests = PASSENGER_UNSET;
    options->memory_limit = PASSENGER_UNSET;
    options->hard_memory_limit = PASSENGER_UNSET;
    options->max_request_queue_size = PASSENGER_UNSET;
    options->max_request_queue_time = PASSENGER_UNSET;
    options->max_request_time = PASSENGER_UNSET;
    options->sticky_sessions = PASSENGER_UNSET;
    options->buffer_upload = PASSENGER_UNSET;
    options->friendly_error_pages = PASSENGER_UNSET;
    options->error_override = PASSENGER_UNSET;
    options->rolling_restarts = PASSENGER_UNSET;
    options->resist_deployment_errors = PASSENGER_UNSET;
    return options;
}

passenger_server_options *passenger_server_options_create(apr_pool_t *pool)
{
    passenger_server_options *options = apr_pcalloc(pool, sizeof *options);

    options->user_switching = PASSENGER_UNSET;
    options->max_instances_per_app = PASSENGER_UNSET;
    options->max_pool_size = PASSENGER_UNSET;
    options->pool_idle_time = PASSENGER_UNSET;
    options->response_buffer_high_watermark = PASSENGER_UNSET;
    options->show_version_in_header = PASSENGER_UNSET;
    options->stat_throttle_rate = PASSENGER_UNSET;
    options->log_level = PASSENGER_UNSET;
    options->disable_log_prefix = PASSENGER_UNSET;
    options->socket_backlog = PASSENGER_UNSET;
    return options;
}

passenger_dir_options *passenger_dir_options_merge(apr_pool_t *pool, const passenger_dir_options *outer,
                                                   const passenger_dir_options *inner)
{
    passenger_dir_options *merged = apr_palloc(pool, sizeof *merged);

    merged->enabled = inner->enabled != PASSENGER_UNSET ? inner->enabled : outer->enabled;
    merged->app_root = inner->app_root != NULL ? inner->app_root : outer->app_root;
    merged->base_uri = inner->base_uri != NULL ? inner->base_uri : outer->base_uri;
    merged->app_type = inner->app_type != NULL ? inner->app_type : outer->app_type;
    merged->startup_file = inner->startup_file != NULL ? inner->startup_file : outer->startup_file;
    merged->app_group_name = inner->app_group_name != NULL ? inner->app_group_name : outer->app_group_name;
    merged->allow_encoded_slashes = inner->allow_encoded_slashes != PASSENGER_UNSET ? inner->allow_encoded_slashes : outer->allow_encoded_slashes;
    merged->python = inner->python != NULL ? inner->python : outer->python;
    merged->app_env = inner->app_env != NULL ? inner->app_env : outer->app_env;
    merged->spawn_method = inner->spawn_method != NULL ? inner->spawn_method : outer->spawn_method;
    merged->load_shell_envvars = inner->load_shell_envvars != PASSENGER_UNSET ? inner->load_shell_envvars : outer->load_shell_envvars;
    merged->start_timeout = inner->start_timeout != PASSENGER_UNSET ? inner->start_timeout : outer->start_timeout;
    merged->concurrency_model = inner->concurrency_model != NULL ? inner->concurrency_model : outer->concurrency_model;
    merged->thread_count = inner->thread_count != PASSENGER_UNSET ? inner->thread_count : outer->thread_count;
    merged->force_max_concurrent_requests_per_process = inner->force_max_concurrent_requests_per_process != PASSENGER_UNSET ? inner->force_max_concurrent_requests_per_process : outer->force_max_concurrent_requests_per_process;
    merged->user = inner->user != NULL ? inner->user : outer->user;
    merged->group = inner->group != NULL ? inner->group : outer->group;
    merged->min_instances = inner->min_instances != PASSENGER_UNSET ? inner->min_instances : outer->min_instances;
    merged->max_instances = inner->max_instances != PASSENGER_UNSET ? inner->max_instances : outer->max_instances;
    merged->max_preloader_idle_time = inner->max_preloader_idle_time != PASSENGER_UNSET ? inner->max_preloader_idle_time : outer->max_preloader_idle_time;
    merged->max_requests = inner->max_requests != PASSENGER_UNSET ? inner->max_requests : outer->max_requests;
    merged->memory_limit = inner->memory_limit != PASSENGER_UNSET ? inner->memory_limit : outer->memory_limit;
    merged->hard_memory_limit = inner->hard_memory_limit != PASSENGER_UNSET ? inner->hard_memory_limit : outer->hard_memory_limit;
    merged->max_request_queue_size = inner->max_request_queue_size != PASSENGER_UNSET ? inner->max_request_queue_size : outer->max_request_queue_size;
    merged->max_request_queue_time = inner->max_request_queue_time != PASSENGER_UNSET ? inner->max_request_queue_time : outer->max_request_queue_time;
    merged->max_request_time = inner->max_request_time != PASSENGER_UNSET ? inner->max_request_time : outer->max_request_time;
    merged->sticky_sessions = inner->sticky_sessions != PASSENGER_UNSET ? inner->sticky_sessions : outer->sticky_sessions;
    merged->sticky_sessions_cookie_name = inner->sticky_sessions_cookie_name != NULL ? inner->sticky_sessions_cookie_name : outer->sticky_sessions_cookie_name;
    merged->sticky_sessions_cookie_attributes = inner->sticky_sessions_cookie_attributes != NULL ? inner->sticky_sessions_cookie_attributes : outer->sticky_sessions_cookie_attributes;
    merged->buffer_upload = inner->buffer_upload != PASSENGER_UNSET ? inner->buffer_upload : outer->buffer_upload;
    merged->friendly_error_pages = inner->friendly_error_pages != PASSENGER_UNSET ? inner->friendly_error_pages : outer->friendly_error_pages;
    merged->custom_error_page = inner->custom_error_page != NULL ? inner->custom_error_page : outer->custom_error_page;
    merged->error_override = inner->error_override != PASSENGER_UNSET ? inner->error_override : outer->error_override;
    merged->restart_dir = inner->restart_dir != NULL ? inner->restart_dir : outer->restart_dir;
    merged->rolling_restarts = inner->rolling_restarts != PASSENGER_UNSET ? inner->rolling_restarts : outer->rolling_restarts;
    merged->resist_deployment_errors = inner->resist_deployment_errors != PASSENGER_UNSET ? inner->resist_deployment_errors : outer->resist_deployment_errors;
    merged->app_log_file = inner->app_log_file != NULL ? inner->app_log_file : outer->app_log_file;
    return merged;
}

void passenger_dir_options_to_wire(const passenger_dir_options *options, passenger_message *message)
{
    passenger_message_add(message, "python", passenger_dir_python(options));
    passenger_message_add(message, "app_env", passenger_dir_app_env(options));
    passenger_message_add(message, "spawn_method", passenger_dir_spawn_method(options));
    passenger_message_add(message, "load_shell_envvars", passenger_dir_load_shell_envvars(options) ? "1" : "0");
    passenger_message_add_number(message, "start_timeout", passenger_dir_start_timeout(options));
    passenger_message_add(message, "concurrency_model", passenger_dir_concurrency_model(options));
    passenger_message_add_number(message, "thread_count", passenger_dir_thread_count(options));
    passenger_message_add_number(message, "force_max_concurrent_requests_per_process", passenger_dir_force_max_concurrent_requests_per_process(options));
    passenger_message_add(message, "user", passenger_dir_user(options));
    passenger_message_add(message, "group", passenger_dir_group(options));
    passenger_message_add_number(message, "min_instances", passenger_dir_min_instances(options));
    passenger_message_add_number(message, "max_instances", passenger_dir_max_instances(options));
    passenger_message_add_number(message, "max_preloader_idle_time", passenger_dir_max_preloader_idle_time(options));
    passenger_message_add_number(message, "max_requests", passenger_dir_max_requests(options));
    passenger_message_add_number(message, "memory_limit", passenger_dir_memory_limit(options));
    passenger_message_add_number(message, "hard_memory_limit", passenger_dir_hard_memory_limit(options));
    passenger_message_add_number(message, "max_request_queue_size", passenger_dir_max_request_queue_size(options));
    passenger_message_add(message, "sticky_sessions", passenger_dir_sticky_sessions(options) ? "1" : "0");
    passenger_message_add(message, "friendly_error_pages", passenger_dir_friendly_error_pages(options) ? "1" : "0");
    passenger_message_add(message, "custom_error_page", passenger_dir_custom_error_page(options));
    passenger_message_add(message, "restart_dir", passenger_dir_restart_dir(options));
    passenger_message_add(message, "rolling_restarts", passenger_dir_rolling_restarts(options) ? "1" : "0");
    passenger_message_add(message, "resist_deployment_errors", passenger_dir_resist_deployment_errors(options) ? "1" : "0");
    passenger_message_add(message, "app_log_file", passenger_dir_app_log_file(options));
}

void passenger_server_options_to_wire(const passenger_server_options *options, passenger_message *message)
{
    passenger_message_add(message, "user_switching", passenger_server_user_switching(options) ? "1" : "0");
    passenger_message_add(message, "default_user", passenger_server_default_user(options));
    passenger_message_add(message, "default_group", passenger_server_default_group(options));
    passenger_message_add_number(message, "max_instances_per_app", passenger_server_max_instances_per_app(options));
    passenger_message_add_number(message, "max_pool_size", passenger_server_max_pool_size(options));
    passenger_message_add_number(message, "pool_idle_time", passenger_server_pool_idle_time(options));
    passenger_message_add_number(message, "stat_throttle_rate", passenger_server_stat_throttle_rate(options));
    passenger_message_add(message, "log_file", passenger_server_log_file(options));
    passenger_message_add_number(message, "log_level", passenger_server_log_level(options));
    passenger_message_add(message, "disable_log_prefix", passenger_server_disable_log_prefix(options) ? "1" : "0");
    passenger_message_add_number(message, "socket_backlog", passenger_server_socket_backlog(options));
}
