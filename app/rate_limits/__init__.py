"""Rate limits per account, client address and route class, decided together on Redis' clock."""

from app.rate_limits.limiter import ApplicableLimits, Decision, DecisionMode, Limiter
from app.rate_limits.rules import Rule

__all__ = ["ApplicableLimits", "Decision", "DecisionMode", "Limiter", "Rule"]
