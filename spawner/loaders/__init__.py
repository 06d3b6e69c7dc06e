"""What runs in the hosted apps' own interpreters: one folder for each language.

Copied into the instance folder beside `shared` (docs/protocol.md, section 9).
"""
