"""Selection of the resources of an operation, as by ``--target``, ``--exclude`` and ``--replace`` of the CLI.

The rules are those of ``pkg/resource/deploy`` in Pulumi: ``UrnTargets`` in ``deployment.go``, and the methods
of ``step_generator.go`` that are named below.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final

from rehearsal.engine.goal import Goal
from rehearsal.engine.state.resource_state import ResourceState
from rehearsal.pulumi.urn import ROOT_STACK_TYPE, is_provider, split_reference


@dataclass(frozen=True)
class Patterns:
    """URNs and patterns of URNs: ``*`` stands for any text without a colon, ``**`` for any text."""

    texts: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.texts)

    def match(self, urn: str) -> bool:
        """Return whether one of the patterns stands for `urn`; none does without patterns."""
        return urn in self.texts or any(_expression(text).fullmatch(urn) for text in self.globs)

    @property
    def globs(self) -> list[str]:
        return [text for text in self.texts if "*" in text]

    def unknown(self, known: Collection[str]) -> list[str]:
        """Return the URNs that are not in `known`; a pattern with ``*`` may stand for nothing."""
        return [text for text in self.texts if "*" not in text and text not in known]


@lru_cache
def _expression(glob: str) -> re.Pattern[str]:
    parts = ["[^:]*".join(map(re.escape, part.split("*"))) for part in glob.split("**")]
    return re.compile(".*".join(parts), re.DOTALL)


@dataclass(frozen=True)
class Targets:
    """Resources that an operation includes. By default these are all, and none is replaced on request.

    With `targets`, all others are left as they are; with `excludes`, those it names. `replaces` names
    resources to replace although they did not change. `target_dependents` and `exclude_dependents` extend the
    selection to all that depends on it.
    """

    targets: Patterns = field(default_factory=Patterns)
    excludes: Patterns = field(default_factory=Patterns)
    replaces: Patterns = field(default_factory=Patterns)
    target_dependents: bool = False
    exclude_dependents: bool = False

    @classmethod
    def of(
        cls,
        *,
        target: Sequence[str] = (),
        exclude: Sequence[str] = (),
        replace: Sequence[str] = (),
        target_replace: Sequence[str] = (),
        target_dependents: bool = False,
        exclude_dependents: bool = False,
    ) -> Targets:
        """Return the selection of the options of these names on the command line."""
        return cls(
            Patterns((*target, *target_replace)),
            Patterns(tuple(exclude)),
            Patterns((*replace, *target_replace)),
            target_dependents,
            exclude_dependents,
        )

    @property
    def partial(self) -> bool:
        """Whether the operation does not include all resources."""
        return bool(self.targets or self.excludes)

    def excluding(self, urns: Iterable[str]) -> Targets:
        """Return this selection without `urns` as well."""
        return replace(self, excludes=Patterns((*self.excludes.texts, *urns)))

    def deletable(self, records: Collection[ResourceState]) -> Callable[[str], bool]:
        """Return the predicate of URNs that may be deleted, given all records.

        With targets these are the targets and everything that depends on them
        (``determineAllowedResourcesToDeleteFromTargets``); with excludes all but the excluded resources and
        everything that they need (``determineForbiddenResourcesToDeleteFromExcludes``).
        """
        if self.targets:
            allowed = _dependents(records, [item.urn for item in records if self.targets.match(item.urn)])
            return allowed.__contains__
        if self.excludes:
            retained = self._retained(records)
            return lambda urn: urn not in retained
        return lambda urn: True

    def unrequested(self, urn: str) -> bool:
        """Return whether the deletion of `urn` follows from a target, but was not requested."""
        return bool(self.targets) and not self.target_dependents and not self.targets.match(urn)

    def _retained(self, records: Collection[ResourceState]) -> set[str]:
        found = {item.urn for item in records if self.excludes.match(item.urn)}
        while True:
            needed = _needs(records, found)
            if self.exclude_dependents:
                needed |= _dependents(records, needed)
            if needed <= found:
                return found
            found |= needed

    def refreshed(self, records: Iterable[ResourceState]) -> set[str]:
        """Return the URNs of those `records` that a refresh includes (``refresh`` of the CLI's executor)."""
        selected, extends = (
            (self.excludes, self.exclude_dependents)
            if self.excludes
            else (self.targets, self.target_dependents)
        )
        given = list(records)
        matched = {item.urn for item in given if selected.match(item.urn)}
        if extends:
            matched = _dependents(given, matched, providers=False)
        if self.targets:
            return matched
        return {item.urn for item in given} - matched


ALL: Final = Targets()


def _dependents(
    records: Collection[ResourceState], urns: Iterable[str], *, providers: bool = True
) -> set[str]:
    """Return `urns` with everything in `records` that refers to them, directly or through others.

    Without `providers`, the resources of a provider do not count as its dependents.
    """
    holders: dict[str, list[str]] = {}
    for item in records:
        provider = split_reference(item.provider)[0] if item.provider and not providers else ""
        for urn in item.references():
            if urn != provider:
                holders.setdefault(urn, []).append(item.urn)
    return _closure(urns, lambda urn: holders.get(urn, ()))


def _needs(records: Collection[ResourceState], urns: Iterable[str]) -> set[str]:
    """Return `urns` with everything that they refer to, and the children of components among that.

    Children count if they were recorded before the resource that refers to the component
    (``DependenciesOf`` in ``pkg/resource/graph/dependency_graph.go``).
    """
    by_urn: dict[str, list[ResourceState]] = {}
    position: dict[str, int] = {}
    children: dict[str, list[str]] = {}
    for at, item in enumerate(records):
        by_urn.setdefault(item.urn, []).append(item)
        position[item.urn] = at
        children.setdefault(item.parent, []).append(item.urn)

    def below(component: str, before: int) -> Iterable[str]:
        found = _closure([component], lambda urn: children.get(urn, ()))
        return (urn for urn in found if position[urn] < before)

    def needed(urn: str) -> Iterable[str]:
        for item in by_urn.get(urn, ()):
            for reference in item.references():
                yield reference
                target = by_urn.get(reference, ())
                if reference != item.parent and any(not one.custom for one in target):
                    yield from below(reference, position[urn])

    return _closure(urns, needed)


def _closure(urns: Iterable[str], following: Callable[[str], Iterable[str]]) -> set[str]:
    found: set[str] = set()
    pending = list(urns)
    while pending:
        urn = pending.pop()
        if urn not in found:
            found.add(urn)
            pending += following(urn)
    return found


def _always_included(goal: Goal) -> bool:
    return is_provider(goal.type) or goal.type == ROOT_STACK_TYPE


class Selection:
    """Selection of declared resources during an operation. Thread-safe.

    A resource is registered after everything it refers to, so dependents of targets are found in time.
    """

    def __init__(self, targets: Targets) -> None:
        self.targets = targets
        self._extended: set[str] = set()  # selected resources, or excluded ones, with their dependents
        self._skipped: set[str] = set()
        self._unchanged: set[str] = set()
        self._reported: set[str] = set()
        self._lock = threading.Lock()

    def includes(self, goal: Goal) -> bool:
        """Return whether the operation includes the declared resource `goal` (``isIncludedInOperation``).

        It always includes providers and the root stack.
        """
        targets = self.targets
        if not targets.partial:
            return True
        return _always_included(goal) or self._matches(goal) == bool(targets.targets)

    def extend(self, goal: Goal) -> None:
        """Select the dependents of `goal` too, if it is selected and dependents were requested.

        The CLI does so in ``continueStepsFromImport``, which a resource that is created again, or was only
        read before, leaves earlier.
        """
        if self._matches(goal) and not (_always_included(goal) and self.targets.excludes):
            with self._lock:
                self._extended.add(goal.urn)

    def _matches(self, goal: Goal) -> bool:
        """Return whether `goal` is one of the targets or excludes, or a dependent of one."""
        targets = self.targets
        patterns = targets.targets or targets.excludes
        extends = targets.target_dependents if targets.targets else targets.exclude_dependents
        with self._lock:
            return patterns.match(goal.urn) or (
                extends and any(urn in self._extended or patterns.match(urn) for urn in goal.references())
            )

    def replaces(self, urn: str) -> bool:
        """Return whether the replacement of `urn` was requested."""
        return self.targets.replaces.match(urn)

    def leave(self, urn: str) -> None:
        """Record that the record `urn` stays as it is, because the operation does not include it."""
        with self._lock:
            self._unchanged.add(urn)

    def needed(self, records: Iterable[ResourceState]) -> set[str]:
        """Return the URNs that unchanged records refer to, directly or through others.

        They stay although the program does not declare them (``getDependencySteps`` in the CLI).
        """
        with self._lock:
            left = set(self._unchanged)
        if not left:
            return left
        references = {item.urn: item.references for item in records if not item.delete}
        return _closure(left, lambda urn: references[urn]() if urn in references else ())

    def skip(self, urn: str) -> None:
        """Record that `urn` is not created, because the operation does not include it."""
        with self._lock:
            self._skipped.add(urn)

    def skipped(self, urn: str) -> bool:
        with self._lock:
            return urn in self._skipped

    def missing(self, goal: Goal) -> list[str]:
        """Return the resources that `goal` refers to and that are not created (``validateSteps``).

        Each is returned once. The CLI does not check references to new resources that are excluded, and ends
        with `snapshot integrity failure`.
        """
        with self._lock:
            found = [
                urn
                for urn in dict.fromkeys(goal.references())
                if urn in self._skipped and urn not in self._reported
            ]
            self._reported.update(found)
        return found
