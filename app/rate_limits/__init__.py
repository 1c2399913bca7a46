"""Rate limits: per account, address and route decided together, on Redis' clock, mostly without asking it."""

from app.rate_limits.limiter import Decision, Demand, Limiter, Mode
from app.rate_limits.rules import Rule

__all__ = ["Decision", "Demand", "Limiter", "Mode", "Rule"]
