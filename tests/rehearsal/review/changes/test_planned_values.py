"""Generated values are marked in a review; declared ones are not."""

from __future__ import annotations

from dataclasses import replace

from rehearsal.engine.events import Op, PropertyChange, Step
from rehearsal.engine.state.resource_state import ResourceState
from rehearsal.pulumi.properties import Change
from rehearsal.review.changes.planned_values import assigned_values
from rehearsal.review.formats.markdown import markdown
from tests.rehearsal.review.factories import POD, resource, review_of, stack_of

ADDRESS, NUMBER = "203.0.113.9", "204812345678"


def record(declared: dict[str, object], assigned: dict[str, object]) -> ResourceState:
    return replace(resource(POD, "web", declared), outputs=declared | assigned)


def change(name: str, old: object, new: object) -> Step:
    changes = (PropertyChange((name,), Change.UPDATE, old, new),)
    return Step(Op.UPDATE, resource(POD, "web", {}).urn, POD, True, changes=changes)


def test_value_that_only_the_cloud_assigns_is_marked() -> None:
    was = record({"size": 3}, {"address": ADDRESS, "projectNumber": NUMBER})
    item = stack_of("dev", (change("target", f"https://{ADDRESS}/", "https://new.example/"),), (), (), (was,))
    assert assigned_values(item) == {ADDRESS, NUMBER}
    text = markdown(review_of(item))
    assert f'`"https://{ADDRESS}/"` (generated) → `"https://new.example/"`' in text
    assert '`"https://new.example/"` (generated)' not in text


def test_value_that_is_declared_is_not_marked() -> None:
    was = record({"address": ADDRESS}, {})
    item = stack_of("dev", (change("address", ADDRESS, "203.0.113.10"),), (), (), (was,))
    assert assigned_values(item) == frozenset()
    assert "(generated)" not in markdown(review_of(item))
