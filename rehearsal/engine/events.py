"""What an operation tells while it works, and what it found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from rehearsal.engine.state.resource_state import Snapshot
from rehearsal.pulumi.properties import Change, Path
from rehearsal.pulumi.urn import is_default_provider, name_of


class Op(StrEnum):
    """What is done with one resource, in Pulumi's words."""

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
    """One property of a diff. `old` and `new` may hold secrets and unknowns; displays mask them."""

    path: Path
    kind: Change
    old: Any = None
    new: Any = None
    replaces: bool = False


@dataclass(frozen=True)
class Step:
    """One resource and what is done with it. `source` is ``file:line`` of the declaring code, where known."""

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
    """A message about a resource, or about the whole operation where `urn` is empty.

    `protected` is an error for which a plan still stands as far as it goes: an update refuses it for what it
    would take away. `logged` is a message of the program, which is no failure whatever its severity.
    """

    severity: Severity
    message: str
    urn: str = ""
    source: str = ""
    protected: bool = False
    logged: bool = False


@dataclass(frozen=True)
class Violation:
    """A finding of the policy pack. `level` is ``mandatory`` or ``advisory``, as the pack's process says, or
    ``unevaluated`` where the rule could not be applied to a value that is not known yet.
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
    """What a policy put right in the inputs of a resource, before they were judged and compared."""

    policy: str
    pack: str
    urn: str
    source: str = ""
    changes: tuple[PropertyChange, ...] = ()
    description: str = ""


class Listener(Protocol):
    """Hears of an operation's progress. Called from many threads."""

    def begun(self, step: Step) -> None: ...

    def done(self, step: Step) -> None: ...

    def failed(self, step: Step, reason: str) -> None: ...

    def diagnostic(self, diagnostic: Diagnostic) -> None: ...


class Silent:
    """A listener that does nothing."""

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
    """The outcome of an operation: what was (or would be) done, what was said, and the stack afterwards."""

    stack: str
    steps: Sequence[Step] = ()
    diagnostics: Sequence[Diagnostic] = ()
    violations: Sequence[Violation] = ()
    remediations: Sequence[Remediation] = ()
    outputs: Mapping[str, Any] = field(default_factory=dict)
    snapshot: Snapshot = field(default_factory=Snapshot)
    policy_pack: str = ""
    planned: bool = False  # what would be done, as opposed to what was
    interrupted: bool = False

    @property
    def counts(self) -> dict[Op, int]:
        """How many resources each operation concerns, as Pulumi counts: with the root stack, without default
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
