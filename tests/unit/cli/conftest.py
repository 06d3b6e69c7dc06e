"""A registry folder with instances in it, each answering at a real admin socket."""

from __future__ import annotations

import copy
import json
import tempfile
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from instance_registry import Registry

ANSWER: dict[str, Any] = {
    "ok": True,
    "schema": 1,
    "instance": {
        "name": "httpd-1",
        "version": "0.1.0",
        "httpd_pid": 1,
        "spawner_pid": 4321,
        "server_root": "/etc/apache2",
        "server_software": "Apache/2.4.71 (Debian)",
        "started": 1790000000.0,
        "epoch": 1,
    },
    "pool": {"max_pool_size": 6, "workers": 1, "groups": 1},
    "groups": [
        {
            "name": "/var/www/shop (production)",
            "app_root": "/var/www/shop",
            "app_type": "wsgi",
            "startup_file": "passenger_wsgi.py",
            "environment": "production",
            "server_name": "shop.example",
            "base_uri": "",
            "spawn_method": "smart",
            "user": "shop",
            "state": "serving",
            "generation": 4,
            "next_generation": None,
            "target": 1,
            "requests_waiting": False,
            "failure": None,
            "processes": [
                {
                    "process_id": 1,
                    "pid": 777,
                    "kind": "preloader",
                    "state": "ready",
                    "generation": 4,
                    "slot": None,
                    "requests": 0,
                    "busy": False,
                    "uptime": 3720.0,
                    "idle": 3600.0,
                    "cpu_percent": 0.1,
                    "memory": {"rss": 31457280, "pss": 15728640, "uss": 1048576},
                },
                {
                    "process_id": 2,
                    "pid": 778,
                    "kind": "worker",
                    "state": "serving",
                    "generation": 4,
                    "slot": 0,
                    "requests": 812,
                    "busy": True,
                    "uptime": 62.0,
                    "idle": 0.0,
                    "cpu_percent": None,
                    "memory": None,
                },
            ],
        }
    ],
}


@pytest.fixture
def answer() -> dict[str, Any]:
    """What an instance says by default, to be changed by the test."""
    return copy.deepcopy(ANSWER)


@pytest.fixture
def registry() -> Iterator[Registry]:
    """An empty registry folder."""
    with tempfile.TemporaryDirectory(prefix="js-") as folder:
        made = Registry(Path(folder))
        yield made
        made.close()


@pytest.fixture
def as_line() -> Callable[[dict[str, Any]], bytes]:
    """Turns an answer into what goes over the socket."""
    return lambda answer: json.dumps(answer).encode() + b"\n"
