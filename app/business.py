"""What the business is asked about: people, what they make and look at, and what they pay (MON3)."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter

contents_published: Final = Counter("kingdom_contents_published_total", "Pieces of content published.")
contents_viewed: Final = Counter("kingdom_contents_viewed_total", "Published pieces read one by one.")
