"""What the tests of the loaders stand on: interpreters, the control protocol, a client that speaks to workers."""
