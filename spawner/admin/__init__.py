"""The admin socket and its commands (docs/protocol.md, section 8)."""
