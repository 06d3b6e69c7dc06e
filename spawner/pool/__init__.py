"""What runs and what is to run: every decision, without clock, socket or signal."""
