"""Generation jobs: idempotent, settled once, postponed during outages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import pytest
from pymongo.errors import AutoReconnect
from redis.asyncio import Redis

from app import clock
from app.connections import Database
from app.content.generation import ContentGeneration
from app.content.generator import GeneratorUnavailable, GrammarGenerator, PromptRejected, TextCallback
from app.content.progress import FIRST, Progress
from app.content.schemas import ContentState, Form, Generate
from app.content.service import EXPIRES_AFTER, content_cache
from app.http.pagination import PageQuery
from app.queue import RetryLater
from app.storage import Bucket
from tests.app.content.test_service import Service
from tests.support.backends import until

pytestmark = pytest.mark.anyio


class Generator(GrammarGenerator):
    """The built-in generator, or an error."""

    error: Exception | None = None
    text: str | None = None

    async def write(self, prompt: str, form: Form, on_text: TextCallback) -> str:
        if self.error is not None:
            raise self.error
        if self.text is not None:
            await on_text(self.text)
            return self.text
        return await super().write(prompt, form, on_text)


class Jobs:
    """A content service and its generation jobs."""

    def __init__(self, database: Database, redis: Redis) -> None:
        self.service = Service(database, redis)
        self.generator, self.progress = Generator(), Progress(redis)
        self.generation = ContentGeneration(
            database,
            self.service.contents,
            content_cache(redis),
            cast(Bucket, self.service.objects),
            self.service.queue,
            self.generator,
            self.progress,
        )

    async def run(self, content_id: str) -> None:
        await self.generation.generate(Generate(content_id))

    async def state(self, content_id: str) -> tuple[str, str | None]:
        document = await self.service.database["contents"].find_one({"_id": content_id})
        assert document is not None
        return document["state"], document.get("reason")


@pytest.fixture
async def jobs(own_database: Database, redis: Redis) -> Jobs:
    jobs = Jobs(own_database, redis)
    await jobs.service.contents.prepare()
    return jobs


async def test_finished_job_stores_text_and_image_and_publishes_the_end(jobs: Jobs) -> None:
    content = await jobs.service.create()
    await jobs.run(content.id)
    ready = await jobs.service.contents.read("ada", content.id)
    assert ready.state is ContentState.READY
    events = await jobs.progress.read(content.id, FIRST)
    assert [event.name for event in events][:: len(events) - 1] == ["started", "ready"]
    assert await jobs.service.contents.image("ada", content.id)
    await jobs.run(content.id)
    assert len(await jobs.progress.read(content.id, FIRST)) == len(events), "a second run does nothing"


async def test_direction_and_control_characters_of_a_model_are_removed(jobs: Jobs) -> None:
    content = await jobs.service.create()
    jobs.generator.text = "A long enough \u202etext\u0000,\nin two lines."
    await jobs.run(content.id)
    assert (await jobs.service.contents.read("ada", content.id)).text == "A long enough text,\nin two lines."
    events = [event.data for event in await jobs.progress.read(content.id, FIRST) if event.name == "text"]
    assert events == [b'{"text":"A long enough text,\\nin two lines."}']


async def test_finished_content_is_read_by_a_pod_that_has_not_received_the_invalidation(jobs: Jobs) -> None:
    content = await jobs.service.create()
    # The service has a cache of its own, without the channel of invalidations.
    assert (await jobs.service.contents.read("ada", content.id)).state is ContentState.QUEUED
    await jobs.run(content.id)
    assert (await jobs.service.contents.read("ada", content.id)).state is ContentState.READY
    assert await jobs.service.contents.image("ada", content.id)


async def test_rejected_prompt_fails_the_content_with_the_reason(jobs: Jobs) -> None:
    content = await jobs.service.create()
    jobs.generator.error = PromptRejected("rejected")
    await jobs.run(content.id)
    assert await jobs.state(content.id) == ("failed", "rejected")


async def test_outages_postpone_the_job_without_counting_an_attempt(jobs: Jobs) -> None:
    content = await jobs.service.create()
    jobs.generator.error = GeneratorUnavailable("down", 3.0)
    with pytest.raises(RetryLater) as caught:
        await jobs.run(content.id)
    assert (caught.value.after, caught.value.counts) == (3.0, False)
    jobs.generator.error = None
    jobs.service.objects.available = False
    with pytest.raises(RetryLater) as caught:
        await jobs.run(content.id)
    assert not caught.value.counts
    assert (await jobs.state(content.id))[0] == "queued"


async def test_result_of_an_unknown_outcome_is_listed(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list that was cached between the write and its failure is not served after the write has settled."""
    content = await jobs.service.create()
    contents, documents = jobs.service.contents, jobs.generation._documents
    write = documents.find_one_and_update

    async def lost(*arguments: Any, **named: Any) -> None:
        await contents.list_own("ada", PageQuery())
        await write(*arguments, **named)
        raise AutoReconnect("the connection was lost")

    with monkeypatch.context() as patch:
        patch.setattr(documents, "find_one_and_update", lost)
        with pytest.raises(AutoReconnect):
            await jobs.run(content.id)

    async def listed() -> bool:
        (item,) = (await contents.list_own("ada", PageQuery())).items
        return item.state is ContentState.READY

    await until(listed)


async def test_second_run_of_a_completed_job_invalidates_the_list(jobs: Jobs) -> None:
    content = await jobs.service.create()
    contents, documents = jobs.service.contents, jobs.service.database["contents"]
    assert [item.state for item in (await contents.list_own("ada", PageQuery())).items] == ["queued"]
    await documents.update_one({"_id": content.id}, {"$set": {"state": "failed"}})
    await jobs.run(content.id)
    assert [item.state for item in (await contents.list_own("ada", PageQuery())).items] == ["failed"]


async def test_dead_job_fails_the_content_once(jobs: Jobs) -> None:
    content = await jobs.service.create()
    await jobs.generation.give_up(Generate(content.id))
    state, reason = await jobs.state(content.id)
    assert (state, bool(reason)) == ("failed", True)
    await jobs.run(content.id)
    assert (await jobs.state(content.id))[0] == "failed"


async def test_lost_jobs_are_enqueued_again_and_expired_content_fails(jobs: Jobs) -> None:
    lost, expired = await jobs.service.create("ada"), await jobs.service.create("eve")
    assert len((await jobs.service.queue.reserve(2)).leases) == 2
    client = jobs.service.queue._redis
    await client.flushall()
    documents = jobs.service.database["contents"]
    await documents.update_one({"_id": lost.id}, {"$set": {"queued_at": 0.0}})
    created_at = clock.now() - EXPIRES_AFTER - timedelta(seconds=1)
    await documents.update_one({"_id": expired.id}, {"$set": {"created_at": created_at}})
    assert await jobs.generation.requeue() == 1
    assert (await jobs.state(expired.id))[0] == "failed"
    assert [lease.id for lease in (await jobs.service.queue.reserve(5)).leases] == [lost.id]
