"""Rate limits: per account, address and route decided together, on Redis' clock, mostly without asking it."""

from app.limits.limiter import Decision, Demand, Limiter, Mode
from app.limits.rules import Rule

__all__ = ["Decision", "Demand", "Limiter", "Mode", "Rule"]
