"""What the kernel shows of a process whose own calls nobody can see: which threads run, and what the others wait for.

The lines have the form of docs/decisions/012-stacks-by-a-signal.md.
"""

import os
from typing import Iterator, List

_MOST_THREADS = 64
_MOST_CHILDREN = 16
_LONGEST_COMMAND = 200  # characters
_RUNNING = "running"
# System calls that wait for a descriptor, which is their first argument, on x86_64: read, write, pread64, accept,
# recvfrom, recvmsg, flock, fsync, accept4.
_OF_DESCRIPTORS = {0, 1, 17, 43, 45, 47, 73, 74, 288}


def heading(pid: int, name: str) -> str:
    """Return the line before the calls of a thread."""
    return "Thread 0x{:016x} [{}] (most recent call first):".format(pid, _printable(name))


def threads(pid: int) -> List[str]:
    """Return the lines about all threads of a process."""
    found: List[str] = []
    for tid in _numbers("/proc/{}/task".format(pid))[:_MOST_THREADS]:
        name = _read("/proc/{}/task/{}/comm".format(pid, tid)).strip()
        found += [heading(tid, name or "thread"), "  ({})".format(_activity(pid, tid)), ""]
    return found[:-1] + _children(pid)


def main_thread(pid: int) -> List[str]:
    """Return the lines about the main thread, without a heading, and about the processes that it may wait for."""
    return ["  ({})".format(_activity(pid, pid)), *_children(pid)]


def _activity(pid: int, tid: int) -> str:
    words = _read("/proc/{}/task/{}/syscall".format(pid, tid)).split()
    if not words:
        state = _read("/proc/{}/task/{}/stat".format(pid, tid)).rpartition(")")[2].split()
        return "runs" if state[:1] == ["R"] else "waits in the kernel"
    if words[0] == _RUNNING:
        return "runs"
    if int(words[0]) < 0:
        return "waits, in no system call"
    return "waits in system call {}{}".format(words[0], _target(pid, words))


def _target(pid: int, words: List[str]) -> str:
    if os.uname().machine != "x86_64" or int(words[0]) not in _OF_DESCRIPTORS:
        return ""
    descriptor = int(words[1], 16)
    try:
        target = os.readlink("/proc/{}/fd/{}".format(pid, descriptor))
    except OSError:
        return ""
    return " of descriptor {}, {}".format(descriptor, _printable(target))


def _children(pid: int) -> List[str]:
    return ["  (has a child process, {})".format(one) for one in _commands_of_children(pid)][:_MOST_CHILDREN]


def _commands_of_children(pid: int) -> Iterator[str]:
    for child in _numbers("/proc"):
        if _read("/proc/{}/stat".format(child)).rpartition(")")[2].split()[1:2] == [str(pid)]:
            command = _read("/proc/{}/cmdline".format(child)).replace("\0", " ").strip()
            yield "{}: {}".format(child, _printable(command))


def _numbers(folder: str) -> List[int]:
    try:
        return sorted(int(name) for name in os.listdir(folder) if name.isdigit())
    except OSError:
        return []


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""  # it has ended, or the kernel does not let us look


def _printable(text: str) -> str:
    return "".join(one if one.isprintable() else "?" for one in text)[:_LONGEST_COMMAND]
