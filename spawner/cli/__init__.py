"""The commands: they talk to a running spawner through its admin socket only."""
