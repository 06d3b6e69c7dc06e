"""What an app may have done at import that is awkward for those who fork it; runs in the app's own processes."""
