"""What is looked at again and again: restart files, scoreboards, memory."""
