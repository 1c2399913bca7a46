"""The ASGI application of a role: routes, and what stands around them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from starlette.types import ASGIApp

from app.accounts.endpoints import accounts, resets, sessions
from app.analytics.endpoints import analytics, events
from app.content.endpoints import contents, feed
from app.http import docs_page, openapi
from app.http.health import health
from app.http.router import Paths, Resource
from app.http.routing import Access, Answer, Call, Endpoint, Raw, Responder, Routes
from app.media.endpoints import media, uploads
from app.middleware.admission import AdmissionMiddleware
from app.middleware.circuit_breaker import CircuitBreakerMiddleware
from app.middleware.coalescing import CoalescingMiddleware, InFlightRequests, InvalidateOnWriteMiddleware
from app.middleware.cors import with_cors
from app.middleware.response_cache import ResponseCacheMiddleware
from app.middleware.security_headers import SecurityHeadersMiddleware
from app.middleware.telemetry import TelemetryMiddleware
from app.orders.endpoints import orders, payments, products
from app.services import Services
from app.settings import Role

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
    """The application of ``services.role``; every role has probes and metrics, only ``api`` has the rest."""
    base = services.settings.public_url
    by_path: dict[str, dict[str, ASGIApp]] = {}
    in_flight = InFlightRequests()
    for endpoint in _endpoints([*PUBLIC, described(base)] if services.role is Role.API else []):
        answering: ASGIApp = _relieved(Responder(endpoint, services), endpoint, services, in_flight)
        if not endpoint.shared:
            answering = CircuitBreakerMiddleware(answering, f"{endpoint.method} {endpoint.path}")
        admitted = AdmissionMiddleware(answering, endpoint, services)
        by_path.setdefault(endpoint.path, {})[endpoint.method] = admitted
    # Probes and scrapes must get through when nothing else does, so nothing stands in front of them.
    for endpoint in _endpoints([health]):
        by_path.setdefault(endpoint.path, {})[endpoint.method] = Responder(endpoint, services)
    paths = Paths([Resource(path, by_method) for path, by_method in by_path.items()])
    engine = services.engine
    observed = TelemetryMiddleware(paths, base, engine.http_metrics, engine.error_groups, engine.load_report)
    return with_cors(SecurityHeadersMiddleware(observed), services.settings.cors_origins, base)


def _relieved(app: ASGIApp, endpoint: Endpoint, services: Services, in_flight: InFlightRequests) -> ASGIApp:
    """With what spares the route work around it, inside of who may ask."""
    if endpoint.kept is not None:
        return ResponseCacheMiddleware(app, endpoint.kept, services.responses, endpoint.query)
    # What a cache answers is shared there already.
    if endpoint.access is not Access.SESSION or endpoint.streams or endpoint.shared:
        return app
    return (
        CoalescingMiddleware(app, in_flight)
        if endpoint.method == "GET"
        else InvalidateOnWriteMiddleware(app, in_flight)
    )


def _endpoints(parts: Sequence[Routes]) -> list[Endpoint]:
    return [endpoint for part in parts for endpoint in part.endpoints]


def described(base: str) -> Routes:
    """The routes of the service's own description, rendered once."""
    document = openapi.document(_endpoints(PUBLIC), base=base, version=VERSION)
    rendered, page = Raw(msgspec.json.encode(document)), Raw(docs_page.page(document))
    routes = Routes("", tag="description")
    for_an_hour = (b"cache-control", b"public, max-age=3600")

    @routes.get("/openapi.json", access=Access.ANYONE)
    async def machine_readable(call: Call) -> Answer[Raw]:
        return Answer(rendered, headers=[for_an_hour])

    @routes.get("/docs", access=Access.ANYONE, media_type="text/html; charset=utf-8")
    async def readable(call: Call) -> Answer[Raw]:
        policy = (b"content-security-policy", docs_page.POLICY.encode())
        return Answer(page, headers=[for_an_hour, policy])

    for name, (media_type, data) in docs_page.files().items():
        _add_file(routes, f"/docs/{name}", media_type, Raw(data))
    return routes


def _add_file(routes: Routes, path: str, media_type: str, data: Raw) -> None:
    @routes.get(path, access=Access.ANYONE, media_type=media_type)
    async def file(call: Call) -> Answer[Raw]:
        return Answer(data, headers=[(b"cache-control", b"public, max-age=86400")])
