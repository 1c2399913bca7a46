"""Living with what is outside: breakers, retries with budgets, bulkheads, deadlines."""

from app.resilience.breaker import Breaker, BreakerOpen
from app.resilience.bulkhead import Bulkhead, BulkheadFull
from app.resilience.deadline import deadline, deadline_at, remaining, reset_deadline, set_deadline
from app.resilience.deadline_watchdog import Watch
from app.resilience.retry import Budget, retry

__all__ = [
    "Breaker",
    "BreakerOpen",
    "Budget",
    "Bulkhead",
    "BulkheadFull",
    "Watch",
    "deadline",
    "deadline_at",
    "remaining",
    "reset_deadline",
    "retry",
    "set_deadline",
]
