"""What runs in a hosted app's own interpreter: standard library only, CPython 3.6 to 3.14 and PyPy.

`start.py` is the program; `wire` is also the spawner's codec. See docs/protocol.md, sections 1 to 6.
"""
