"""The loader of programs, in whatever language: each becomes the process that the spawner has started, and a small
supervisor beside it keeps the control line. Standard library only, CPython 3.6 and newer.

docs/decisions/030-programs.md says why it is so.
"""
