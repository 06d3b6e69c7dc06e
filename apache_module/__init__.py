"""What runs inside httpd: the option table, the C sources, and what builds them into `mod_passenger.so`."""
