"""Executes a command for which, as for all that it starts, the kernel has no inotify instances or watches left.

    python without_inotify.py instances|watches <command> <argument>...

A system call filter (seccomp(2)) answers what the kernel answers at its limits, which hold for all processes of a user:
EMFILE for an instance, ENOSPC for a watch (inotify_init(2), inotify_add_watch(2)). It needs no rights.
"""

import ctypes
import errno
import os
import struct
import sys

#: By machine: inotify_init (not everywhere) and inotify_init1, inotify_add_watch.
NUMBERS = {"x86_64": ((253, 294), 254), "aarch64": ((26,), 27), "riscv64": ((26,), 27)}
PR_SET_SECCOMP, SECCOMP_MODE_FILTER, PR_SET_NO_NEW_PRIVS = 22, 2, 38
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06  # BPF: a word of the call's data, a constant, a constant
ALLOW, ERRNO = 0x7FFF0000, 0x00050000


class Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def instructions(refused, error):
    """Answer `error` to the system calls `refused`; their number is the first word of the data."""
    yield LOAD, 0, 0, 0
    for number in refused:
        yield JUMP_IF_EQUAL, 0, 1, number
        yield RETURN, 0, 0, ERRNO | error
    yield RETURN, 0, 0, ALLOW


def install(lines):
    code = [struct.pack("=HBBI", *line) for line in lines]
    program = Program(len(code), b"".join(code))
    libc = ctypes.CDLL(None, use_errno=True)
    for call in ((PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program))):
        if libc.prctl(*call) != 0:
            reason = os.strerror(ctypes.get_errno())
            raise SystemExit("this kernel takes no system call filter (CONFIG_SECCOMP_FILTER): %s" % reason)


def main():
    what, command = sys.argv[1], sys.argv[2:]
    machine = os.uname().machine
    if machine not in NUMBERS:
        raise SystemExit("the numbers of inotify's system calls on %s are missing in NUMBERS" % machine)
    instances, watch = NUMBERS[machine]
    install(instructions(instances, errno.EMFILE) if what == "instances" else instructions((watch,), errno.ENOSPC))
    os.closerange(3, 256)
    os.execv(command[0], command)


main()
