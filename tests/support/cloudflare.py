"""Cloudflare's rules language, evaluated for one request."""

from __future__ import annotations

import re
from collections.abc import Mapping

from rehearsal.host.envoy.cloudflare_expressions import Matcher, alternatives


def holds(expression: str, request: Mapping[str, str]) -> bool:
    """Whether an expression matches a request, given as headers with `:method` and `:path`."""
    return any(all(_matches(matcher, request) for matcher in one) for one in alternatives(expression))


def _matches(matcher: Matcher, request: Mapping[str, str]) -> bool:
    pattern = matcher["string_match"]["safe_regex"]["regex"]
    matched = re.fullmatch(pattern, request.get(matcher["name"], "")) is not None
    return matched != matcher.get("invert_match", False)
