"""What an operator can do about a numbered line of the log, if the line does not say it itself.

`apache_module.render_log_messages` puts it beside the text from the source.
"""

from __future__ import annotations

_APP = "The fault is in the app or in a library of the app. Look at the app's own log at this time."
_DEFECT = "This is a defect of Jumpseat. Report it with the lines below it. Apps continue to serve."
_BUFFER = (
    "Make space in PassengerDataBufferDir, or set it to another folder. Apache's user must be able to write there."
)
_NOTHING_LOST = " No response is lost."
_VERSIONS = "httpd and the spawner have different versions. Stop and start Apache."
_FRAMES = (
    "The client gets a 502 or a cut response. Either the app writes to file descriptors that are not its own, or this "
    "is a defect of Jumpseat: report it."
)
_FILE = "The client gets a 502 or a cut response. Look at the file that the app returned with `wsgi.file_wrapper`."
_STORE = "A defect of Jumpseat, or the machine has no memory left: the line has the reason. Apps continue to serve."

REMEDIES: dict[int, str] = {
    1000: "The configuration cannot work, and Apache does not start. Correct what the line names.",
    1001: "The line names a directive that has no effect, or that is valid for more than the section that contains it.",
    1010: "Set PassengerLogFile or PassengerAppLogFile to a file.",
    1021: "Make the value shorter. Until then, the previous configuration stays in force.",
    1022: "If it happens once: nothing. A new spawner gets the configuration.",
    1023: "The line has the reason: the machine has no memory, processes or descriptors left.",
    1024: "The installation is damaged, or it was upgraded while Apache was running. Run `jumpseat validate-install`, "
    "then stop and start Apache.",
    1025: "Nothing: no request is lost. If it happens again and again, the lines before it say why.",
    1034: "The spawner's line JS3050 names what is wrong. Repair it. The next attempt then succeeds; "
    "`apachectl graceful` makes it at once.",
    1027: "Nothing: httpd continues to stop.",
    1028: "The line has the reason: the machine has no descriptors, memory or random numbers left.",
    1029: "Stop and start Apache.",
    1030: "Somebody has stopped the spawner. To let it continue: `kill -CONT PID`.",
    1031: "No request is lost. Look at the stacks below the line: if a file system does not answer, they show this. "
    "Otherwise this is a defect of Jumpseat: report it with the stacks.",
    1032: "See JS1031. If the spawner hangs in a call into the kernel, it ends when the call returns.",
    2000: "Do what the line says. The level is debug if the configuration does not ask for an app here.",
    2001: "If no app is meant to be here: nothing. The line is shown with `LogLevel passenger:info`.",
    2002: "Set PassengerAllowHtaccess for this folder (docs/shared-hosting.md), or remove the line from the file.",
    2010: _BUFFER,
    2011: _BUFFER,
    2012: "The file system of PassengerDataBufferDir has an error. The request is answered 500.",
    2040: _APP,
    2041: _APP,
    2042: _APP,
    2043: _FRAMES,
    2044: _FRAMES,
    2045: "The worker ended while it was serving the request. JS3503 has the signal or the status. The app's log may "
    "say more.",
    2046: "The worker died (see JS3503), or the loader of the app cannot report an error in the middle of a response: "
    "then the app's log has the reason at this time. If Apache had sent nothing to the client yet, the client gets a "
    "502. Otherwise the client sees that the response is cut.",
    2047: "Search for the error id in the app's log: the app raised an exception after its response had begun, or its "
    "response was shorter or longer than its Content-Length. If Apache had sent nothing to the client yet, the client "
    "gets a 502 with the same error id. Otherwise the client sees that the response is cut.",
    2060: "Give Apache more file descriptors (LimitNOFILE, `ulimit -n`), or look at the app's `wsgi.file_wrapper`.",
    2061: _FILE,
    2062: _FILE,
    2063: _FILE,
    2080: "The line has the reason. See JS3004.",
    2081: _VERSIONS,
    2082: "An earlier line has the reason: JS1023, JS1024 or a line of the spawner.",
    2083: "Use fewer or shorter SetEnv variables in this virtual host.",
    2084: "While the spawner is being replaced: nothing. Otherwise see the lines that it names, or JS1025.",
    2085: "Nothing, if it is a single user: others are not affected. One user's `.htaccess` files can have the spawner "
    "asked 100 times at once and 5 times a second, for each process of Apache.",
    2102: "The machine has no memory left. The line has the reason.",
    2105: "The file system of PassengerDataBufferDir has an error. The request is answered 500.",
    2120: "Allow more workers (PassengerMaxPoolSize) or a longer queue, or make the app faster. `jumpseat status` and "
    "`jumpseat requests` show what the workers are doing.",
    2121: "While the spawner creates the instance folder again (JS3047): nothing.",
    2122: "The client sends too many headers, or SetEnv sets too much.",
    2130: "See JS2120.",
    2131: "The app's log has the stacks of the worker, after JS3107. They show where the request was. If the line says "
    "`with the time in the queue`, the app's loader does not say when it accepts a request: no worker was ended.",
    2132: "Either three workers in a row have ended, or Apache could not send the body of the request a second time. "
    "JS3503 names the workers.",
    2134: "Give Apache more file descriptors: LimitNOFILE of its unit, or `ulimit -n`.",
    2135: "The line before it, for the same request, has the reason.",
    2200: _BUFFER + _NOTHING_LOST,
    2201: "The file system of PassengerDataBufferDir has an error. The response is cut.",
    2205: "The machine or this process of httpd has no descriptors left: raise the limit (`ulimit -n`).",
    2206: "The machine has no memory left. Requests are served, but more slowly.",
    3001: _VERSIONS,
    3002: _VERSIONS,
    3003: "A user other than Apache's has tried to connect to the spawner. Find out who.",
    3004: "The line has the reason. If it is the token, the message came from a process of an older Apache, or from "
    "another program.",
    3005: "Nothing: the app still starts. `prestart_timeout` in spawner.conf sets the time.",
    3006: "Check that the URL of PassengerPreStart leads to this Apache.",
    3008: "Make the app's user the owner of the file's folder: `install -d -o shop /var/log/shop`.",
    3011: "The app's import has left something behind that workers cannot share. The line has a link to the recipe, "
    "and the name for PassengerKnownImportWarnings. It comes once, until the text changes. "
    "See [preloading.md](preloading.md).",
    3013: "Repair the app. The line names a header whose value is no `str` (use `str(...)`), or says that a block of "
    "the body is no `bytes` (use `.encode()`). The app is served all the same. Each text is logged once for a release.",
    3012: "The process has sent a message that is not allowed. Perhaps the app writes to a file descriptor that is not "
    "its own.",
    3020: "The instance folder is full or missing, or the limit of descriptors is reached. The app's requests are "
    "answered 500.",
    3022: "Give the app's user the right to read the file. See [error-pages.md](error-pages.md).",
    3024: "The line has the reason, for example: the process did not start in time, or did not end in time.",
    3030: "If you have just upgraded Jumpseat: nothing. Otherwise: " + _DEFECT,
    3031: "The line has the reason. The app continues to serve. But if the spawner ends, the next spawner cannot take "
    "over this app and starts it again.",
    3032: _STORE,
    3040: "Raise `fs.inotify.max_user_watches` (sysctl), or accept that restarts begin some seconds after the touch.",
    3041: "Raise `fs.inotify.max_user_instances` (sysctl), or accept that restarts begin some seconds after the touch.",
    3044: "Set PassengerLogFile to a file in a folder that exists. Meanwhile the lines go to Apache's ErrorLog.",
    3047: "Another program has removed files of the instance folder. Configure it so that it leaves out this folder "
    "(PassengerInstanceRegistryDir).",
    3048: "Requests that need the spawner wait. Repair what the line names. Jumpseat tries again.",
    3050: "The line names what is wrong in the configuration or on the machine. Repair it, then stop and start Apache.",
    3051: "See JS3052.",
    3052: _DEFECT,
    3053: _DEFECT,
    3060: "Nothing: the app's next request registers it again.",
    3100: "The commands of your hooks take too long. See [hooks.md](hooks.md).",
    3102: "Correct the command of PassengerCtl.",
    3104: "The hook's command failed. JS3103 has its output.",
    3106: "Raise LimitNOFILE of Apache's unit, or `ulimit -n`. Apps continue to serve; starts wait.",
    3107: "The next lines have the stacks of all threads of the process. See [hooks.md](hooks.md#where-an-app-hangs).",
    3110: "If you need `restart.error.txt`: let the app's user write to the folder. Otherwise: nothing.",
    3111: "The process hangs in the kernel, perhaps because of a network file system that does not answer. "
    "`cat /proc/PID/stack` as root shows where.",
    3112: _DEFECT,
    3113: _DEFECT,
    3114: "The app runs without this limit. The line has the reason. See "
    "[shared-hosting.md](shared-hosting.md#cgroups).",
    3115: "The app needs too much memory, or PassengerAppMemoryLimit is too small. The requests of a worker that was "
    "killed were answered 502 or cut.",
    3116: "The app starts too many processes or threads, or PassengerAppProcessLimit is too small: during a restart, "
    "the old and the new release count together.",
    3117: "The app needs more than the directive allows. If the app works normally, raise the value. For processor "
    "time, let PassengerMaxRequests replace workers earlier.",
    3501: "Do what the line says.",
    3503: "The process crashed (signal 6, 7, 8 or 11: see `coredumpctl`), the kernel killed it because memory was out "
    "(signal 9: see `dmesg`), or the app ended its process itself. If JS3117 stands before it, a limit has ended it. "
    "With PassengerCpuTimeLimit, signal 9 can also mean that the app ignores SIGXCPU. Another worker is started.",
    3511: "The pool was full, and another app needed a worker. If it happens often, raise PassengerMaxPoolSize.",
    3513: "The line has the step, the reason and the error id. The lines below it have the app's traceback. See "
    "[error-pages.md](error-pages.md#the-steps-of-a-start).",
    3530: "Change the directives so that they agree.",
    3531: "No process of the old release is left, so Jumpseat tries the newest code. Repair the code and touch "
    "`restart.txt`.",
    3533: "The app needs too much memory, or PassengerHardMemoryLimit is too small. The requests of the worker were "
    "answered 502 or cut.",
    3534: "Raise PassengerMemoryLimit. Jumpseat does not replace this worker, because a new one would have as much "
    "memory.",
    3535: "If it is rare: nothing. If it happens often, the app leaks memory, or the limit is too small.",
    3536: "See JS2131.",
    3539: "The app's out-of-band work takes too long. The app's log has the stacks of the worker, after JS3107. They "
    "show where it was.",
    3542: "If requests wait too long: raise PassengerMaxPoolSize, or let other apps have fewer workers. "
    "The line comes once; `jumpseat status` shows whether it is still so.",
    3540: "The new release serves with the workers that it has. JS3513 says why its other workers did not start. "
    "Repair the code and touch `restart.txt`.",
}
