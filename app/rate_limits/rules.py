"""Definition of a rate limit."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Rule:
    """At most ``limit`` requests in any window of ``window`` seconds, wherever it begins.

    A request counts for the window and up to a twentieth of it longer, because requests are counted in
    slices.

    ``lease`` is the maximum number of tokens that a pod takes from Redis in one call, to spend without
    further calls; 1 calls Redis for every request. A lease is as large as the pod's recent consumption.
    Leased tokens count immediately, but tokens leased before a window may be spent in it, so one window can
    see up to ``pods * lease`` requests more than the limit. A lease expires after its share of the window (at
    least a second), and its unspent tokens are returned with the next call.

    ``local_limit`` is the number of requests that one pod allows per window while Redis is unavailable.
    """

    name: str
    limit: int
    window: float
    local_limit: int
    lease: int = 1
    header_values: tuple[bytes, bytes] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        assert self.limit > 0, "limit must be positive"
        assert self.window > 0, "window must be positive"
        assert 1 <= self.lease <= self.limit, "lease must be between 1 and limit"
        assert 1 <= self.local_limit <= self.limit, "local_limit must be between 1 and limit"
        # Header values, built once: the name, and the name with quota and window.
        name = b'"%s"' % self.name.encode()
        object.__setattr__(self, "header_values", (name, b"%s;q=%d;w=%d" % (name, self.limit, self.window)))

    @property
    def lease_seconds(self) -> float:
        """Seconds after which unspent tokens of a lease expire."""
        return max(1.0, self.window / self.limit * self.lease)
