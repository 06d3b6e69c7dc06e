"""What httpd sends to the spawner, its parent and its children; and PassengerPreStart, which is sent to httpd."""
