"""What the operating system offers and limits."""
