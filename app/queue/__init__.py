"""Job queue on Redis with priorities, delays, retries and dead letters. Delivery is at least once."""

from app.queue.consumer import Consumer
from app.queue.jobs import DeadLetter, Job, JobResult, Lease, Outcome, Priority, RetryLater
from app.queue.queue import Queue, QueueFull
from app.queue.tasks import EmptyBody, Tasks

__all__ = [
    "Consumer",
    "DeadLetter",
    "EmptyBody",
    "Job",
    "JobResult",
    "Lease",
    "Outcome",
    "Priority",
    "Queue",
    "QueueFull",
    "RetryLater",
    "Tasks",
]
