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
from app.database.index_advisor.query_stats import QueryStats

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
    """Conditions of a query with this need."""
    where = dict.fromkeys(wanted.equal, VALUE) | {key: {"$gt": VALUE} for key in wanted.ranges}
    return msgspec.json.encode(where).decode()


def index(*keys: tuple[str, int], **more: object) -> Index:
    return Index("t", "_".join(field for field, _ in keys), keys, **more)  # pyrefly: ignore


def creations(stats: dict[Shape, QueryStats], *indexes: Index) -> list[Keys]:
    return [each.keys for each in advise(stats, indexes, now=NOW) if each.action is Action.CREATE]


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
def test_covering_index_serves_the_needs_of_the_shorter_one(wanted: Need, more: Keys, back: bool) -> None:
    shorter = advised(wanted)
    used = {field for field, _ in shorter}
    longer = (*shorter, *(key for key in more if key[0] not in used), ("z", 1))
    if back:
        longer = tuple((field, -direction) for field, direction in longer)
    assert covers(longer, shorter)
    assert serves(longer, wanted)


@given(st.lists(need(), min_size=1, max_size=5))
def test_applied_advice_leaves_no_index_to_create(wanted: list[Need]) -> None:
    stats = {query(conditions(each), each.sort): QueryStats(100, 1.0) for each in wanted}
    advice = advise(stats, [], now=NOW, max_new=100)
    assert advice
    assert creations(stats, *(Index("t", each.name, each.keys) for each in advice)) == []


def test_one_index_serves_queries_on_its_prefix() -> None:
    stats = {query('{"a":"?"}'): QueryStats(500, 1), query('{"a":"?"}', (("b", -1),)): QueryStats(100, 1)}
    assert creations(stats) == [(("a", 1), ("b", -1))]


def test_every_branch_of_an_or_needs_its_own_index() -> None:
    (one, other) = needs(query('{"$or":[{"a":"?"},{"b":"?"}],"c":"?"}'))
    assert (one.equal, other.equal) == ({"a", "c"}, {"b", "c"})


def test_unique_index_needs_no_further_index() -> None:
    stats = {
        query('{"_id":"?","state":"?"}'): QueryStats(1000, 1),
        query('{"email":"?","x":"?"}'): QueryStats(1000, 1),
    }
    assert (
        creations(stats, index(("_id", 1), protection="_id"), index(("email", 1), protection="unique")) == []
    )


def test_rare_query_justifies_no_index() -> None:
    assert creations({query('{"a":"?"}'): QueryStats(3, 9.0)}) == []


def test_many_writes_outweigh_few_reads() -> None:
    reads = {query('{"a":"?"}'): QueryStats(100, 1)}
    assert creations(reads | {Shape("t", "insert", changes=("*",)): QueryStats(999, 1)}) != []
    assert creations(reads | {Shape("t", "insert", changes=("*",)): QueryStats(1001, 1)}) == []
    elsewhere = Shape("t", "update", '{"_id":"?"}', changes=("b",))
    assert creations(reads | {elsewhere: QueryStats(5000, 1)}, index(("_id", 1), protection="_id")) != []


def test_prefix_of_another_index_is_redundant_unless_unique() -> None:
    longer, shorter = index(("a", 1), ("b", 1)), index(("a", 1))
    (advice,) = advise({}, [longer, shorter], now=NOW)
    assert (advice.action, advice.name) == (Action.DROP, "a")
    assert advise({}, [longer, index(("a", 1), protection="unique")], now=NOW) == []
    assert advise({}, [longer, index(("b", 1))], now=NOW) == []


def test_index_is_unused_only_after_a_long_count() -> None:
    def drops(since: timedelta, reads: int | None = 0) -> int:
        return len(advise({}, [index(("a", 1), reads=reads, since=NOW - since)], now=NOW))

    assert drops(timedelta(days=15)) == 1
    assert drops(timedelta(days=13)) == 0
    assert drops(timedelta(days=15), reads=1) == 0
    assert drops(timedelta(days=15), reads=None) == 0
