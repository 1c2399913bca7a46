"""Jobs through Redis: priorities, delays, retries, dead letters; at least once, never lost with a worker."""

from app.queue.consumer import Consumer
from app.queue.jobs import Job, Lease, Priority, Retry
from app.queue.queue import Queue, QueueFull
from app.queue.tasks import Tasks

__all__ = ["Consumer", "Job", "Lease", "Priority", "Queue", "QueueFull", "Retry", "Tasks"]
