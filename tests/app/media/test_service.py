"""Media library: idempotent uploads, quota, ownership, outages."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from redis.asyncio import Redis

from app.auth.roles import PLAN_QUOTAS, Plan
from app.auth.tokens import Session
from app.connections import Database
from app.http.pagination import PageQuery
from app.http.problems import Problem
from app.media.deletion import ObjectDeletions
from app.media.schemas import Media, MediaState
from app.media.service import UNDECLARED, MediaLibrary
from app.media.signed_urls import SignedUrls
from app.media.visibility import Visibility
from app.queue import Queue
from app.storage import Bucket
from tests.app.media.test_endpoints import sample_image
from tests.app.media.test_sniffing import with_comments
from tests.support.storage import MemoryBucket

pytestmark = pytest.mark.anyio


class StreamingBucket(MemoryBucket):
    """A bucket that accepts chunks, as the real one does."""

    async def put(self, name: str, data: Any, *, media_type: str, size: int | None = None) -> None:
        self._call()
        self.objects[name] = b"".join([chunk async for chunk in data])


class Library:
    def __init__(self, database: Database, redis: Redis) -> None:
        self.objects, self.database = StreamingBucket(), database
        bucket = cast(Bucket, self.objects)
        self.queue = Queue(redis)
        visibility, deletions = Visibility(database, redis), ObjectDeletions(database, bucket)
        urls = SignedUrls((bytes(32),))
        self.media = MediaLibrary(database, bucket, self.queue, urls, visibility, deletions)

    async def upload(self, data: bytes, *, account: str = "ada", declared: str = "image/png") -> Media:
        async def chunks() -> AsyncIterator[bytes]:
            for at in range(0, len(data), 1_000):
                yield data[at : at + 1_000]

        session = Session(account, int(time.time()) + 60, "session")
        return await self.media.upload(session, declared, chunks())


@pytest.fixture
async def library(own_database: Database, redis: Redis) -> Library:
    library = Library(own_database, redis)
    await library.media.prepare()
    return library


async def test_upload_stores_the_original_and_enqueues_its_job(library: Library) -> None:
    data = sample_image(60, 40)
    media = await library.upload(data)
    assert (media.state, media.width, media.height, media.size) == (
        MediaState.PROCESSING,
        60,
        40,
        len(data),
    )
    assert media.variants == []
    assert library.objects.objects == {f"media/{media.id}/original": data}
    assert [lease.id for lease in (await library.queue.reserve(5)).leases] == [media.id]


async def test_same_image_of_one_account_is_stored_once(library: Library) -> None:
    first = await library.upload(sample_image(60, 40))
    assert (await library.upload(sample_image(60, 40))).id == first.id
    assert (await library.upload(sample_image(60, 40), account="eve")).id != first.id
    assert len(library.objects.objects) == 2


@pytest.mark.parametrize(
    ("data", "declared", "status"),
    [
        (b"not an image", "image/png", 415),
        (sample_image(60, 40), "image/jpeg", 415),
        (sample_image(20_000, 1), "image/png", 422),
        (sample_image(60, 40)[:20], "image/png", 422),
    ],
)
async def test_unacceptable_image_is_rejected(
    library: Library, data: bytes, declared: str, status: int
) -> None:
    with pytest.raises(Problem) as caught:
        await library.upload(data, declared=declared)
    assert caught.value.kind.status == status
    assert not library.objects.objects


async def test_jpeg_with_much_metadata_is_accepted(library: Library) -> None:
    data = with_comments(sample_image(60, 40, ".jpg"), 10)
    assert len(data) > 600_000
    media = await library.upload(data, declared="image/jpeg")
    assert (media.width, media.height) == (60, 40)


async def test_format_is_detected_if_it_is_not_declared(library: Library) -> None:
    assert (
        await library.upload(sample_image(60, 40, ".webp"), declared=UNDECLARED)
    ).media_type == "image/webp"


async def test_quota_of_the_plan_is_reached_exactly_and_not_exceeded(library: Library) -> None:
    data, quota = sample_image(60, 40), PLAN_QUOTAS[Plan.FREE].media_bytes
    used = {"_id": "used", "request": "used", "owner": "ada", "size": quota - len(data) + 1}
    await library.database["media"].insert_one(used)
    with pytest.raises(Problem) as caught:
        await library.upload(data)
    assert caught.value.kind.status == 403
    await library.database["media"].update_one({"_id": "used"}, {"$inc": {"size": -1}})
    await library.upload(data)


async def test_storage_outage_is_unavailable_and_leaves_no_document(library: Library) -> None:
    library.objects.available = False
    with pytest.raises(Problem) as caught:
        await library.upload(sample_image(60, 40))
    assert (caught.value.kind.status, caught.value.headers["retry-after"]) == (503, "2")
    assert await library.database["media"].count_documents({}) == 0


async def test_uploads_are_listed_read_and_deleted_by_their_owner_only(library: Library) -> None:
    ids = [(await library.upload(sample_image(60 + number, 40))).id for number in range(3)]
    page = await library.media.list_own("ada", PageQuery(limit=2))
    assert [item.id for item in page.items] == ids[:0:-1]
    rest = await library.media.list_own("ada", PageQuery(limit=2, cursor=page.next or ""))
    assert ([item.id for item in rest.items], rest.next) == (ids[:1], None)
    for action in (library.media.read, library.media.delete):
        with pytest.raises(Problem) as caught:
            await action("eve", ids[0])
        assert caught.value.kind.status == 404
    await library.media.delete("ada", ids[0])
    assert await library.media.delete_all("ada") == 2
    assert not library.objects.objects


async def test_bodies_that_arrive_slowly_do_not_occupy_the_uploads_of_other_accounts(
    library: Library,
) -> None:
    arrived, data = asyncio.Event(), sample_image(60, 40)

    async def slowly() -> AsyncIterator[bytes]:
        await arrived.wait()
        yield data

    def session(account: str) -> Session:
        return Session(account, int(time.time()) + 60, "session")

    slow = [
        asyncio.create_task(library.media.upload(session("eve"), "image/png", slowly())) for _ in range(20)
    ]
    await asyncio.wait(slow[4:], timeout=10)
    assert (await library.upload(data)).state is MediaState.PROCESSING
    problems = [each.exception() for each in slow[4:]]
    assert {each.kind.status for each in problems if isinstance(each, Problem)} == {429}
    arrived.set()
    ids = {media.id for media in await asyncio.gather(*slow[:4])}
    assert len(ids) == 1
    assert (await library.upload(data, account="eve")).id in ids


async def test_all_uploads_are_deleted_while_others_delete_them(library: Library) -> None:
    for number in range(12):
        await library.upload(sample_image(60 + number, 40))
    other = await library.upload(sample_image(60, 40), account="eve")
    await asyncio.gather(library.media.delete_all("ada"), library.media.delete_all("ada"))
    assert (await library.media.list_own("ada", PageQuery())).items == []
    assert library.objects.objects.keys() == {f"media/{other.id}/original"}
