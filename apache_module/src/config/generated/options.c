/* Generated from apache_module/directives.py by `python -m apache_module.generate`; do not edit. */
#include "config/generated/options.h"

#include <apr_strings.h>

#include "config/settings.h"

static const char *const app_type_choices[] = {"wsgi", "wsgi", "python", "wsgi", NULL};
static const char *const spawn_method_choices[] = {"smart", "smart", "smart-lv2", "smart", "direct", "direct", "conservative", "direct", NULL};
static const char *const concurrency_model_choices[] = {"process", "process", "thread", "thread", NULL};
static const char *const group_choices[] = {"!STARTUP_FILE!", "!STARTUP_FILE!", NULL};

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
    {"PassengerCtl", PASSENGER_SETTINGS, offsetof(passenger_server_options, ctl), 1, 0, 0, 2147483647, NULL},
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
        "Whether requests here may go to an app. Off leaves them to the rest of Apache."),
    AP_INIT_TAKE1("PassengerAppRoot", passenger_set_value, (void *)&option_table[1], RSRC_CONF | ACCESS_CONF,
        "The app's folder. It is the working directory of the app's processes and the first place they import from."),
    AP_INIT_ITERATE("PassengerBaseURI", passenger_add_value, (void *)&option_table[2], RSRC_CONF | ACCESS_CONF,
        "A path under which an app is mounted: it begins with a slash and does not end with one. May be given several times; an inner scope replaces the set of an outer one. The longest one that fits the request wins."),
    AP_INIT_TAKE1("PassengerAppType", passenger_set_value, (void *)&option_table[3], RSRC_CONF | ACCESS_CONF,
        "What kind of app it is, for apps that are not recognised by their files."),
    AP_INIT_TAKE1("PassengerStartupFile", passenger_set_value, (void *)&option_table[4], RSRC_CONF | ACCESS_CONF,
        "The entry file, relative to the app root. The owner of this file is the user that the app runs as."),
    AP_INIT_TAKE1("PassengerAppGroupName", passenger_set_value, (void *)&option_table[5], RSRC_CONF | ACCESS_CONF,
        "The name of the app group. Scopes that have the same name share their processes."),
    AP_INIT_FLAG("PassengerAllowEncodedSlashes", passenger_set_flag, (void *)&option_table[6], OR_OPTIONS,
        "Whether the app gets the path as the client encoded it when it holds `%2F`. Apache's own AllowEncodedSlashes must let such requests pass."),
    AP_INIT_TAKE1("PassengerPython", passenger_set_value, (void *)&option_table[7], RSRC_CONF | ACCESS_CONF,
        "The interpreter that runs the app: an absolute path, or a name that is looked up in PATH."),
    AP_INIT_TAKE1("PassengerAppEnv", passenger_set_value, (void *)&option_table[8], RSRC_CONF | ACCESS_CONF,
        "The environment's name. Apps read it from WSGI_ENV, PASSENGER_APP_ENV, RACK_ENV, RAILS_ENV and NODE_ENV."),
    AP_INIT_TAKE1("PassengerSpawnMethod", passenger_set_value, (void *)&option_table[9], RSRC_CONF | ACCESS_CONF,
        "`smart` imports the app once and forks its workers from there; `direct` imports it in each worker anew."),
    AP_INIT_FLAG("PassengerLoadShellEnvvars", passenger_set_flag, (void *)&option_table[10], RSRC_CONF | ACCESS_CONF,
        "Whether the app is started through its user's login shell, so that it gets what the shell's profile sets."),
    AP_INIT_TAKE1("PassengerStartTimeout", passenger_set_value, (void *)&option_table[11], RSRC_CONF | ACCESS_CONF,
        "How long a process may take to start before it is killed and the start counts as failed."),
    AP_INIT_TAKE1("PassengerConcurrencyModel", passenger_set_value, (void *)&option_table[12], RSRC_CONF | ACCESS_CONF,
        "`process`: a worker has one request at a time. `thread`: it has as many as PassengerThreadCount says, each in a thread of its own; the app must be thread-safe, and gets `wsgi.multithread` true."),
    AP_INIT_TAKE1("PassengerThreadCount", passenger_set_value, (void *)&option_table[13], RSRC_CONF | ACCESS_CONF,
        "How many threads a worker has with PassengerConcurrencyModel `thread`; without that it has no effect."),
    AP_INIT_TAKE1("PassengerForceMaxConcurrentRequestsPerProcess", passenger_set_value, (void *)&option_table[14], RSRC_CONF | ACCESS_CONF,
        "The most requests that a worker is given at a time, where that is fewer than it has threads; -1 and 0: as many as it has threads."),
    AP_INIT_TAKE1("PassengerUser", passenger_set_value, (void *)&option_table[15], RSRC_CONF | ACCESS_CONF,
        "The user that the app runs as. Never root."),
    AP_INIT_TAKE1("PassengerGroup", passenger_set_value, (void *)&option_table[16], RSRC_CONF | ACCESS_CONF,
        "The group that the app runs as; `!STARTUP_FILE!` is the group of the entry file."),
    AP_INIT_FLAG("PassengerUserSwitching", passenger_set_flag, (void *)&option_table[17], RSRC_CONF,
        "Whether apps run as their own users. Off: all of them run as PassengerDefaultUser. Without effect when Apache was not started as root."),
    AP_INIT_TAKE1("PassengerDefaultUser", passenger_set_value, (void *)&option_table[18], RSRC_CONF,
        "The user for apps that have no usable one of their own, among them those that root owns."),
    AP_INIT_TAKE1("PassengerDefaultGroup", passenger_set_value, (void *)&option_table[19], RSRC_CONF,
        "The group for apps that have no usable one of their own."),
    AP_INIT_TAKE1("PassengerMinInstances", passenger_set_value, (void *)&option_table[20], RSRC_CONF | ACCESS_CONF,
        "Workers that an app keeps, once it has started, even when they are idle."),
    AP_INIT_TAKE1("PassengerMaxInstances", passenger_set_value, (void *)&option_table[21], RSRC_CONF | ACCESS_CONF,
        "The most workers that this app may have; 0: no limit of its own."),
    AP_INIT_TAKE1("PassengerMaxInstancesPerApp", passenger_set_value, (void *)&option_table[22], RSRC_CONF,
        "The most workers that any one app may have; 0: no such limit."),
    AP_INIT_TAKE1("PassengerMaxPoolSize", passenger_set_value, (void *)&option_table[23], RSRC_CONF,
        "The most workers of all apps together."),
    AP_INIT_TAKE1("PassengerPoolIdleTime", passenger_set_value, (void *)&option_table[24], RSRC_CONF,
        "How long a worker beyond PassengerMinInstances may be idle before it is ended; 0: for ever."),
    AP_INIT_TAKE1("PassengerMaxPreloaderIdleTime", passenger_set_value, (void *)&option_table[25], RSRC_CONF | ACCESS_CONF,
        "How long a preloader may have nothing to fork before it is ended; 0: for ever."),
    AP_INIT_TAKE1("PassengerMaxRequests", passenger_set_value, (void *)&option_table[26], RSRC_CONF | ACCESS_CONF,
        "How many requests a worker serves before a new one takes its place, for apps that leak memory; 0: no limit. No request is lost at the change."),
    AP_INIT_TAKE1("PassengerMemoryLimit", passenger_set_value, (void *)&option_table[27], RSRC_CONF | ACCESS_CONF,
        "How much memory a worker may have: one that has more finishes its requests and a new one takes its place. Counted is its own share (PSS) and what of it is swapped out, in MB of 1,048,576 bytes, every 2 seconds (`memory_interval` in spawner.conf); 0: no limit."),
    AP_INIT_TAKE1("PassengerHardMemoryLimit", passenger_set_value, (void *)&option_table[28], RSRC_CONF | ACCESS_CONF,
        "How much memory a worker may have at the very most: one that has more is killed at once, in the middle of a request, which is answered 502. Counted as for PassengerMemoryLimit; 0: no limit."),
    AP_INIT_ITERATE("PassengerPreStart", passenger_add_value, (void *)&option_table[29], RSRC_CONF,
        "A URL of an app that is to be started together with Apache. May be given several times."),
    AP_INIT_TAKE2("PassengerCtl", passenger_set_setting, (void *)&option_table[30], RSRC_CONF,
        "A command that is run when something happens: `hook_attached_process`, `hook_detached_process`, `hook_spawn_failed`, `hook_queue_full_error` or `hook_max_request_time_reached`, and the command ([hooks.md](hooks.md)). May be given several times; of the same name the last one counts."),
    AP_INIT_TAKE1("PassengerMaxRequestQueueSize", passenger_set_value, (void *)&option_table[31], RSRC_CONF | ACCESS_CONF,
        "How many requests of an app may wait for a worker; one more is answered 503 at once. 0: as many as PassengerSocketBacklog says. The system's `net.core.somaxconn` is the upper end of both."),
    AP_INIT_TAKE1("PassengerMaxRequestQueueTime", passenger_set_value, (void *)&option_table[32], RSRC_CONF | ACCESS_CONF,
        "How long a request may wait for a worker, from when its body has been read, before it is answered 504, with Retry-After, and never given to the app; 0: for ever."),
    AP_INIT_TAKE1("PassengerMaxRequestTime", passenger_set_value, (void *)&option_table[33], RSRC_CONF | ACCESS_CONF,
        "How long an app may take for a request, from when a worker takes it until it has answered. After that the client gets a 504 (an answer that has begun is cut), the stacks of all threads of the worker go to the app's log, and the worker is ended, with SIGTERM first and SIGKILL after some seconds. The time in the queue does not count; what the worker waits for its client does: for a body that is not buffered (PassengerBufferUpload off), and for room beyond PassengerResponseBufferHighWatermark. 0: no limit."),
    AP_INIT_FLAG("PassengerStickySessions", passenger_set_flag, (void *)&option_table[34], RSRC_CONF | ACCESS_CONF,
        "Whether a client, known by a cookie, comes back to the worker that served it before, as long as that one lives."),
    AP_INIT_TAKE1("PassengerStickySessionsCookieName", passenger_set_value, (void *)&option_table[35], RSRC_CONF | ACCESS_CONF,
        "The name of the cookie of PassengerStickySessions."),
    AP_INIT_TAKE1("PassengerStickySessionsCookieAttributes", passenger_set_value, (void *)&option_table[36], RSRC_CONF | ACCESS_CONF,
        "The attributes of the cookie of PassengerStickySessions. `Path=` and the app's base URI come before them unless they name a path."),
    AP_INIT_FLAG("PassengerBufferUpload", passenger_set_flag, (void *)&option_table[37], OR_ALL,
        "Whether a request's body is read whole before a worker is taken, so that slow uploads occupy none."),
    AP_INIT_TAKE1("PassengerDataBufferDir", passenger_set_value, (void *)&option_table[38], RSRC_CONF,
        "Where request bodies, and responses for clients that read slowly, are kept that are too large for memory: in files without names."),
    AP_INIT_TAKE1("PassengerResponseBufferHighWatermark", passenger_set_value, (void *)&option_table[39], RSRC_CONF,
        "How much of a response is kept for a client that reads slowly, so that the worker is free for others; beyond that the worker waits. What is too large for memory lies in PassengerDataBufferDir; 0: no limit."),
    AP_INIT_FLAG("PassengerFriendlyErrorPages", passenger_set_flag, (void *)&option_table[40], RSRC_CONF | ACCESS_CONF,
        "Whether the browser is shown why an app did not start, or failed a request, with its traceback."),
    AP_INIT_TAKE1("PassengerCustomErrorPage", passenger_set_value, (void *)&option_table[41], RSRC_CONF | ACCESS_CONF,
        "An HTML file that is the answer, with status 500, when an app does not start."),
    AP_INIT_FLAG("PassengerErrorOverride", passenger_set_flag, (void *)&option_table[42], OR_ALL,
        "Whether Apache's ErrorDocument answers in place of the body of an app's response with a status from 400 on."),
    AP_INIT_FLAG("PassengerShowVersionInHeader", passenger_set_flag, (void *)&option_table[43], RSRC_CONF,
        "Whether the X-Powered-By header names the version."),
    AP_INIT_TAKE1("PassengerRestartDir", passenger_set_value, (void *)&option_table[44], RSRC_CONF | ACCESS_CONF,
        "The folder of restart.txt: absolute, or relative to the app root."),
    AP_INIT_FLAG("PassengerRollingRestarts", passenger_set_flag, (void *)&option_table[45], RSRC_CONF | ACCESS_CONF,
        "Whether a restart replaces workers one by one, and only when the new release has loaded. Off: the old ones end at once, some milliseconds after the touch, and requests wait for the new ones."),
    AP_INIT_FLAG("PassengerResistDeploymentErrors", passenger_set_flag, (void *)&option_table[46], RSRC_CONF | ACCESS_CONF,
        "Whether the old release goes on serving when a new one does not start. What is wrong is shown by `jumpseat status` and in `restart.error.txt` beside `restart.txt`; the next restart tries again. Only with PassengerRollingRestarts. Off: a release that does not start takes the place of the old one all the same, and its requests are answered 500."),
    AP_INIT_TAKE1("PassengerStatThrottleRate", passenger_set_value, (void *)&option_table[47], RSRC_CONF,
        "How long what was found in an app's folder is believed before the files are looked at again; 0: not at all."),
    AP_INIT_TAKE1("PassengerLogFile", passenger_set_value, (void *)&option_table[48], RSRC_CONF,
        "The file for the spawner's own messages and for the output of apps without a log of their own."),
    AP_INIT_TAKE1("PassengerAppLogFile", passenger_set_value, (void *)&option_table[49], RSRC_CONF | ACCESS_CONF,
        "The file for what this app prints."),
    AP_INIT_TAKE1("PassengerLogLevel", passenger_set_value, (void *)&option_table[50], RSRC_CONF,
        "How much the spawner says: 0 critical, 1 errors, 2 warnings, 3 notices, 4 information, 5 to 7 debugging. The output of apps has level 3."),
    AP_INIT_FLAG("PassengerDisableLogPrefix", passenger_set_flag, (void *)&option_table[51], RSRC_CONF,
        "Whether the output of apps is logged without time, process id and `App ... output:` before each line."),
    AP_INIT_TAKE1("PassengerInstanceRegistryDir", passenger_set_value, (void *)&option_table[52], RSRC_CONF,
        "Where running instances are found by the command line tools; it holds a folder with the sockets of each. A change needs a stop and a start."),
    AP_INIT_TAKE1("PassengerSocketBacklog", passenger_set_value, (void *)&option_table[53], RSRC_CONF,
        "How many of Apache's processes may wait for the spawner at the same time, and how many requests for an app that has PassengerMaxRequestQueueSize 0."),
    AP_INIT_TAKE1("PassengerSpawnerConfigFile", passenger_set_value, (void *)&option_table[54], RSRC_CONF,
        "The spawner's own configuration. A change of the name needs a stop and a start."),
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
