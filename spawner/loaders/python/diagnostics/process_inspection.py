"""What others can see of this process: its title in `ps` and `top`, and its stacks when a signal asks for them.

The title is written over the arguments that the process was started with, through /proc/self/mem, which takes no
privileges and no extension module; the interpreter has copied them long before. The launcher puts the app's name
behind the arguments, so that there is room. Where the system does not let it, the processes keep their names.
"""

from typing import Tuple

from ..core.unpatched import os

try:
    from faulthandler import register
except ImportError:  # an interpreter that was built without it: the signal is not caught, so that nobody sends it
    register = None  # type: ignore[assignment,unused-ignore]

_STDERR = 2  # the descriptor, wherever the app has put sys.stderr
_ARGUMENTS = (48, 49)  # proc(5): arg_start and arg_end are these fields of /proc/self/stat, counted from 1
_FIRST_BEHIND_THE_NAME = 3
_LONGEST_COMMAND = 15  # bytes


def write_stacks_on(signal_number: int) -> None:
    """Have `signal_number` write the stacks of all threads to the app's log, in this process and those that it forks.

    At once, also within a system call: it shows what a process hangs in.
    """
    if register is not None:
        register(signal_number, file=_STDERR, all_threads=True, chain=False)


def set_title(command: str, title: str) -> None:
    """Name the process's command `jumpseat-<command>`, and the process itself `jumpseat: <title>`."""
    try:
        _write_command("jumpseat-" + command)
        _write_over_arguments("jumpseat: " + title)
    except (OSError, ValueError, IndexError, OverflowError):
        pass


def _write_command(name: str) -> None:
    with open("/proc/self/comm", "wb") as file:
        file.write(name.encode()[:_LONGEST_COMMAND])


def _write_over_arguments(title: str) -> None:
    start, end = _place_of_arguments()
    if not 0 < start < end:
        return
    text = title.encode("utf-8", "surrogateescape").replace(b"\0", b" ")[: end - start - 1]
    memory = os.open("/proc/self/mem", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.lseek(memory, start, os.SEEK_SET)
        os.write(memory, text.ljust(end - start, b"\0"))
    finally:
        os.close(memory)


def _place_of_arguments() -> Tuple[int, int]:
    with open("/proc/self/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    start, end = (int(fields[number - _FIRST_BEHIND_THE_NAME]) for number in _ARGUMENTS)
    return start, end
