"""The loader of Python apps: standard library only, CPython 3.6 to 3.14 and PyPy.

`start.py` is the program; docs/protocol.md, sections 1 to 6, says what it owes to the spawner and to httpd.
"""
