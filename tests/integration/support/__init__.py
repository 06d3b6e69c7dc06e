"""The harness of the integration tests: a private httpd, clients, apps, and the checks after each test."""
