"""Random faults: what is done to a server, what the spawner says of it, and what must hold afterwards."""
