"""``python -m app jobs``: inspect the job queue; retry or discard dead-lettered jobs.

- ``jobs``: the number of jobs in each state.
- ``jobs dead``: the most recent dead letters with their last errors.
- ``jobs requeue ID…`` and ``jobs discard ID…``: retry or delete dead letters; ``all`` selects every one.
- ``jobs result ID``: the result of a job that finished within the last hour, such as ``every:sweep``; waits
  up to ten seconds.

``--json`` prints JSON. Exit codes: 0 success, 1 Redis unavailable or ID not found, 2 invalid settings or
arguments.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from app.connections import REDIS_ERRORS, open_redis
from app.queue.jobs import DeadLetter
from app.queue.queue import Queue
from app.settings import RedisUse, Settings, load

USAGE: Final = "jobs [dead | requeue ID… | discard ID… | result ID] [--json]"
_MAX_DEAD_LETTERS: Final = 1_000
_RESULT_TIMEOUT_SECONDS: Final = 10.0


class QueueState(msgspec.Struct):
    """Number of jobs per state, age in seconds of the oldest ready job, and the limit on waiting jobs."""

    ready: dict[str, int]
    delayed: int
    leased: int
    dead: int
    oldest_seconds: float
    limit: int


async def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run the command with the arguments after ``jobs``; return its exit code. Raises
    :class:`app.settings.environment.SettingsError`.
    """
    positional = [word for word in arguments if word != "--json"]
    verb, names = (positional[0], positional[1:]) if positional else ("", [])
    counts = {"": not names, "dead": not names, "result": len(names) == 1}
    if not counts.get(verb, verb in {"requeue", "discard"} and bool(names)):
        print(f"usage: python -m app {USAGE}", file=sys.stderr)
        return 2
    settings = load(environ)
    try:
        return await _run(settings, verb, names, as_json="--json" in arguments)
    except REDIS_ERRORS as error:
        print(f"Redis is unavailable: {type(error).__name__}: {str(error)[:200]}", file=sys.stderr)
        return 1


async def _run(settings: Settings, verb: str, names: list[str], *, as_json: bool) -> int:
    async with open_redis(settings.redis_of(RedisUse.QUEUE)) as redis:
        queue = Queue(redis)
        if verb == "":
            state = await _state(queue)
            _print(state, [f"{name} {value}" for name, value in msgspec.to_builtins(state).items()], as_json)
            return 0
        if verb == "dead":
            letters = await queue.dead_letters(_MAX_DEAD_LETTERS)
            _print(letters, [_line(letter) for letter in letters] or ["no dead letters"], as_json)
            return 0
        if verb == "result":
            found = await queue.result(names[0], max_wait=_RESULT_TIMEOUT_SECONDS)
            print(
                found.decode() if found is not None else f"no result of job {names[0]} within the last hour"
            )
            return 0 if found is not None else 1
        if names == ["all"]:
            names = [letter.id for letter in await queue.dead_letters(_MAX_DEAD_LETTERS)]
        act = queue.requeue if verb == "requeue" else queue.discard
        done = dict(zip(names, await act(*names), strict=True)) if names else {}
        lines = [
            f"{name}: {'done' if succeeded else 'not a dead letter'}" for name, succeeded in done.items()
        ]
        _print(done, lines or ["no dead letters"], as_json)
        return 0 if all(done.values()) else 1


async def _state(queue: Queue) -> QueueState:
    depth = await queue.depth()
    ready = {priority.name.lower(): count for priority, count in depth.ready.items()}
    counts = depth.delayed, depth.leased, depth.dead
    return QueueState(ready, *counts, round(depth.oldest_seconds, 3), queue.limit)


def _line(letter: DeadLetter) -> str:
    return f"{letter.id}  {letter.kind}, {letter.attempts} attempts: {letter.error!r}"


def _print(data: QueueState | list[DeadLetter] | dict[str, bool], lines: list[str], as_json: bool) -> None:
    print(msgspec.json.encode(data).decode() if as_json else "\n".join(lines))
