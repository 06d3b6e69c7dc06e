"""A WSGI app and one request to it (PEP 3333): load the app, read the request, call the app, send the response."""
