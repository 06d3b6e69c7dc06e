"""What a fork may not share: found while the app is imported, warned of, and mended where the loader can do it."""
