"""The process and its lines to the spawner and to httpd: control line, listening sockets, scoreboard, signals."""
