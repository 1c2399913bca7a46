"""Load tests: a load generator must have an end, and in production a declared window."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from pulumi_policy import Severity

from policies.model.pods import POD_TYPES, PodTemplate, pod_templates
from policies.model.property_tree import Finding, Node
from policies.model.stack import Resource
from policies.pack.rule import Settings, rule

CONCERN: Final = "load-tests"
WINDOW_START: Final = "kingdom.studio/window-start"
WINDOW_END: Final = "kingdom.studio/window-end"
_HOURS: Final = 3600
_IMAGES: Final = {
    "type": "array",
    "items": {"type": "string"},
    "default": ["loadtest", "locust", "k6", "artillery", "gatling", "jmeter", "vegeta", "wrk", "hey", "oha"],
    "description": "Last parts of the names of images that generate load.",
}
_MAX_HOURS: Final = {
    "type": "number",
    "exclusiveMinimum": 0,
    "default": 4,
    "description": "Maximum duration of a load test, in hours.",
}


@rule(
    "load-test-ends",
    "A load generator must be a Job with a deadline. "
    "A load test that does not end by itself exhausts the platform and the budget.",
    concern=CONCERN,
    types=POD_TYPES,
    remediation="Run it as a Job and set activeDeadlineSeconds to the longest duration of the test.",
    severity=Severity.HIGH,
    tags=("SOC2:A1.1", "LOD1"),
    settings={"images": _IMAGES, "maxHours": _MAX_HOURS},
    platform_specific=True,
)
def load_test_ends(resource: Resource, settings: Settings) -> Iterator[Finding]:
    for pod in _generators(resource, settings):
        if pod.owner.kind != "Job":
            yield pod.node.finding(f"{pod.owner.label} generates load and is not a Job: it does not end")
            continue
        deadline = pod.owner.node.at("spec", "activeDeadlineSeconds")
        if not deadline.present:
            yield deadline.finding(f"{pod.owner.label} generates load without a deadline")
        elif deadline.known() and not 0 < deadline.number() <= settings["maxHours"] * _HOURS:
            yield deadline.finding(
                f"{pod.owner.label} may generate load for {deadline.raw!r} s; at most "
                f"{settings['maxHours']:g} hours are allowed"
            )


@rule(
    "load-test-window",
    "A load test of production must have a window. "
    "Users and the on-call engineers are otherwise surprised by its load.",
    concern=CONCERN,
    types=POD_TYPES,
    remediation=(
        f"Set loadtest.run.window in the stack file, or the Job's annotations {WINDOW_START} and "
        f"{WINDOW_END} (UTC); the end is after the start and within maxHours of it."
    ),
    severity=Severity.HIGH,
    tags=("SOC2:A1.1", "SOC2:CC8.1", "LOD1"),
    settings={
        "images": _IMAGES,
        "maxHours": _MAX_HOURS,
        "environments": {
            "type": "array",
            "items": {"type": "string"},
            "default": ["prod"],
            "description": "Values of the label `environment` for which a window is required; an object "
            "without the label counts as one of them.",
        },
    },
    platform_specific=True,
)
def load_test_window(resource: Resource, settings: Settings) -> Iterator[Finding]:
    for pod in _generators(resource, settings):
        metadata = pod.owner.node["metadata"]
        environment = metadata.at("labels", "environment")
        if environment.present and environment.is_not_one_of(*settings["environments"]):
            continue
        annotations = metadata["annotations"]
        if annotations.present and not annotations.known():
            continue
        found = {name: annotations[name] for name in (WINDOW_START, WINDOW_END)}
        missing = [name for name, node in found.items() if not node.present]
        if missing:
            yield annotations.finding(
                f"{pod.owner.label} generates load in production without {' and '.join(missing)}"
            )
            continue
        yield from _window(pod, found[WINDOW_START], found[WINDOW_END], settings["maxHours"])


def _window(pod: PodTemplate, start: Node, end: Node, hours: float) -> Iterator[Finding]:
    """Yield the findings about a declared window."""
    if not start.known() or not end.known():
        return
    times = [_time(start), _time(end)]
    for node, time in zip((start, end), times, strict=True):
        if time is None:
            yield node.finding(f"{node.raw!r} is not a time in UTC such as 2026-01-03T02:00:00Z")
    first, last = times
    if first is None or last is None:
        return
    seconds = (last - first).total_seconds()
    if seconds <= 0:
        yield end.finding(f"{end.raw} is not after {start.raw}")
    elif seconds > hours * _HOURS:
        yield end.finding(f"{start.raw} to {end.raw} is longer than {hours:g} hours")
    else:
        deadline = pod.owner.node.at("spec", "activeDeadlineSeconds")
        if deadline.known() and not 0 < deadline.number() <= seconds:
            yield deadline.finding(f"must be within the {seconds:.0f} s of the window, not {deadline.raw!r}")


def _time(node: Node) -> datetime | None:
    """Parse a time with an offset of zero; None for any other text."""
    try:
        found = datetime.fromisoformat(node.text())
    except ValueError:
        return None
    return found if found.tzinfo is not None and not found.utcoffset() else None


def _generators(resource: Resource, settings: Settings) -> Iterator[PodTemplate]:
    """Yield pod templates with a container that generates load, recognized by the name of its image."""
    for pod in pod_templates(resource):
        for container in pod.containers():
            image = container["image"]
            if image.known() and image_name(str(image.raw or "")) in settings["images"]:
                yield pod
                break


def image_name(image: str) -> str:
    """Return the last part of an image's repository: `loadtest` of `host/project/loadtest:tag@sha256:…`."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0]
