"""Middleware as plain ASGI classes.

Starlette's ``BaseHTTPMiddleware`` is not used: it starts a task and two streams per request.
"""
