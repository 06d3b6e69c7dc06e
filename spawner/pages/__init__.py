"""What is answered for an app that does not start."""
