"""What stands around every request, as plain ASGI classes.

They are not Starlette's ``BaseHTTPMiddleware``, which starts a task and two streams a request.
"""
