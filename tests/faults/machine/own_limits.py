"""Executes a command in a user namespace of its own, whose limits hold for nobody else (user_namespaces(7)).

    python own_limits.py <limit in /proc/sys/user>=<number> <command> <argument>...

Users keep their numbers where we may map all of them, so that root stays root inside; a normal user has only itself.
"""

import ctypes
import os
import sys

CLONE_NEWUSER = 0x10000000
ALL_USERS = 4294967295


def map_users(pid, uid, gid):
    lengths = (ALL_USERS, ALL_USERS) if uid == 0 else (1, 1)
    if uid != 0:
        write("/proc/%d/setgroups" % pid, "deny")
    write("/proc/%d/uid_map" % pid, "%d %d %d" % (uid, uid, lengths[0]))
    write("/proc/%d/gid_map" % pid, "%d %d %d" % (gid, gid, lengths[1]))


def write(path, text):
    descriptor = os.open(path, os.O_WRONLY)
    os.write(descriptor, text.encode())
    os.close(descriptor)


def main():
    setting, command = sys.argv[1], sys.argv[2:]
    target, uid, gid = os.getpid(), os.getuid(), os.getgid()
    ready_read, ready_write = os.pipe()
    helper = os.fork()
    if helper == 0:  # outside: it has the rights to map
        os.close(ready_write)
        os.read(ready_read, 1)
        map_users(target, uid, gid)
        os._exit(0)
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    os.write(ready_write, b"x")
    if os.waitpid(helper, 0)[1] != 0:
        raise SystemExit("the users could not be mapped")
    name, _, number = setting.partition("=")
    write("/proc/sys/user/" + name, number)
    os.closerange(3, 256)
    os.execv(command[0], command)


main()
