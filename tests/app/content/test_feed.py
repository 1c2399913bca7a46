"""Feed: only ready content is published, by its owner, newest first."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from app.connections import Database
from app.content.feed import Feed
from app.content.progress import Progress
from app.content.service import content_cache
from app.http.pagination import PageQuery
from app.http.problems import Problem
from app.media.signed_urls import SignedUrls
from app.media.visibility import Visibility
from app.middleware.response_cache import response_cache
from tests.app.content.test_service import Service, service

__all__ = ["service"]  # fixture

pytestmark = pytest.mark.anyio


@pytest.fixture
async def feed(service: Service, own_database: Database, redis: Redis) -> Feed:
    feed = Feed(
        own_database,
        service.contents,
        content_cache(redis),
        response_cache(redis),
        SignedUrls((bytes(32),)),
        Visibility(own_database, redis),
        Progress(redis),
    )
    await feed.prepare()
    await own_database["accounts"].insert_one({"_id": "ada", "name": "Ada"})
    return feed


async def ready(service: Service) -> str:
    content = await service.create()
    await service.finish(content.id)
    return content.id


async def test_published_content_is_in_the_feed_newest_first(feed: Feed, service: Service) -> None:
    ids = [await ready(service) for _ in range(3)]
    for content_id in ids:
        assert (await feed.publish("ada", content_id)).published_at is not None
    page = await feed.page(PageQuery(limit=2))
    assert [item.id for item in page.items] == ids[:0:-1]
    assert {item.author.name for item in page.items} == {"Ada"}
    rest = await feed.page(PageQuery(limit=2, cursor=page.next or ""))
    assert ([item.id for item in rest.items], rest.next) == (ids[:1], None)


async def test_publishing_again_keeps_the_first_time(feed: Feed, service: Service) -> None:
    content_id = await ready(service)
    first = await feed.publish("ada", content_id)
    assert (await feed.publish("ada", content_id)).published_at == first.published_at


async def test_content_that_another_pod_has_withdrawn_can_be_published_again(
    feed: Feed, service: Service
) -> None:
    content_id = await ready(service)
    await feed.publish("ada", content_id)
    # The service has a cache of its own, as a pod that does not receive the invalidations of the feed's.
    service.cache.memory.clear()
    assert (await service.contents.read("ada", content_id)).published_at is not None
    await feed.withdraw("ada", content_id)
    assert (await feed.publish("ada", content_id)).published_at is not None
    assert (await feed.read(content_id)).id == content_id


@pytest.mark.parametrize("content_id", ["own", "absent"])
async def test_content_of_another_account_cannot_be_published(
    feed: Feed, service: Service, content_id: str
) -> None:
    own = await ready(service)
    with pytest.raises(Problem) as caught:
        await feed.publish("eve", own if content_id == "own" else content_id)
    assert caught.value.kind.status == 404
    assert (await feed.page(PageQuery())).items == []


async def test_unfinished_content_cannot_be_published(feed: Feed, service: Service) -> None:
    content = await service.create()
    with pytest.raises(Problem) as caught:
        await feed.publish("ada", content.id)
    assert caught.value.kind.status == 409


async def test_withdrawn_content_is_not_found(feed: Feed, service: Service) -> None:
    content_id = await ready(service)
    await feed.publish("ada", content_id)
    assert (await feed.read(content_id)).id == content_id
    with pytest.raises(Problem):
        await feed.withdraw("eve", content_id)
    await feed.withdraw("ada", content_id)
    await feed.withdraw("ada", content_id)
    with pytest.raises(Problem) as caught:
        await feed.read(content_id)
    assert caught.value.kind.status == 404


async def test_deleted_content_leaves_the_feed(feed: Feed, service: Service) -> None:
    first, second = await ready(service), await ready(service)
    await feed.publish("ada", first)
    await feed.publish("ada", second)
    await feed.delete("ada", first)
    assert [item.id for item in (await feed.page(PageQuery())).items] == [second]
    assert await feed.delete_all("ada") == 1
    assert (await feed.page(PageQuery())).items == []


async def test_content_of_an_account_is_withdrawn_together(feed: Feed, service: Service) -> None:
    assert await feed.withdraw_all("ada") == 0
    published, draft = [await ready(service) for _ in range(2)], await ready(service)
    for content_id in published:
        await feed.publish("ada", content_id)
    assert await feed.withdraw_all("eve") == 0
    assert [item.id for item in (await feed.page(PageQuery())).items] == published[::-1]
    assert await feed.withdraw_all("ada") == 2
    assert (await feed.page(PageQuery())).items == []
    for content_id in (*published, draft):
        assert (await service.contents.read("ada", content_id)).published_at is None
