"""How a worker runs the app: one request at a time, several in threads, or work between requests."""
