"""Priority classes: higher classes have the whole limit, lower ones less."""

from __future__ import annotations

from app.resilience.priority import RequestPriority


def test_share_of_the_limit_decreases_with_the_priority() -> None:
    shares = [priority.share for priority in RequestPriority]
    assert shares == sorted(shares, reverse=True)
    assert RequestPriority.CRITICAL.share == 1.0
    assert 0 < RequestPriority.BULK.share < RequestPriority.WRITE.share < RequestPriority.READ.share < 1.0
