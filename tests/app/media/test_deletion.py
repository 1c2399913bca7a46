"""Objects of deleted documents are removed, through outages, crashes and jobs that end late."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from app import clock
from app.http.problems import Problem
from app.media.deletion import LATE_WRITES
from app.media.signed_urls import object_name
from tests.app.media.test_variant_jobs import Uploads, database, uploads

__all__ = ["database", "uploads"]  # fixtures

pytestmark = pytest.mark.anyio


async def made_due(uploads: Uploads, age: timedelta) -> None:
    """Let the recorded deletions have been requested ``age`` ago."""
    at = (clock.now() - age).timestamp()
    documents: Any = uploads.deletions._deletions
    await documents.update_many({}, {"$set": {"requested_at": at, "attempted_at": at}})


async def recorded(uploads: Uploads) -> int:
    return await uploads.deletions._deletions.count_documents({})


async def test_storage_outage_postpones_the_removal(uploads: Uploads) -> None:
    await uploads.acknowledge("one", enqueue=False)
    uploads.objects.available = False
    await uploads.media.delete("ada", "one")
    assert uploads.objects.objects
    with pytest.raises(Problem):
        await uploads.media.read("ada", "one")
    await made_due(uploads, timedelta(minutes=1))
    await uploads.deletions.sweep()
    assert uploads.objects.objects
    uploads.objects.available = True
    await uploads.deletions.sweep()
    assert not uploads.objects.objects


async def test_objects_stored_after_the_deletion_are_removed(uploads: Uploads) -> None:
    await uploads.acknowledge("one", enqueue=False)
    await uploads.media.delete("ada", "one")
    assert not uploads.objects.objects
    uploads.objects.objects[object_name("one", "320.webp")] = b"late"
    await made_due(uploads, LATE_WRITES + timedelta(seconds=1))
    assert await uploads.deletions.sweep() == 1
    assert not uploads.objects.objects
    assert await recorded(uploads) == 0, "complete, so nothing is recorded any more"


async def test_recorded_deletion_without_a_deleted_document_removes_nothing(uploads: Uploads) -> None:
    await uploads.acknowledge("one", enqueue=False)
    await uploads.deletions.record("media", "one")  # the pod crashes after this
    await made_due(uploads, LATE_WRITES + timedelta(seconds=1))
    await uploads.deletions.sweep()
    assert uploads.objects.objects
    assert await recorded(uploads) == 0


async def test_everything_of_an_account_can_be_deleted(uploads: Uploads) -> None:
    for number in range(3):
        await uploads.acknowledge(f"upload{number}", enqueue=False)
    assert await uploads.media.delete_all("eve") == 0
    assert await uploads.media.delete_all("ada") == 3
    assert not uploads.objects.objects
