"""The commands, one file for each. They know the spawner by its admin socket only."""
