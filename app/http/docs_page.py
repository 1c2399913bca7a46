"""The documentation page: plain HTML made from the OpenAPI document, with nothing to fetch from elsewhere."""

from __future__ import annotations

from html import escape
from typing import Any, Final

from app.http.problems import KINDS

# No script and no foreign source: the page cannot be made to do anything.
POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"

_STYLE: Final = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
code { font: 0.9em ui-monospace, monospace; }
section { border-top: 1px solid #8886; padding: 0.5rem 0; }
.method { display: inline-block; min-width: 4.5rem; font-weight: 600; }
table { border-collapse: collapse; }
td { padding: 0.1rem 1rem 0.1rem 0; vertical-align: top; }
"""


def page(document: dict[str, Any]) -> bytes:
    """The page of an OpenAPI document."""
    operations = "".join(
        _operation(path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    )
    schemas = "".join(_schema(name, schema) for name, schema in document["components"]["schemas"].items())
    kinds = "".join(
        f'<tr id="{kind.slug}"><td><code>{kind.slug}</code><td>{kind.status}<td>{escape(kind.title)}'
        for kind in KINDS
    )
    title = escape(document["info"]["title"])
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width">'
        f"<style>{_STYLE}</style><h1>{title}</h1><p>{escape(document['info']['description'])} "
        'For machines: <a href="/openapi.json">OpenAPI 3.1</a>.</p>'
        f"<h2>Operations</h2>{operations}<h2>Types</h2>{schemas}"
        "<h2>Problems</h2><p>Every error is <code>application/problem+json</code> (RFC 9457); its "
        f"<code>type</code> leads here.</p><table>{kinds}</table></html>"
    ).encode()


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{status}<td>{escape(answer['description'])}<td>{_content(answer)}"
        for status, answer in sorted(operation["responses"].items())
    )
    body = operation.get("requestBody")
    takes = f"<p>Takes {_content(body)}.</p>" if body else ""
    parameters = ", ".join(
        f"<code>{escape(parameter['name'])}</code> ({parameter['in']})"
        for parameter in operation["parameters"]
    )
    return (
        f'<section id="{operation["operationId"]}"><h3><span class="method">{method.upper()}</span>'
        f"<code>{escape(path)}</code></h3><p>{escape(operation['summary'])} "
        f"{escape(operation.get('description', ''))}"
        f"{' Needs a session.' if 'security' in operation else ''}</p>"
        f"{f'<p>Parameters: {parameters}.</p>' if parameters else ''}{takes}<table>{rows}</table></section>"
    )


def _content(message: dict[str, Any]) -> str:
    return ", ".join(
        f"<code>{escape(media_type)}</code> {_type(content.get('schema', {}))}"
        for media_type, content in message.get("content", {}).items()
    )


def _schema(name: str, schema: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(member)}</code><td>{_type(value)}<td>{escape(value.get('description', ''))}"
        for member, value in schema.get("properties", {}).items()
    )
    return (
        f'<section id="{escape(name)}"><h3>{escape(name)}</h3>'
        f"<p>{escape(schema.get('description', ''))}</p><table>{rows}</table></section>"
    )


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_type(option) for option in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if "enum" in schema:
        return " or ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    words = str(schema.get("format", schema.get("type", "")))
    bounds = [
        f"{key} {schema[key]}" for key in ("minLength", "maxLength", "minimum", "maximum") if key in schema
    ]
    return escape(", ".join([words, *bounds]))
