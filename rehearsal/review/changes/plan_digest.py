"""Digest of a plan, by which an update refuses a plan that is not the reviewed one."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rehearsal.cli.display import masked
from rehearsal.engine.events import Op, Result
from rehearsal.errors import InputError, KingdomError
from rehearsal.pulumi.properties import format_path
from rehearsal.pulumi.urn import name_of

VERSION: Final = 1
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_NAMED: Final = 20  # number of differences that an error names before it counts the rest


class PlanChangedError(KingdomError):
    """The plan is not the one that was reviewed."""


@dataclass(frozen=True)
class Plan:
    """The steps of a plan by URN: the operation and the digest of its inputs.

    The digest covers every step except unchanged resources: operation, URN, declared inputs, changed paths.
    Of secrets and unknown values it covers the path only.
    """

    stack: str
    steps: dict[str, tuple[str, str]]

    @property
    def digest(self) -> str:
        """Return ``sha256:`` and 64 hexadecimal digits."""
        return _digest([self.stack, sorted(self.steps.items())])

    def to_json(self) -> dict[str, Any]:
        steps = {urn: {"op": op, "digest": digest} for urn, (op, digest) in sorted(self.steps.items())}
        return {"version": VERSION, "stack": self.stack, "digest": self.digest, "steps": steps}


def plan_of(result: Result) -> Plan:
    """Return the plan of a preview."""
    inputs = {item.urn: item.inputs for item in result.snapshot.resources if not item.delete}
    steps: dict[str, tuple[str, str]] = {}
    for step in result.steps:
        if step.op in (Op.SAME, Op.READ):
            continue
        changes = sorted(
            (format_path(change.path), change.kind.value, change.replaces) for change in step.changes
        )
        declared = masked(inputs.get(step.urn, {})) if step.op is not Op.DELETE else {}
        # A replaced resource has a second step, which deletes the old one.
        op = "+".join(sorted({step.op.value, *steps.get(step.urn, ("", ""))[0].split("+")} - {""}))
        steps[step.urn] = (op, _digest([op, declared, changes]))
    return Plan(result.stack, steps)


def save(plan: Plan, path: Path) -> None:
    """Write the plan to a file. Raises InputError."""
    try:
        path.write_text(json.dumps(plan.to_json(), indent=2) + "\n")
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from None


class Expected:
    """The reviewed plan, as a digest or as a file with all steps; with a file, differences can be listed."""

    def __init__(self, text: str) -> None:
        """`text` is a digest or the path of a file that ``--save-plan`` wrote. Raises InputError."""
        self.plan: Plan | None = None
        if _DIGEST.fullmatch(text):
            self.digest = text
            return
        self.plan = _read(Path(text))
        self.digest = self.plan.digest

    def require(self, actual: Plan) -> None:
        """Raise PlanChangedError, with the differences, unless `actual` is the reviewed plan."""
        if actual.digest == self.digest:
            return
        if self.plan is None:
            details = [_line(urn, op, "") for urn, (op, _) in sorted(actual.steps.items())]
            about = "now planned" if details else "now nothing is planned"
        else:
            details = list(_differences(self.plan, actual))
            about = "what differs"
        more = len(details) - _NAMED
        if more > 0:
            details = [*details[:_NAMED], f"and {more} more"]
        raise PlanChangedError(
            f"the plan of {actual.stack} is not the one that was reviewed: {self.digest} was expected, it is"
            f" {actual.digest}; {about}" + (":" if details else ""),
            details=details,
            remedy="Nothing was created or changed. Review it again: `kingdom preview --save-plan FILE`.",
        )


def _differences(expected: Plan, actual: Plan) -> Iterator[str]:
    if expected.stack != actual.stack:
        yield f"the stack: {expected.stack} was reviewed"
    for urn in sorted({*expected.steps, *actual.steps}):
        before, after = expected.steps.get(urn), actual.steps.get(urn)
        if before is None and after is not None:
            yield _line(urn, after[0], "was not in the reviewed plan")
        elif after is None and before is not None:
            yield _line(urn, before[0], "is no longer planned")
        elif before is not None and after is not None and before != after:
            yield _line(urn, after[0], f"was {before[0]}" if before[0] != after[0] else "with other inputs")


def _line(urn: str, op: str, remark: str) -> str:
    type_ = urn.split("::")[2].rpartition("$")[2]
    return f"{op} {name_of(urn)} ({type_})" + (f": {remark}" if remark else "")


def _read(path: Path) -> Plan:
    remedy = "Give a digest (sha256: and 64 hexadecimal digits) or a file that `--save-plan` wrote."
    try:
        data = json.loads(path.read_text())
    except OSError as error:
        raise InputError(
            f"the expected plan {str(path)!r} cannot be read: {error.strerror}", remedy=remedy
        ) from None
    except ValueError as error:
        raise InputError(f"{path} is not a plan: {error}", remedy=remedy) from None
    try:
        plan = Plan(
            str(data["stack"]), {urn: (step["op"], step["digest"]) for urn, step in data["steps"].items()}
        )
        version, digest = data["version"], data["digest"]
    except (AttributeError, KeyError, TypeError):
        raise InputError(f"{path} is not a plan: it does not have the form of one", remedy=remedy) from None
    if version != VERSION:
        raise InputError(f"{path} is a plan of version {version}; this is {VERSION}", remedy=remedy)
    if digest != plan.digest:
        raise InputError(f"{path} was changed after it was written: its digest does not fit", remedy=remedy)
    return plan


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
