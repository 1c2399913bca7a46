"""Jobs through Redis: priorities, delays, retries, dead letters; at least once, never lost with a worker."""

from app.queue.consumer import Consumer
from app.queue.jobs import DeadLetter, Ending, Job, Lease, Outcome, Priority, Retry
from app.queue.queue import Queue, QueueFull
from app.queue.tasks import Nothing, Tasks

__all__ = [
    "Consumer",
    "DeadLetter",
    "Ending",
    "Job",
    "Lease",
    "Nothing",
    "Outcome",
    "Priority",
    "Queue",
    "QueueFull",
    "Retry",
    "Tasks",
]
