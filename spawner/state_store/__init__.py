"""The instance folder, and what outlives the spawner."""
