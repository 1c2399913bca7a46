"""Cloudflare."""

from __future__ import annotations

from typing import ClassVar

from rehearsal.clouds import difference
from rehearsal.clouds.provider import Cloud

_FIXED = difference.patterns("zoneId", "accountId")


class Cloudflare(Cloud):
    package: ClassVar[str] = "cloudflare"

    def fixed(self, token: str) -> frozenset[difference.Pattern]:
        return _FIXED
