"""Where lines go: the spawner's own, and what apps print."""
