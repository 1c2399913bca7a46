"""Context fields on log lines."""

from __future__ import annotations

from app.telemetry import context


def test_fields_are_merged_without_overwriting_those_of_the_event() -> None:
    token = context.current.set({"request_id": "abc", "trace_id": "t"})
    try:
        merged = context.merge(None, "", {"event": "x", "request_id": "own"})
        assert merged == {"event": "x", "request_id": "own", "trace_id": "t"}
        assert context.trace() == "t"
    finally:
        context.current.reset(token)
    assert context.trace() == ""


def test_job_joins_the_trace_with_a_span_of_its_own() -> None:
    token = context.current.set({"job": "one"})
    try:
        context.follow("")
        assert dict(context.current.get()) == {"job": "one"}
        context.follow("f" * 32)
        fields = context.current.get()
        assert (fields["job"], fields["trace_id"], len(fields["span_id"])) == ("one", "f" * 32, 16)
    finally:
        context.current.reset(token)
