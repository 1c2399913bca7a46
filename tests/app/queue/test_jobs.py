"""Data types of the queue."""

from __future__ import annotations

import math

from app.queue.jobs import Job, JobResult, Lease, Outcome, Priority, RetryLater


def test_retry_counts_as_an_attempt_with_default_backoff_unless_specified() -> None:
    default = RetryLater("unavailable")
    assert (str(default), default.after, default.counts) == ("unavailable", None, True)
    postponed = RetryLater("unavailable", 3.0, counts=False)
    assert (postponed.after, postponed.counts) == (3.0, False)


def test_jobs_and_leases_do_not_expire_by_default() -> None:
    assert Job("id", "kind").timeout_seconds == 0
    assert Lease("id", "kind", b"{}", 1, 1).seconds_left == math.inf


def test_high_priority_has_the_lowest_number() -> None:
    assert sorted(Priority) == [Priority.HIGH, Priority.NORMAL, Priority.LOW]


def test_result_without_details_settles_at_once() -> None:
    result = JobResult(Lease("id", "kind", b"{}", 1, 1), Outcome.DONE)
    assert (result.after, result.error, result.result) == (0.0, "", b"")
