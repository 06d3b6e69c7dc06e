"""The daemon: the loop, what it does for the pool, start, recovery, shutdown. The only place that knows everybody."""
