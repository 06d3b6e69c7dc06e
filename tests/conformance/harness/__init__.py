"""What the tests of the loaders use: the control protocol, a client that speaks to workers."""
