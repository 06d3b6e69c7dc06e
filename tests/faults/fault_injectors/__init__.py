"""Faults that tests cause: in the server under test alone, never elsewhere on this machine."""
