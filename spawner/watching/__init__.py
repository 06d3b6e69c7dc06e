"""What the spawner checks from time to time: restart files, scoreboards, memory."""
