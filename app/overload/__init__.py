"""How much a pod takes on at once, and who goes first when it is too much."""

from app.resilience.concurrency_limiter import Gate, Overloaded
from app.resilience.priority import Urgency

__all__ = ["Gate", "Overloaded", "Urgency"]
