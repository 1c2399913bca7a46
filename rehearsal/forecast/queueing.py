"""Waiting times of a station with many servers, in closed form.

Erlang C gives the probability of waiting in M/M/k; the approximation of Allen and Cunneen extends the mean
wait to general arrivals and service: Wq = C(k, a) / (k mu - lambda) * (Ca^2 + Cs^2) / 2. Given a wait, its
tail is close to exponential (exact for M/M/k), which gives percentiles.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

_MAX_UTILIZATION = 0.999


def erlang_b(servers: int, load: float) -> float:
    """Return the blocking probability of M/M/k/k at an offered load in Erlang; stable for large k."""
    blocked = 1.0
    for k in range(1, servers + 1):
        blocked = load * blocked / (k + load * blocked)
    return blocked


def erlang_c(servers: int, load: float) -> float:
    """Return the probability that an arrival waits in M/M/k; 1 if the offered load is at least k."""
    if load >= servers:
        return 1.0
    blocked = erlang_b(servers, load)
    return servers * blocked / (servers - load * (1.0 - blocked))


@dataclass(frozen=True)
class Station:
    """A queueing station: servers and a rate of arrivals.

    `service` is the mean time of one visit in seconds, `variation` the squared coefficient of variation of
    that time; arrivals are Poisson unless `arrival_variation` is set.
    """

    servers: int
    rate: float
    service: float
    variation: float = 1.0
    arrival_variation: float = 1.0

    @property
    def utilization(self) -> float:
        """Return the offered load per server; above 1 the queue grows without bound."""
        return self.rate * self.service / self.servers if self.servers else math.inf

    @property
    def waiting_probability(self) -> float:
        """Probability that an arrival waits."""
        return erlang_c(self.servers, self._load)

    @property
    def mean_wait(self) -> float:
        """Mean time in the queue in seconds, of all arrivals."""
        return self.waiting_probability * self.mean_wait_if_waiting

    @property
    def mean_wait_if_waiting(self) -> float:
        """Mean time in the queue of those that wait."""
        free = self.servers - self._load
        return self.service / free * (self.arrival_variation + self.variation) / 2

    @property
    def _load(self) -> float:
        # A station beyond its capacity has a backlog instead, which the simulation carries over.
        return min(self.rate * self.service, self.servers * _MAX_UTILIZATION)

    def wait_percentile(self, percent: float) -> float:
        """The percentile of the time in the queue in seconds."""
        waiting, beyond = self.waiting_probability, 1.0 - percent / 100
        if waiting <= beyond:
            return 0.0
        return self.mean_wait_if_waiting * math.log(waiting / beyond)
