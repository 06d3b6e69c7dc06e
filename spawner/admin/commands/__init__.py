"""What the admin socket does on demand: one object per command (docs/protocol.md, section 8)."""
