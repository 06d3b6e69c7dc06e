"""What is told of errors and of the process: the app's log, error pages, `failed`, stacks, the process's title."""
