"""`GET /` at the local edge: a page that links to what the platform serves on this machine."""

from __future__ import annotations

from html import escape
from typing import Final

from rehearsal.host.envoy import response_cache
from rehearsal.host.envoy.process import Resource, typed

DASHBOARD_OFFSET: Final = 1  # the dashboard's default port is the edge's, plus one
_FILTER_CONFIG: Final = "envoy.config.route.v3.FilterConfig"
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"


def add_start_page(routes: Resource, edge_port: int, web_app: str = "") -> None:
    """Serve `GET /` before all declared routes; elsewhere the zone's firewall rejects the path.

    `web_app` is the path of the local web app, "" for none.
    """
    off = typed(_FILTER_CONFIG, disabled=True)
    routes["virtual_hosts"][0]["routes"].insert(
        0,
        {
            "match": {"path": "/", "headers": [{"name": ":method", "string_match": {"exact": "GET"}}]},
            "direct_response": {
                "status": 200,
                "body": {"inline_string": page(edge_port, web_app)},
            },
            "response_headers_to_add": [
                {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
                for key, value in (
                    ("content-type", "text/html; charset=utf-8"),
                    ("content-security-policy", _POLICY),
                    ("cache-control", "no-store"),
                )
            ],
            "typed_per_filter_config": {**response_cache.disabled(), "firewall": off},
        },
    )


def page(edge_port: int, web_app: str) -> str:
    """Return the page as HTML."""
    links = [
        ("/docs", "API documentation"),
        ("/openapi.json", "OpenAPI document"),
        *([(f"{web_app}/", "Web app")] if web_app else []),
        (f"http://localhost:{edge_port + DASHBOARD_OFFSET}/", "Dashboard"),
    ]
    items = "".join(f'<li><a href="{escape(url)}">{escape(text)}</a></li>' for url, text in links)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><title>Kingdom on this machine</title>'
        "<style>body{font:16px/1.6 system-ui,sans-serif;margin:3rem auto;max-width:32rem;padding:0 1rem}"
        "</style>"
        f"</head><body><main><h1>Kingdom on this machine</h1><ul>{items}</ul>"
        "<p>The dashboard runs after <code>kingdom dashboard</code>.</p></main></body></html>"
    )
