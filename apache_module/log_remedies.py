"""What an operator can do about a numbered line of the log, where the line does not say it itself.

`apache_module.render_log_messages` puts it beside the text from the source.
"""

from __future__ import annotations

_APP = "The app or its server code is at fault: look at the app's own log of that moment."
_DEFECT = "A defect of Jumpseat: report it with the lines below it. Apps serve on."
_BUFFER = "Make room in PassengerDataBufferDir, or name another folder; Apache's user has to be able to write to it."

REMEDIES: dict[int, str] = {
    1000: "A configuration that cannot work; the line says why. Apache does not start.",
    1001: "Part of the configuration has no effect, or holds for more than where it stands; the line names it.",
    1010: "Set PassengerLogFile or PassengerAppLogFile to a file.",
    1021: "Shorten the value; the configuration before stays in force.",
    1022: "Nothing, if it happens once.",
    1023: "The reason stands in the line: memory, processes or descriptors of the machine.",
    1024: "The installation is damaged or was upgraded under a running Apache: `jumpseat validate-install`, then stop "
    "and start Apache.",
    1025: "Nothing: no request is lost. If it comes again and again, the lines before it say why.",
    1028: "The reason stands in the line: descriptors, memory or random numbers of the machine.",
    1030: "Whoever has stopped it: `kill -CONT PID`.",
    1031: "Nothing: no request is lost. Report the stacks below it; they also show a file system that does not answer.",
    1032: "As for JS1031. One that hangs in the kernel ends when what it waits for does.",
    2000: "As the line says. Debug level where nothing in the configuration asks for an app.",
    2001: "Nothing, if no app is meant to be here. Shown with `LogLevel passenger:info`.",
    2010: _BUFFER,
    2011: _BUFFER,
    2040: _APP,
    2041: _APP,
    2042: _APP,
    2045: "The worker ended in the middle of the request: JS3503 has the signal or status, the app's log the rest.",
    2046: "The app raised an exception, or gave less than its Content-Length, after its response had begun: its log "
    "has the reason at that moment, under an id of its own. Or the worker died: JS3503. The client gets a 502 if "
    "nothing had been sent to it yet, else it sees that the response is cut.",
    2060: "Give Apache more file descriptors (LimitNOFILE, `ulimit -n`), or look at the app's `wsgi.file_wrapper`.",
    2080: "The line has the reason; see JS3004.",
    2082: "An earlier line says why: JS1023, JS1024 or the spawner's own.",
    2083: "Fewer or shorter SetEnv variables in this virtual host.",
    2084: "Nothing while the spawner is being replaced; else as for JS1025.",
    2120: "More workers (PassengerMaxPoolSize), a faster app, or a longer queue. `jumpseat status` and "
    "`jumpseat requests` show what it does.",
    2121: "Nothing while the spawner makes the instance folder anew (JS3047).",
    2122: "The client sends too much, or SetEnv has too much.",
    2130: "As for JS2120.",
    2131: "The stacks below JS3107 in the app's log show where the request was.",
    2132: "Three workers in a row ended, or the body cannot be sent twice: JS3503 names them.",
    2134: "Give Apache more file descriptors: LimitNOFILE of its unit, `ulimit -n`.",
    2200: _BUFFER + " Nothing is lost.",
    2201: "The file system of PassengerDataBufferDir has an error. The response is cut.",
    2203: "Processes or memory of the machine: ThreadsPerChild and the limits of Apache's user.",
    2204: _BUFFER + " Nothing is lost.",
    3001: "httpd and spawner are of different releases: stop and start Apache.",
    3002: "httpd and spawner are of different releases: stop and start Apache.",
    3003: "Another user than Apache's has tried to connect to the spawner: find out who.",
    3004: "The line has the reason. That of a missing token: a process of an older Apache, or somebody else.",
    3005: "Nothing: the app comes up all the same. `prestart_timeout` in spawner.conf.",
    3006: "Look whether the URL of PassengerPreStart leads to this Apache.",
    3008: "Make the file's folder the app user's own: `install -d -o shop /var/log/shop`.",
    3011: "The import of the app left something that forked workers cannot share: [preloading.md](preloading.md).",
    3012: "The process broke the protocol of its control line. Does the app write to descriptors that are not its own?",
    3020: "The instance folder is full or missing, or no descriptors are left. Requests are answered 500.",
    3022: "Let the app's user read the file: [error-pages.md](error-pages.md).",
    3024: "The line has the reason: the process did not start, or did not end, in time.",
    3031: "The app continues to serve. If the spawner ended, the next one would have to start it again.",
    3040: "Raise `fs.inotify.max_user_watches`, or accept that restarts begin some seconds later.",
    3041: "Raise `fs.inotify.max_user_instances`, or accept that restarts begin some seconds later.",
    3044: "Set PassengerLogFile to a path in a folder that exists. Meanwhile the lines go to Apache's ErrorLog.",
    3047: "Find out what removes the files, and exclude the instance folder there (PassengerInstanceRegistryDir).",
    3048: "Correct what the line names. Requests that need the spawner wait; it tries again every second.",
    3050: "Correct what the line names, in the configuration or on the machine, and restart Apache.",
    3051: "As for JS3052.",
    3052: _DEFECT,
    3053: _DEFECT,
    3060: "Nothing: the next request starts the app again.",
    3100: "The commands of the hooks take too long: [hooks.md](hooks.md).",
    3102: "Correct the command in PassengerCtl.",
    3104: "Correct the command. JS3103 has what it printed.",
    3106: "Raise LimitNOFILE of Apache's unit, or `ulimit -n`. Apps continue to serve; starts wait.",
    3107: "The stacks of the process's threads follow: [hooks.md](hooks.md#where-an-app-hangs).",
    3110: "Nothing, unless you want `restart.error.txt`: then let the app's user write to the folder.",
    3111: "The process hangs in the kernel, perhaps because of a network file system that does not answer: "
    "`cat /proc/PID/stack` as root shows where.",
    3112: _DEFECT,
    3113: _DEFECT,
    3501: "As the line says.",
    3503: "A crash (signal 6, 7, 8 or 11: `coredumpctl`), a kill by the kernel for want of memory (signal 9: `dmesg`), "
    "or an app that ends its process itself. Another worker comes.",
    3511: "Nothing: the pool is full, and another app needs room. Often: raise PassengerMaxPoolSize.",
    3513: "`cannot start`, with step, reason, error id and the app's traceback: "
    "[error-pages.md](error-pages.md#the-steps-of-a-start).",
    3530: "Make the directives agree.",
    3531: "Nothing is left to serve with: mend the code and touch `restart.txt`.",
    3533: "The app needs too much memory, or PassengerHardMemoryLimit is too small; the request got a 502.",
    3534: "A larger PassengerMemoryLimit: a worker has more before it has served anything.",
    3535: "Nothing, if it is rare. Often: the app leaks, or the limit is too small.",
    3536: "As for JS2131.",
    3539: "Its out-of-band work takes too long; the stacks below JS3107 in the app's log show where it is.",
    3540: "The new release serves with what it has; JS3513 says why its other workers did not start. Mend the code and "
    "touch `restart.txt`.",
}
