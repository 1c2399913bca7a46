"""Bare web frameworks that the service is compared with, and the HTTP client that loads them."""
