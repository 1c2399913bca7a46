"""What is limited, and to how much."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Rule:
    """``limit`` requests in any ``window`` seconds, wherever they begin: exactly that, never one more.

    A request counts for the window and at most a twentieth of it longer, as it is counted in slices.

    ``lease``: how many a pod takes out of Redis in one go at most, to spend without asking again; 1 asks
    every time. A lease is as large as what the pod lately spent of one. What is leased counts from then on;
    but leases taken before a window can be spent in it, so one window can see up to ``pods * lease`` more
    than the limit. A lease lapses after its share of the window (at least a second), and what is left of it
    is given back with the next question.

    ``blind``: what one pod allows in a window by itself while Redis is gone.
    """

    name: str
    limit: int
    window: float
    blind: int
    lease: int = 1
    told: tuple[bytes, bytes] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        assert self.limit > 0, "a rule allows something"
        assert self.window > 0, "a window has a length"
        assert 1 <= self.lease <= self.limit, "a lease is part of the limit"
        assert 1 <= self.blind <= self.limit, "without Redis a pod allows something, and no more than with it"
        # What clients are told of it, written once: its name, and its name with the quota and the window.
        name = b'"%s"' % self.name.encode()
        object.__setattr__(self, "told", (name, b"%s;q=%d;w=%d" % (name, self.limit, self.window)))

    @property
    def lapse(self) -> float:
        """Seconds after which an unspent lease is void."""
        return max(1.0, self.window / self.limit * self.lease)
