"""The instance folder, and the store of what outlives the spawner."""
