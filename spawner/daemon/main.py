"""The main function of the spawner's process: the shared object calls it when it has started the interpreter."""

from __future__ import annotations

import asyncio
import faulthandler
import signal
import traceback

from spawner.daemon.daemon import Daemon
from spawner.errors import JumpseatError, OperatorError
from spawner.httpd.parent_line import StartParameters
from spawner.logs.log import Log
from spawner.system import interruptible_calls, linux, process_limits

_STANDARD_ERROR = 2
EXIT_OK = 0
EXIT_DEFECT = 70  # EX_SOFTWARE: a defect of ours, starting again may help
EXIT_CONFIGURATION = 78  # EX_CONFIG: starting again does not help before something is mended


def main(parameters: bytes) -> int:
    """Run the spawner until httpd ends.

    :param parameters: one netstring message (docs/protocol.md, section 4).
    :returns: the exit status: EXIT_OK, EXIT_CONFIGURATION (the log says what is wrong) or EXIT_DEFECT.
    """
    log = Log()
    try:
        linux.become_subreaper()
        linux.set_process_name("jumpseat")
        faulthandler.enable(file=_STANDARD_ERROR)  # shows where it was at a crash, or at httpd's SIGABRT when it hangs
        _reset_signals()
        interruptible_calls.allow_interrupts()
        return asyncio.run(_run(StartParameters.decode(parameters), log))
    except OperatorError as error:
        log.crit(3050, "the spawner cannot run: %s" % error)
        return EXIT_CONFIGURATION
    except JumpseatError as error:
        log.crit(3051, "the spawner ends because of an error: %s: %s" % (type(error).__name__, error))
        return EXIT_DEFECT
    except Exception:  # noqa: BLE001 - the outermost boundary: the log gets the traceback, and httpd starts the next spawner
        log.crit(3052, "the spawner has a defect:\n%s" % traceback.format_exc().rstrip())
        return EXIT_DEFECT
    finally:
        log.close()


async def _run(parameters: StartParameters, log: Log) -> int:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: _log_defect(log, context))
    await Daemon(loop, parameters, log, process_limits.raise_own_limits()).run()
    return EXIT_OK


def _log_defect(log: Log, context: "dict[str, object]") -> None:
    """A callback of the loop failed: the others go on."""
    error = context.get("exception")
    text = str(context.get("message"))
    if isinstance(error, BaseException):
        text += "\n" + "".join(traceback.format_exception(type(error), error, error.__traceback__)).rstrip()
    log.error(3053, "a defect of the spawner: %s" % text)


def _reset_signals() -> None:
    """Undo what httpd blocks and ignores: the apps would inherit it."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH):
        signal.signal(number, signal.SIG_DFL)
