"""What a spawner holds that has its configuration and no app: the measure for leaks of every other one."""

from __future__ import annotations

import functools
from typing import Counter

from support.descriptors import open_descriptors
from support.httpd import Httpd

CONFIGURED = "configuration 1 is in force"


@functools.lru_cache(maxsize=None)
def idle_spawner_descriptors(product: str) -> Counter[str]:
    """The descriptors, by kind, of the spawner of a server that nobody asks for anything; found once."""
    server = Httpd(product)
    try:
        server.start()
        server.logs.wait_for(CONFIGURED)
        found = open_descriptors(server.spawner_pid(), ignored_folder=str(server.logs.folder))
        server.stop()
        return found
    finally:
        server.clean_up()
