"""What httpd says to the spawner, and what is asked of httpd."""
