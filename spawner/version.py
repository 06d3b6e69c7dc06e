"""The version, in this one place: setup.py reads it from here."""

VERSION = "0.1.0"
