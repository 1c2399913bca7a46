"""Resilience primitives: circuit breaker, retries with a budget, bulkhead, deadlines."""

from app.resilience.breaker import Breaker, BreakerOpen
from app.resilience.bulkhead import Bulkhead, BulkheadFull
from app.resilience.deadline import deadline, deadline_at, remaining, reset_deadline, set_deadline
from app.resilience.deadline_watchdog import DeadlineWatchdog
from app.resilience.retry import RetryBudget, retry

__all__ = [
    "Breaker",
    "BreakerOpen",
    "Bulkhead",
    "BulkheadFull",
    "DeadlineWatchdog",
    "RetryBudget",
    "deadline",
    "deadline_at",
    "remaining",
    "reset_deadline",
    "retry",
    "set_deadline",
]
