"""Bare web frameworks as peers of the service, and the HTTP client that sends the load."""
