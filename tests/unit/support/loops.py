"""A loop with a reaper, for tests of what starts programs."""

from __future__ import annotations

import asyncio
import signal
from typing import Awaitable, Callable, Optional

from spawner.processes.helper_process import HelperProcesses
from spawner.processes.reaper import Reaper
from spawner.system.process_limits import InheritedLimits, current_limits

DEADLINE = 20.0  # seconds; the machine may be busy


def run_with_helper_processes(
    test: Callable[[HelperProcesses], Awaitable[None]], limits: Optional[InheritedLimits] = None
) -> None:
    """Run a test on a loop on which the ends of programs are noticed."""

    async def main() -> None:
        loop, reaper = asyncio.get_running_loop(), Reaper()
        loop.add_signal_handler(signal.SIGCHLD, reaper.collect)
        processes = HelperProcesses(loop, reaper, limits or current_limits())
        try:
            await test(processes)
        finally:
            processes.close()
            loop.remove_signal_handler(signal.SIGCHLD)

    asyncio.run(main())


async def until(condition: Callable[[], object], what: str) -> None:
    """Wait until the condition is true."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + DEADLINE
    while not condition():
        assert loop.time() < deadline, "not in time: %s" % what
        await asyncio.sleep(0.01)
