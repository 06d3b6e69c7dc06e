"""The admin socket and its commands."""
