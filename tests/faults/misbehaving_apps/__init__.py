"""What an app may do at import that makes a fork of its process dangerous. It runs in the app's own processes."""
