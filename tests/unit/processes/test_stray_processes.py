"""A worker that was forked for a cancelled start: it may end by itself, and is killed if it does not."""

from __future__ import annotations

import asyncio
import os
import subprocess

from spawner.processes.stray_processes import StrayWorker
from spawner.system import linux


def end_of(program: str, timeout: float) -> int:
    """How a stray worker ends that has so many seconds; its pidfd is closed then."""

    async def test() -> int:
        loop = asyncio.get_running_loop()
        with subprocess.Popen(["sh", "-c", program], stdin=subprocess.PIPE) as child:
            pidfd = linux.open_pidfd(child.pid)
            assert pidfd is not None
            StrayWorker(loop, child.pid, pidfd, timeout)
            assert child.stdin is not None
            child.stdin.close()
            while os.path.exists(f"/proc/self/fd/{pidfd}"):
                await asyncio.sleep(0.01)
            return child.wait()

    return asyncio.run(asyncio.wait_for(test(), 20))


def test_one_that_ends_by_itself_is_not_killed() -> None:
    assert end_of("read line; exit 7", 60) == 7


def test_one_that_does_not_end_is_killed() -> None:
    assert end_of("sleep 60", 0.05) == -9
