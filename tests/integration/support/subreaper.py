"""A small program that starts one httpd and is its subreaper: no descendant of it can escape.

    python subreaper.py <user or -> <command> <argument>...

It is the "subreaper" of all that the command starts, so whatever is orphaned becomes its child. It
reaps all of them, writes one line for each to stdout ("started <pid>", "ended <pid> <wait status>"),
and ends itself when nothing is left. When its stdin ends, because the tests have ended or given up,
it kills all that is left.
"""

import ctypes
import os
import pwd
import signal
import sys
import threading
import time

PR_SET_CHILD_SUBREAPER = 36


def become(user):
    entry = pwd.getpwnam(user)
    os.setgroups([entry.pw_gid])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def start(user, command):
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        if user != "-":
            become(user)
        os.execv(command[0], command)
    finally:
        os._exit(127)


def parent_of(pid):
    try:
        with open("/proc/%d/stat" % pid) as stat:
            return int(stat.read().rpartition(")")[2].split()[1])
    except (OSError, ValueError):
        return 0


def descendants():
    parents = {int(name): parent_of(int(name)) for name in os.listdir("/proc") if name.isdigit()}
    known = {os.getpid()}
    while True:
        more = {pid for pid, parent in parents.items() if parent in known} - known
        if not more:
            return known - {os.getpid()}
        known |= more


def kill_all_when_input_ends():
    while os.read(0, 1024):
        pass
    while True:
        for pid in descendants():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.05)


def main():
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pid = start(sys.argv[1], sys.argv[2:])
    print("started", pid, flush=True)
    threading.Thread(target=kill_all_when_input_ends, daemon=True).start()
    while True:
        try:
            ended, status = os.waitpid(-1, 0)
        except ChildProcessError:
            break
        print("ended", ended, status, flush=True)
    os._exit(0)


main()
