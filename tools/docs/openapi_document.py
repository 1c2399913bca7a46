"""`mobile/openapi.json`: the service's OpenAPI document; the mobile client's types are generated from it."""

import json

from app.application import PUBLIC
from app.http import openapi


def openapi_document() -> str:
    """The document as the text of its file. Base and version are constants: a release changes no client."""
    endpoints = [endpoint for part in PUBLIC for endpoint in part.endpoints]
    document = openapi.document(endpoints, base="/", version="1")
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
