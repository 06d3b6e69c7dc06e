"""A worker that is wanted no more: it may go by itself, and is ended if it does not."""

from __future__ import annotations

import asyncio
import os
import subprocess

from spawner.processes.orphans import Orphan
from spawner.system import linux


def end_of(program: str, seconds: float) -> int:
    """How a process ends that is unwanted, and has so many seconds; its pidfd is closed then."""

    async def test() -> int:
        loop = asyncio.get_running_loop()
        with subprocess.Popen(["sh", "-c", program], stdin=subprocess.PIPE) as child:
            pidfd = linux.open_pidfd(child.pid)
            assert pidfd is not None
            Orphan(loop, child.pid, pidfd, seconds)
            assert child.stdin is not None
            child.stdin.close()
            while os.path.exists(f"/proc/self/fd/{pidfd}"):
                await asyncio.sleep(0.01)
            return child.wait()

    return asyncio.run(asyncio.wait_for(test(), 20))


def test_one_that_goes_by_itself_is_not_killed() -> None:
    assert end_of("read line; exit 7", 60) == 7


def test_one_that_stays_is_killed() -> None:
    assert end_of("sleep 60", 0.05) == -9
