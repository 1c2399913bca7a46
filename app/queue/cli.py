"""``python -m app jobs``: look at the queue of the service, and put right what it gave up.

- ``jobs``: how many jobs are in each state.
- ``jobs dead``: the latest dead letters, each with its last error.
- ``jobs requeue ID…`` and ``jobs discard ID…``: try dead letters again, or forget them; ``all`` is every one.
- ``jobs result ID``: what came of a job of the last hour, such as ``every:sweep``; waits ten seconds for it.

With ``--json`` for programs. Exit codes: 0, 1 when Redis cannot be asked or an id is not there, 2 for wrong
settings or words.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from app.connections import REDIS_GONE, open_redis
from app.queue.jobs import DeadLetter
from app.queue.queue import Queue
from app.settings import Settings, load

USAGE: Final = "jobs [dead | requeue ID… | discard ID… | result ID] [--json]"
_MOST: Final = 1_000
_PATIENCE_SECONDS: Final = 10.0


class State(msgspec.Struct):
    """What waits, runs and was given up."""

    ready: dict[str, int]
    delayed: int
    leased: int
    dead: int
    oldest_seconds: float
    limit: int


async def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """The command; ``arguments`` are what follows ``jobs``. Raises :class:`app.settings.SettingsError`."""
    words = [word for word in arguments if word != "--json"]
    verb, names = (words[0], words[1:]) if words else ("", [])
    counts = {"": not names, "dead": not names, "result": len(names) == 1}
    if not counts.get(verb, verb in {"requeue", "discard"} and bool(names)):
        print(f"usage: python -m app {USAGE}", file=sys.stderr)
        return 2
    settings = load(environ)
    try:
        return await _carry_out(settings, verb, names, as_json="--json" in arguments)
    except REDIS_GONE as error:
        print(f"Redis cannot be asked: {type(error).__name__}: {str(error)[:200]}", file=sys.stderr)
        return 1


async def _carry_out(settings: Settings, verb: str, names: list[str], *, as_json: bool) -> int:
    async with open_redis(settings.redis) as redis:
        queue = Queue(redis)
        if verb == "":
            state = await _state(queue)
            _say(state, [f"{name} {value}" for name, value in msgspec.to_builtins(state).items()], as_json)
            return 0
        if verb == "dead":
            letters = await queue.dead_letters(_MOST)
            _say(letters, [_line(letter) for letter in letters] or ["there is no dead letter"], as_json)
            return 0
        if verb == "result":
            found = await queue.result(names[0], within=_PATIENCE_SECONDS)
            print(found.decode() if found is not None else f"no result of {names[0]} is known")
            return 0 if found is not None else 1
        if names == ["all"]:
            names = [letter.id for letter in await queue.dead_letters(_MOST)]
        act = queue.requeue if verb == "requeue" else queue.discard
        done = dict(zip(names, await act(*names), strict=True)) if names else {}
        lines = [f"{name}: {'done' if good else 'is no dead letter'}" for name, good in done.items()]
        _say(done, lines or ["there is no dead letter"], as_json)
        return 0 if all(done.values()) else 1


async def _state(queue: Queue) -> State:
    depth = await queue.depth()
    ready = {priority.name.lower(): count for priority, count in depth.ready.items()}
    counts = depth.delayed, depth.leased, depth.dead
    return State(ready, *counts, round(depth.oldest_seconds, 3), queue.limit)


def _line(letter: DeadLetter) -> str:
    return f"{letter.id}  {letter.kind}, {letter.attempts} attempts: {letter.error!r}"


def _say(whole: State | list[DeadLetter] | dict[str, bool], lines: list[str], as_json: bool) -> None:
    print(msgspec.json.encode(whole).decode() if as_json else "\n".join(lines))
