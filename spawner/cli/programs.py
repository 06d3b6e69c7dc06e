"""Every program that is installed, by its name."""

from __future__ import annotations

import click

from spawner.cli.main import jumpseat
from spawner.cli.passenger.config import passenger_config
from spawner.cli.passenger.main import passenger
from spawner.cli.passenger.memory_stats import passenger_memory_stats
from spawner.cli.passenger.status import passenger_status

PROGRAMS: dict[str, click.Command] = {
    "jumpseat": jumpseat,
    "passenger": passenger,
    "passenger-config": passenger_config,
    "passenger-memory-stats": passenger_memory_stats,
    "passenger-status": passenger_status,
}
