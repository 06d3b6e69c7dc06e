"""The loaders, run as real processes under every interpreter of this machine."""
