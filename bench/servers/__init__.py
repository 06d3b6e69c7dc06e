"""The servers that are measured, each behind an httpd of its own."""
