"""Events and results of an operation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from rehearsal.engine.state.resource_state import Snapshot
from rehearsal.pulumi.properties import Change, Path
from rehearsal.pulumi.urn import is_default_provider, name_of


class Op(StrEnum):
    """Operation on one resource, with Pulumi's names."""

    SAME = "same"
    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    READ = "read"
    IMPORT = "import"
    REFRESH = "refresh"


@dataclass(frozen=True)
class PropertyChange:
    """Change of one property. `old` and `new` may hold secrets and unknowns, which displays mask."""

    path: Path
    kind: Change
    old: Any = None
    new: Any = None
    replaces: bool = False


@dataclass(frozen=True)
class Step:
    """Operation on one resource. `source` is ``file:line`` of its declaration, where known."""

    op: Op
    urn: str
    type: str
    custom: bool
    parent: str = ""
    source: str = ""
    changes: tuple[PropertyChange, ...] = ()
    delete_before_replace: bool = False
    retained: bool = False

    @property
    def name(self) -> str:
        return name_of(self.urn)


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    DEBUG = "debug"


@dataclass(frozen=True)
class Diagnostic:
    """Message about a resource, or about the operation if `urn` is empty.

    `protected` marks an error that only fails an update, not a plan: a protected resource would be deleted.
    `logged` marks a message of the program, which does not fail the operation whatever its severity.
    """

    severity: Severity
    message: str
    urn: str = ""
    source: str = ""
    protected: bool = False
    logged: bool = False


@dataclass(frozen=True)
class Violation:
    """Finding of the policy pack. `level` is the enforcement level ``mandatory`` or ``advisory``, or
    ``unevaluated`` if the rule could not be evaluated because a value is unknown in a preview.
    """

    policy: str
    pack: str
    level: str
    message: str
    description: str = ""
    urn: str = ""
    source: str = ""

    @property
    def mandatory(self) -> bool:
        return self.level == "mandatory"

    @property
    def reason(self) -> str:
        """The message without the policy SDK's preamble about unknown values."""
        return self.message.partition(" during preview: ")[2] or self.message


@dataclass(frozen=True)
class Remediation:
    """Changes that a policy made to the inputs of a resource before they were evaluated and compared."""

    policy: str
    pack: str
    urn: str
    source: str = ""
    changes: tuple[PropertyChange, ...] = ()
    description: str = ""


class Listener(Protocol):
    """Receives the events of an operation. Called from many threads."""

    def begun(self, step: Step) -> None: ...

    def done(self, step: Step) -> None: ...

    def failed(self, step: Step, reason: str) -> None: ...

    def diagnostic(self, diagnostic: Diagnostic) -> None: ...


class Silent:
    """Listener that discards all events."""

    def begun(self, step: Step) -> None:
        pass

    def done(self, step: Step) -> None:
        pass

    def failed(self, step: Step, reason: str) -> None:
        pass

    def diagnostic(self, diagnostic: Diagnostic) -> None:
        pass


@dataclass(frozen=True)
class Result:
    """Outcome of an operation: its steps, diagnostics and findings, and the resulting stack."""

    stack: str
    steps: Sequence[Step] = ()
    diagnostics: Sequence[Diagnostic] = ()
    violations: Sequence[Violation] = ()
    remediations: Sequence[Remediation] = ()
    outputs: Mapping[str, Any] = field(default_factory=dict)
    snapshot: Snapshot = field(default_factory=Snapshot)
    policy_pack: str = ""
    planned: bool = False  # True for a preview
    interrupted: bool = False
    compared: Result | None = None  # the same plan with the findings of a second pack

    @property
    def counts(self) -> dict[Op, int]:
        """Number of resources by operation, counted as Pulumi does: with the root stack, without default
        providers.
        """
        counts = dict.fromkeys(Op, 0)
        for step in self.steps:
            if not is_default_provider(step.urn):
                counts[step.op] += 1
        return {op: count for op, count in counts.items() if count}

    @property
    def changed(self) -> bool:
        return any(step.op not in (Op.SAME, Op.READ) for step in self.steps)

    @property
    def errors(self) -> list[Diagnostic]:
        return [item for item in self.diagnostics if item.severity is Severity.ERROR and not item.logged]

    @property
    def mandatory(self) -> list[Violation]:
        return [violation for violation in self.violations if violation.mandatory]

    @property
    def ok(self) -> bool:
        return not self.errors and not self.mandatory and not self.interrupted
