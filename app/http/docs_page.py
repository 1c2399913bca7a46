"""The documentation page: Swagger UI for the OpenAPI document, and the list of problem types.

The files of Swagger UI come from a Python package and are served by the service itself, so the content
security policy allows no other origin. The list of problem types, which the ``type`` of every error links to,
is plain HTML and needs no JavaScript.
"""

from __future__ import annotations

import importlib.metadata
from html import escape
from typing import Any, Final

from app.http.problems import PROBLEM_TYPES

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_PACKAGE: Final = "fastapi-swagger"
_FILES: Final = {
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "swagger-ui.css": "text/css; charset=utf-8",
}
_START: Final = """window.ui = SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#api",
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  tryItOutEnabled: false,
  persistAuthorization: false,
  validatorUrl: null,
});
"""
_STYLE: Final = """
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 1460px; margin: 0 auto; padding: 0 20px 3rem; }
table { border-collapse: collapse; width: 100%; }
td { padding: 0.2rem 1rem 0.2rem 0; vertical-align: top; border-top: 1px solid #8886; }
code { font: 0.9em ui-monospace, monospace; overflow-wrap: anywhere; }
@media (max-width: 600px) {
  .swagger-ui .opblock .opblock-summary { flex-wrap: wrap; }
  .swagger-ui .opblock .opblock-summary-description { flex-basis: 100%; }
}
"""


def page(document: dict[str, Any]) -> bytes:
    """Return the HTML page for an OpenAPI document."""
    kinds = "".join(
        f'<tr id="{kind.slug}"><td><code>{kind.slug}</code><td>{kind.status}<td>{escape(kind.title)}'
        for kind in PROBLEM_TYPES
    )
    title = escape(document["info"]["title"])
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="stylesheet" href="/docs/swagger-ui.css"><style>{_STYLE}</style>'
        '<div id="api"></div>'
        f'<main><noscript><h1>{title}</h1><p>The operations: <a href="/openapi.json">OpenAPI 3.1</a>.</p>'
        "</noscript><h2>Problems</h2><p>Every error is <code>application/problem+json</code> (RFC 9457); its "
        f"<code>type</code> links to this list.</p><table>{kinds}</table></main>"
        '<script src="/docs/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script></html>'
    ).encode()


def files() -> dict[str, tuple[str, bytes]]:
    """Return the media type and the content of each file of the page, by its name below ``/docs``."""
    found = {"start.js": ("text/javascript; charset=utf-8", _START.encode())}
    for path in importlib.metadata.files(_PACKAGE) or []:
        if path.name in _FILES:
            found[path.name] = _FILES[path.name], path.read_binary()
    missing = set(_FILES) - set(found)
    assert not missing, f"the package {_PACKAGE} has no {', '.join(sorted(missing))}"
    return found
