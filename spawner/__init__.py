"""The spawner: the daemon that starts, watches and restarts apps."""
