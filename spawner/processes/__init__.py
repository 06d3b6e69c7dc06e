"""Processes of apps, hooks and helpers as the operating system has them: their start, their messages, their end."""
