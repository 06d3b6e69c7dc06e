"""Not a Python file."""

def application(
