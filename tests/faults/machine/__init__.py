"""Ways to break something on this machine without harm to anything but the server under test."""
