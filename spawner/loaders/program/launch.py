"""From `hello` to the program: this process becomes it, and a grandchild supervises it (docs/protocol.md, section 5).

So the pid that has said `hello` is the program's: what the spawner signals, measures and limits is the program itself.
The supervisor is no child of it, so that the program has no child that it does not know of.
"""

import fcntl
import os
import signal
import sys
import time
from typing import List, NoReturn

from ...shared import start_steps, wire
from ..python.core.control_line import ControlLine, ControlMessage
from ..python.core.loader_errors import LineClosed, UnexpectedMessage
from ..python.core.scoreboard_writer import Scoreboard
from ..python.diagnostics import error_log
from . import program_pidfd
from .node_program import NodeProgram
from .shell_program import ShellProgram
from .start_command import FIRST_DESCRIPTOR, NoCommand
from .supervised_program import Execution, SupervisedProgram
from .supervisor import Supervisor

_OUT_OF_THE_WAY = 64  # a descriptor that no program is given
_MOST_REQUESTS = 65_536  # of a worker whose requests nobody limits (docs/protocol.md, section 6)


def run(descriptor: int) -> NoReturn:
    """Serve the control line `descriptor`: become the program, or end with 0, or 1 when there is none."""
    status = 1
    error_log.make_streams_line_buffered()
    try:
        line = ControlLine(descriptor)
        os.set_inheritable(descriptor, False)
        status = _launch(line)
    except LineClosed:
        status = 0
    except (wire.WireError, UnexpectedMessage, OSError, ValueError) as error:
        error_log.log("jumpseat: the program cannot be started: {}".format(error))
    except BaseException as error:  # noqa: BLE001 - the process ends here, and says why
        error_log.log_internal_error("internal error, the loader ends", error)
    finally:
        error_log.flush_streams()
        os._exit(status)


def _launch(line: ControlLine) -> int:
    """Return the exit status, if there is no program."""
    version = "Python {}.{}.{}".format(*sys.version_info[:3])
    line.send("hello", [("runtime", version), ("executable", sys.executable or "")])
    load = line.receive()
    if load is None or load.kind == "retire":
        return 0
    if load.kind != "load" or len(load.descriptors) < 3 or not load.get("slot"):
        raise UnexpectedMessage("expected `load` with a slot, got {!r}".format(load.kind))
    try:
        program = _program_of(load)
    except (NoCommand, OSError) as error:
        _fail(line, start_steps.READ, error)
        return 1
    try:
        execution = program.prepare()
    except OSError as error:
        program.close()
        _fail(line, start_steps.START_LOADER, error)
        return 1
    return _start(line, load, program, execution)


def _fail(line: ControlLine, step: str, error: Exception) -> None:
    summary = " ".join(str(error).splitlines())
    line.send("failed", [("step", step), ("summary", summary), ("traceback", ""), ("cwd", os.getcwd())])


def _start(line: ControlLine, load: ControlMessage, program: SupervisedProgram, execution: Execution) -> int:
    """Fork the supervisor and become the program. Return the exit status, if it could not be executed."""
    started, pid, pidfd = time.monotonic(), os.getpid(), program_pidfd.open_own()
    slot = Scoreboard(load.descriptors[1]).shared_slot(int(load.get("slot")), _capacity(load))  # with this pid
    status_read, status_write = os.pipe()
    told_read, told_write = os.pipe()  # ends when the supervisor has told the spawner that there is no program
    if _fork_grandchild():
        try:
            os.close(status_write)
            os.close(told_read)
            execution.close()
            Supervisor(line, load, program, slot, pid, pidfd, status_read, started).run()
        except BaseException as error:  # noqa: BLE001 - nothing may run on behind the fork
            error_log.log_internal_error("internal error, the supervisor ends", error)
        finally:
            os._exit(1)
    os.close(told_write)
    _become(execution, status_write, told_read)
    return 1


def _program_of(load: ControlMessage) -> SupervisedProgram:
    if load.get("interpreter"):
        return NodeProgram(load)
    for own_socket in load.descriptors[3:]:
        os.close(own_socket)  # of sticky sessions: a program that says nothing of routes cannot have them
    return ShellProgram(load)


def _capacity(load: ControlMessage) -> int:
    return int(load.get("threads") or 0) or _MOST_REQUESTS


def _fork_grandchild() -> bool:
    """Fork twice; True in the grandchild. The child between them is gone when this returns.

    Raises OSError when the system has no process left.
    """
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        if status:
            raise OSError("no process can be forked for the supervisor")
        return False
    try:
        if os.fork():
            os._exit(0)
    except OSError:
        os._exit(1)
    os.setpgid(0, 0)  # what the program sends to its own process group is not for us
    return True


def _become(execution: Execution, status: int, told: int) -> None:
    """Become the program. If that fails, tell the supervisor why, and return when it has told the spawner."""
    status = fcntl.fcntl(status, fcntl.F_DUPFD_CLOEXEC, _OUT_OF_THE_WAY)
    told = fcntl.fcntl(told, fcntl.F_DUPFD_CLOEXEC, _OUT_OF_THE_WAY)
    given: List[int] = [fcntl.fcntl(one, fcntl.F_DUPFD_CLOEXEC, _OUT_OF_THE_WAY) for one in execution.descriptors]
    for number, one in enumerate(given, FIRST_DESCRIPTOR):
        os.dup2(one, number)
    # Python ignores some; and whoever has started httpd in the background may have ignored others.
    for number in range(1, signal.NSIG):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    try:
        os.execvpe(execution.arguments[0], execution.arguments, execution.environment)  # nosec B606  # a list of words
    except OSError as error:
        os.write(status, str(error.errno).encode())
        os.close(status)
        os.read(told, 1)
