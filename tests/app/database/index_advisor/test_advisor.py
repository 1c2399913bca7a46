from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st

from app.database.index_advisor.advisor import (
    Action,
    Index,
    Keys,
    Need,
    advise,
    advised,
    covers,
    needs,
    serves,
)
from app.database.index_advisor.query_shapes import VALUE, Shape
from app.database.index_advisor.query_stats import Use

NOW = datetime(2026, 11, 1, tzinfo=UTC)
FIELD = st.sampled_from("abcdef")
KEYS = st.lists(
    st.tuples(FIELD, st.sampled_from([1, -1])), min_size=1, max_size=5, unique_by=lambda key: key[0]
).map(tuple)


@st.composite
def need(draw: st.DrawFn) -> Need:
    equal = draw(st.frozensets(FIELD, max_size=3))
    sort = tuple(key for key in draw(st.one_of(st.just(()), KEYS)) if key[0] not in equal)
    ranges = draw(st.frozensets(FIELD, max_size=2)) - equal
    assume(equal or sort or ranges)
    return Need(equal, sort, ranges)


def query(where: str, sort: Keys = (), collection: str = "t") -> Shape:
    return Shape(collection, "find", where, sort)


def conditions(wanted: Need) -> str:
    """The conditions of a query that needs this."""
    where = dict.fromkeys(wanted.equal, VALUE) | {key: {"$gt": VALUE} for key in wanted.ranges}
    return msgspec.json.encode(where).decode()


def index(*keys: tuple[str, int], **more: object) -> Index:
    return Index("t", "_".join(field for field, _ in keys), keys, **more)  # pyrefly: ignore


def creations(workload: dict[Shape, Use], *indexes: Index) -> list[Keys]:
    return [each.keys for each in advise(workload, indexes, now=NOW) if each.action is Action.CREATE]


@given(need())
def test_the_advised_index_serves_the_query(wanted: Need) -> None:
    assert serves(advised(wanted), wanted)


@given(need())
def test_the_advised_index_is_equality_then_sort_then_range(wanted: Need) -> None:
    fields = [field for field, _ in advised(wanted)]
    assert len(fields) == len(set(fields))
    parts = [0 if f in wanted.equal else 1 if f in dict(wanted.sort) else 2 for f in fields]
    assert parts == sorted(parts)


@given(need(), KEYS, st.booleans())
def test_what_a_longer_index_covers_it_serves_too(wanted: Need, more: Keys, back: bool) -> None:
    shorter = advised(wanted)
    used = {field for field, _ in shorter}
    longer = (*shorter, *(key for key in more if key[0] not in used), ("z", 1))
    if back:
        longer = tuple((field, -way) for field, way in longer)
    assert covers(longer, shorter)
    assert serves(longer, wanted)


@given(st.lists(need(), min_size=1, max_size=5))
def test_after_the_advice_is_taken_there_is_nothing_more_to_create(wanted: list[Need]) -> None:
    workload = {query(conditions(each), each.sort): Use(100, 1.0) for each in wanted}
    advice = advise(workload, [], now=NOW, most_new=100)
    assert advice
    assert creations(workload, *(Index("t", each.name, each.keys) for each in advice)) == []


def test_one_index_serves_the_queries_it_begins_with() -> None:
    workload = {query('{"a":"?"}'): Use(500, 1), query('{"a":"?"}', (("b", -1),)): Use(100, 1)}
    assert creations(workload) == [(("a", 1), ("b", -1))]


def test_every_branch_of_an_or_needs_its_own_index() -> None:
    (one, other) = needs(query('{"$or":[{"a":"?"},{"b":"?"}],"c":"?"}'))
    assert (one.equal, other.equal) == ({"a", "c"}, {"b", "c"})


def test_what_finds_one_document_needs_no_more() -> None:
    workload = {query('{"_id":"?","state":"?"}'): Use(1000, 1), query('{"email":"?","x":"?"}'): Use(1000, 1)}
    assert creations(workload, index(("_id", 1), kept="_id"), index(("email", 1), kept="unique")) == []


def test_a_seldom_query_is_no_reason() -> None:
    assert creations({query('{"a":"?"}'): Use(3, 9.0)}) == []


def test_many_writes_outweigh_few_reads() -> None:
    reads = {query('{"a":"?"}'): Use(100, 1)}
    assert creations(reads | {Shape("t", "insert", changes=("*",)): Use(999, 1)}) != []
    assert creations(reads | {Shape("t", "insert", changes=("*",)): Use(1001, 1)}) == []
    elsewhere = Shape("t", "update", '{"_id":"?"}', changes=("b",))
    assert creations(reads | {elsewhere: Use(5000, 1)}, index(("_id", 1), kept="_id")) != []


def test_a_prefix_of_another_index_is_redundant_unless_it_promises_something() -> None:
    longer, shorter = index(("a", 1), ("b", 1)), index(("a", 1))
    (advice,) = advise({}, [longer, shorter], now=NOW)
    assert (advice.action, advice.name) == (Action.DROP, "a")
    assert advise({}, [longer, index(("a", 1), kept="unique")], now=NOW) == []
    assert advise({}, [longer, index(("b", 1))], now=NOW) == []


def test_an_index_is_unused_only_when_the_server_has_counted_for_long() -> None:
    def drops(since: timedelta, reads: int | None = 0) -> int:
        return len(advise({}, [index(("a", 1), reads=reads, since=NOW - since)], now=NOW))

    assert drops(timedelta(days=15)) == 1
    assert drops(timedelta(days=13)) == 0
    assert drops(timedelta(days=15), reads=1) == 0
    assert drops(timedelta(days=15), reads=None) == 0
