"""Living with what is outside: breakers, retries with budgets, bulkheads, deadlines."""

from app.resilience.breaker import Breaker, BreakerOpen
from app.resilience.bulkhead import Bulkhead, BulkheadFull
from app.resilience.deadline import deadline, remaining
from app.resilience.retry import Budget, retry

__all__ = ["Breaker", "BreakerOpen", "Budget", "Bulkhead", "BulkheadFull", "deadline", "remaining", "retry"]
