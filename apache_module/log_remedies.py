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
    1001: "A part of the configuration has no effect, or applies to more than the section that contains it. The line "
    "names it.",
    1010: "Set PassengerLogFile or PassengerAppLogFile to a file.",
    1021: "Make the value shorter. Until then, the previous configuration stays in force.",
    1022: "If it happens once: nothing. A new spawner gets the configuration.",
    1023: "The line has the reason: the machine has no memory, processes or descriptors left.",
    1024: "The installation is damaged, or it was upgraded while Apache was running. Run `jumpseat validate-install`, "
    "then stop and start Apache.",
    1025: "Nothing: no request is lost. If it happens again and again, the lines before it say why.",
    1027: "Nothing: httpd continues to stop.",
    1028: "The line has the reason: the machine has no descriptors, memory or random numbers left.",
    1029: "Stop and start Apache.",
    1030: "Somebody has stopped the spawner. To let it continue: `kill -CONT PID`.",
    1031: "Nothing: no request is lost. Report the stacks below the line. They also show whether a file system does "
    "not answer.",
    1032: "See JS1031. A spawner that hangs in the kernel ends when the kernel call returns.",
    2000: "Do what the line says. The level is debug if the configuration does not ask for an app here.",
    2001: "If no app is meant to be here: nothing. The line is shown with `LogLevel passenger:info`.",
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
    2046: "The app raised an exception after its response had begun, or the response was shorter than its "
    "Content-Length: the app's log has the reason at this time, with its own error id. Or the worker died: JS3503. The "
    "client gets a 502 if nothing had been sent to it yet. Otherwise it sees that the response is cut.",
    2060: "Give Apache more file descriptors (LimitNOFILE, `ulimit -n`), or look at the app's `wsgi.file_wrapper`.",
    2061: _FILE,
    2062: _FILE,
    2063: _FILE,
    2080: "The line has the reason. See JS3004.",
    2081: _VERSIONS,
    2082: "An earlier line says why: JS1023, JS1024 or a line of the spawner.",
    2083: "Use fewer or shorter SetEnv variables in this virtual host.",
    2084: "While the spawner is being replaced: nothing. Otherwise see JS1025.",
    2102: "The machine has no memory left. The line has the reason.",
    2105: "The file system of PassengerDataBufferDir has an error. The request is answered 500.",
    2120: "Allow more workers (PassengerMaxPoolSize) or a longer queue, or make the app faster. `jumpseat status` and "
    "`jumpseat requests` show what the workers are doing.",
    2121: "While the spawner creates the instance folder again (JS3047): nothing.",
    2122: "The client sends too many headers, or SetEnv sets too much.",
    2130: "See JS2120.",
    2131: "JS3107 in the app's log is followed by the stacks. They show where the request was. If the line says `with "
    "the time in the queue`, the app's loader does not say when it accepts a request: nothing ended the worker.",
    2132: "Three workers in a row ended, or the body cannot be sent twice. JS3503 names the workers.",
    2134: "Give Apache more file descriptors: LimitNOFILE of its unit, or `ulimit -n`.",
    2135: "The line before it, for the same request, has the reason.",
    2200: _BUFFER + _NOTHING_LOST,
    2201: "The file system of PassengerDataBufferDir has an error. The response is cut.",
    2205: "The machine or this process of httpd has no descriptors left: raise the limit (`ulimit -n`).",
    2206: "The machine has no memory left. Requests are served, but more slowly.",
    3001: _VERSIONS,
    3002: _VERSIONS,
    3003: "A user other than Apache's has tried to connect to the spawner. Find out who.",
    3004: "The line has the reason. If a token is missing, the message came from a process of an older Apache, or from "
    "somebody else.",
    3005: "Nothing: the app starts all the same. `prestart_timeout` in spawner.conf sets the time.",
    3006: "Check that the URL of PassengerPreStart leads to this Apache.",
    3008: "Make the app's user the owner of the file's folder: `install -d -o shop /var/log/shop`.",
    3011: "The app's import left something behind that forked workers cannot share: [preloading.md](preloading.md).",
    3012: "The process sent a message that is not allowed. Perhaps the app writes to file descriptors "
    "that are not its own.",
    3020: "The instance folder is full or missing, or the limit of descriptors is reached. The app's requests are "
    "answered 500.",
    3022: "The app's user must be able to read the file: [error-pages.md](error-pages.md).",
    3024: "The line has the reason: the process did not start or did not end in time.",
    3030: "If the spawner was upgraded just now: nothing. Otherwise: " + _DEFECT,
    3031: "The app serves. But if the spawner ends, the app is started again and not taken over. The line has the "
    "reason.",
    3032: _STORE,
    3040: "Raise `fs.inotify.max_user_watches`, or accept that restarts begin later.",
    3041: "Raise `fs.inotify.max_user_instances`, or accept that restarts begin later.",
    3044: "Set PassengerLogFile to a file in a folder that exists. Meanwhile the lines go to Apache's ErrorLog.",
    3047: "Configure the program that removed the files so that it does not touch the instance folder "
    "(PassengerInstanceRegistryDir).",
    3048: "Requests that need the spawner wait. Repair what the line names. Jumpseat tries again.",
    3050: "There is a fault in the configuration or on the machine. Repair what the line names, and restart Apache.",
    3051: "See JS3052.",
    3052: _DEFECT,
    3053: _DEFECT,
    3060: "Nothing: the app's next request registers it again.",
    3100: "The hooks' commands are too slow: [hooks.md](hooks.md).",
    3102: "Correct the command of PassengerCtl.",
    3104: "The hook's command failed. JS3103 has its output.",
    3106: "Raise LimitNOFILE of Apache's unit, or `ulimit -n`. Apps continue to serve; starts wait.",
    3107: "The stacks of the process's threads follow: [hooks.md](hooks.md#where-an-app-hangs).",
    3110: "If you need `restart.error.txt`: let the app's user write to the folder. Otherwise: nothing.",
    3111: "The process hangs in the kernel, perhaps because of a network file system that does not answer. "
    "`cat /proc/PID/stack` as root shows where.",
    3112: _DEFECT,
    3113: _DEFECT,
    3501: "Do what the line says.",
    3503: "The process crashed (signal 6, 7, 8 or 11: see `coredumpctl`), the kernel killed it because memory was out "
    "(signal 9: see `dmesg`), or the app ended its process itself. Another worker is started.",
    3511: "The pool was full, and another app needed a worker. If it happens often, raise PassengerMaxPoolSize.",
    3513: "The line names the step, the reason and the error id. The app's traceback stands below it: "
    "[error-pages.md](error-pages.md#the-steps-of-a-start).",
    3530: "Change the directives so that they agree.",
    3531: "No process of the old release is left. Repair the code and touch `restart.txt`.",
    3533: "The app needs too much memory, or PassengerHardMemoryLimit is too small. The request was answered 502.",
    3534: "Raise PassengerMemoryLimit: a worker has more memory than this before its first request.",
    3535: "If it is rare: nothing. If it happens often, the app leaks memory, or the limit is too small.",
    3536: "See JS2131.",
    3539: "The app's out-of-band work takes too long. JS3107 in the app's log is followed by the stacks. They show "
    "where it is.",
    3540: "The new release serves with the workers that it has. JS3513 says why its other workers did not start. "
    "Repair the code and touch `restart.txt`.",
}
