"""What visitors and developers are shown when an app does not start."""
