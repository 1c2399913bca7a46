"""The ASGI application of a process role: its routes and their middleware."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from starlette.types import ASGIApp

from app.accounts.endpoints import accounts, resets, sessions
from app.analytics.endpoints import analytics, events
from app.content.endpoints import contents, feed
from app.http import docs_page, openapi
from app.http.health import health
from app.http.router import Resource, Router
from app.http.routing import Access, Endpoint, Raw, RequestContext, Responder, Response, Routes
from app.media.endpoints import media, uploads
from app.middleware.admission import AdmissionMiddleware
from app.middleware.circuit_breaker import CircuitBreakerMiddleware
from app.middleware.coalescing import CoalescingMiddleware, InFlightRequests, InvalidateOnWriteMiddleware
from app.middleware.cors import with_cors
from app.middleware.response_cache import ResponseCacheMiddleware
from app.middleware.telemetry import TelemetryMiddleware
from app.orders.endpoints import orders, payments, products
from app.services import Services
from app.settings import ProcessRole

VERSION = "1.0.0"
PUBLIC: Sequence[Routes] = (
    contents,
    feed,
    uploads,
    media,
    sessions,
    accounts,
    resets,
    products,
    orders,
    payments,
    events,
    analytics,
)


def application(services: Services) -> ASGIApp:
    """Return the application for ``services.role``: probes and metrics, and for ``api`` also the API."""
    base = services.settings.public_url
    by_path: dict[str, dict[str, ASGIApp]] = {}
    in_flight = InFlightRequests()
    for endpoint in _endpoints([*PUBLIC, documentation(base)] if services.role is ProcessRole.API else []):
        handler: ASGIApp = _with_caching(Responder(endpoint, services), endpoint, services, in_flight)
        if not endpoint.cached:
            handler = CircuitBreakerMiddleware(handler, f"{endpoint.method} {endpoint.path}")
        admitted = AdmissionMiddleware(handler, endpoint, services)
        by_path.setdefault(endpoint.path, {})[endpoint.method] = admitted
    # Probes and scrapes must succeed under overload, so they bypass admission control.
    for endpoint in _endpoints([health]):
        by_path.setdefault(endpoint.path, {})[endpoint.method] = Responder(endpoint, services)
    paths = Router([Resource(path, by_method) for path, by_method in by_path.items()])
    protection = services.protection
    observed = TelemetryMiddleware(
        paths, base, protection.http_metrics, protection.error_groups, protection.load_report
    )
    return with_cors(observed, services.settings.cors_origins, base)


def _with_caching(
    app: ASGIApp, endpoint: Endpoint, services: Services, in_flight: InFlightRequests
) -> ASGIApp:
    """Wrap the application of a route in the response cache or in request coalescing, where applicable."""
    if endpoint.cache_policy is not None:
        return ResponseCacheMiddleware(app, endpoint.cache_policy, services.responses, endpoint.query)
    # Handlers that read through the shared cache are coalesced by it.
    if endpoint.access is not Access.SESSION or endpoint.streams or endpoint.cached:
        return app
    return (
        CoalescingMiddleware(app, in_flight)
        if endpoint.method == "GET"
        else InvalidateOnWriteMiddleware(app, in_flight)
    )


def _endpoints(parts: Sequence[Routes]) -> list[Endpoint]:
    return [endpoint for part in parts for endpoint in part.endpoints]


def documentation(base: str) -> Routes:
    """Return the routes of the OpenAPI document and the documentation page, rendered once at startup."""
    document = openapi.document(_endpoints(PUBLIC), base=base, version=VERSION)
    rendered, page = Raw(msgspec.json.encode(document)), Raw(docs_page.page(document))
    routes = Routes("", tag="description")
    one_hour = (b"cache-control", b"public, max-age=3600")

    @routes.get("/openapi.json", access=Access.ANYONE)
    async def machine_readable(context: RequestContext) -> Response[Raw]:
        return Response(rendered, headers=[one_hour])

    @routes.get("/docs", access=Access.ANYONE, media_type="text/html; charset=utf-8")
    async def readable(context: RequestContext) -> Response[Raw]:
        policy = (b"content-security-policy", docs_page.POLICY.encode())
        return Response(page, headers=[one_hour, policy])

    for name, (media_type, data) in docs_page.files().items():
        _add_file(routes, f"/docs/{name}", media_type, Raw(data))
    return routes


def _add_file(routes: Routes, path: str, media_type: str, data: Raw) -> None:
    @routes.get(path, access=Access.ANYONE, media_type=media_type)
    async def file(context: RequestContext) -> Response[Raw]:
        return Response(data, headers=[(b"cache-control", b"public, max-age=86400")])
