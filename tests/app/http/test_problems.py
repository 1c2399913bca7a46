"""Problem types and the problem details of an occurrence."""

from __future__ import annotations

import msgspec

from app.http.problems import INVALID, PROBLEM_TYPES, UNAVAILABLE, FieldError, Problem, ProblemType


def test_problem_types_are_listed_by_status() -> None:
    statuses = [kind.status for kind in PROBLEM_TYPES]
    assert statuses == sorted(statuses)


def test_every_problem_type_is_an_error_with_a_slug_of_its_own() -> None:
    assert all(400 <= kind.status <= 599 for kind in PROBLEM_TYPES)
    assert len({kind.slug for kind in PROBLEM_TYPES}) == len(PROBLEM_TYPES)
    assert UNAVAILABLE in PROBLEM_TYPES


def test_details_link_the_documentation_and_describe_the_occurrence() -> None:
    errors = (FieldError("$.price", "must be positive"),)
    problem = Problem(INVALID, "the order is invalid", errors=errors, headers={"retry-after": "1"})
    assert str(problem) == "invalid: the order is invalid"
    assert problem.headers == {"retry-after": "1"}
    body = msgspec.to_builtins(problem.details("https://api.test", "request-1"))
    assert body == {
        "type": "https://api.test/docs#invalid",
        "title": "Invalid request",
        "status": 422,
        "detail": "the order is invalid",
        "request_id": "request-1",
        "errors": ({"at": "$.price", "detail": "must be positive"},),
    }


def test_empty_members_are_omitted() -> None:
    details = Problem(ProblemType("gone", 410, "Gone")).details("https://api.test", "")
    assert msgspec.json.decode(msgspec.json.encode(details)) == {
        "type": "https://api.test/docs#gone",
        "title": "Gone",
        "status": 410,
    }
