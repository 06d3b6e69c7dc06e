"""What the spawner and the loaders both use: standard library only, CPython 3.6 to 3.14 and PyPy.

Copied into the instance folder beside the loaders (docs/protocol.md, section 9). Modules in here import each other
relatively and nothing else of the spawner.
"""
