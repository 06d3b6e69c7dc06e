"""The stacks of all threads, written to the app's log when a signal asks for them: what a process hangs in."""

try:
    from faulthandler import register
except ImportError:  # an interpreter that was built without it: the signal is not caught, so that nobody sends it
    register = None  # type: ignore[assignment,unused-ignore]

_STDERR = 2  # the descriptor, wherever the app has put sys.stderr


def write_on(signal_number: int) -> None:
    """Write them on `signal_number`, in this process and those that it forks, at once: also within a system call."""
    if register is not None:
        register(signal_number, file=_STDERR, all_threads=True, chain=False)
