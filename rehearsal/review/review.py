"""Review a change: plan every stack and compare it with the same stack at the base."""

from __future__ import annotations

import contextlib
import re
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Final

from rehearsal.engine.events import Remediation
from rehearsal.errors import InputError, KingdomError
from rehearsal.parallel_preview import Job, OnProgress, Outcome, Packs, preview_all
from rehearsal.pulumi.program_files import program_files
from rehearsal.pulumi.project import Project
from rehearsal.review.base_checkout import (
    Base,
    BaseUnusableError,
    checked_out,
    commit_of,
    head_of,
    named_head,
)
from rehearsal.review.changes.shared_identifiers import shared_identifiers
from rehearsal.review.changes.stack_file import cause, changed_settings, line_of
from rehearsal.review.findings import Finding, gather, gather_remedied
from rehearsal.review.rules.weakened import RuleChange, base_rules, head_rules, rule_changes
from rehearsal.review.stack_review import StackReview, Status, described

WEAKENED: Final = 4  # exit code: a rule is removed, disabled or relaxed
_SETTING: Final = re.compile(r"\b(?:policies|kingdom):[a-z]\w*(?:\.\w+)*")  # a setting in a remediation text
_WORST_FIRST: Final = (130, 2, 1, 3)


@dataclass(frozen=True)
class Review:
    """The reviews of all stacks, or an `error` instead; `commit` is "" outside a git repository."""

    stacks: tuple[StackReview, ...] = ()
    ref: str = ""
    base_commit: str = ""
    commit: str = ""
    dirty: bool = False
    seconds: float = 0.0
    error: KingdomError | None = None
    rule_changes: tuple[RuleChange, ...] = ()
    program_changed: bool = True
    shared: tuple[Finding, ...] = ()

    @cached_property
    def _gathered(self) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
        found, unevaluated = gather(item.result for item in self.stacks if item.result is not None)
        return (*self.shared, *map(self._caused, found)), unevaluated

    def _caused(self, item: Finding) -> Finding:
        """Return `item` with the changed setting that causes it, if one does."""
        for stack in self.stacks:
            if stack.stack not in item.stacks or stack.stack_file is None:
                continue
            text = f"{item.rule.name} {item.message}"
            only = item.mandatory and not self.program_changed
            setting = cause(stack.changed_settings, text, only=only)
            key, line = (setting.key, setting.line) if setting is not None else ("", 0)
            if not line and (named := _SETTING.search(item.rule.remediation)):
                key, line = named[0], line_of(stack.stack_file, named[0])
            if line:
                file = f"{stack.stack_file.parent.name}/{stack.stack_file.name}"
                return replace(item, setting=key, setting_file=file, setting_line=line)
        return item

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings of the policy pack, most urgent first."""
        return self._gathered[0]

    @property
    def unevaluated(self) -> tuple[Finding, ...]:
        """The rules that could not be evaluated yet."""
        return self._gathered[1]

    @cached_property
    def remediations(self) -> tuple[tuple[Remediation, tuple[str, ...]], ...]:
        """The fixes that the policy pack applied, and their stacks."""
        return gather_remedied(item.result for item in self.stacks if item.result is not None)

    @cached_property
    def withheld(self) -> tuple[Finding, ...]:
        """Findings that the base's rules report and the changed rules do not, or with a lower level."""
        found, _ = gather(
            item.base_evaluated.result
            for item in self.stacks
            if item.base_evaluated and item.base_evaluated.result
        )
        made = _by_subject(self.findings)
        subjects = _by_subject(found)
        left = []
        for item in found:
            stacks = tuple(
                stack
                for stack in item.stacks
                # Compare counts per subject: a change may reword the message of a finding.
                if len(subjects[_subject(item), stack]) > len(made.get((_subject(item), stack), ()))
                and item.message not in made.get((_subject(item), stack), ())
            )
            if stacks:
                left.append(replace(item, stacks=stacks))
        return tuple(left)

    @property
    def weakened(self) -> bool:
        """Whether a rule of the base is removed, disabled, relaxed or configured differently."""
        return bool(self.rule_changes or self.withheld)

    @property
    def failed(self) -> tuple[StackReview, ...]:
        return tuple(item for item in self.stacks if item.status is Status.FAILED)

    @property
    def refused(self) -> tuple[StackReview, ...]:
        return tuple(item for item in self.stacks if item.status is Status.REFUSED)

    @property
    def exit_code(self) -> int:
        """0 clean, 3 a mandatory policy is violated, 4 only the rules are weaker, 1 or 2 something failed.

        A base that cannot be planned does not affect the code: it must not fail the change that fixes it.
        """
        if self.error is not None:
            return self.error.exit_code
        codes = {item.exit_code for item in self.stacks}
        if self.shared:
            codes.add(3)
        code = next((code for code in _WORST_FIRST if code in codes), 0)
        return WEAKENED if code == 0 and self.weakened else code


def review(
    project: Project,
    stacks: Sequence[str],
    *,
    policies: Path | None,
    ref: str = "",
    head: str = "",
    progress: OnProgress | None = None,
) -> Review:
    """Plan the work tree for `stacks` (by default all), compared with `ref` if given.

    The program of the base is run on simulated providers in a temporary state, and the program of the work
    tree is planned against that state. If the base cannot be planned, the work tree is planned as a new
    stack. If the policy pack or its configuration differ, the plan is evaluated by the base's rules too. A
    stack that fails does not stop the others. `head` is the commit to name as the change, by default the
    checked-out one. Raises InputError for invalid refs.
    """
    began = time.monotonic()
    if not ref:
        jobs = [Job(project, stack, policies) for stack in stacks or project.stack_names()]
        outcomes = preview_all(jobs, progress=progress)
        commit, dirty = _head(project, head)
        return Review(
            tuple(_reviewed(project, outcome.job.stack, outcome, None) for outcome in outcomes),
            commit=commit,
            dirty=dirty,
            seconds=time.monotonic() - began,
            shared=() if stacks else shared_identifiers(project),
        )
    commit, dirty = named_head(project, head)
    try:
        with checked_out(project, ref) as base:
            compared, changes_ = _compared(project, base, stacks, policies, progress)
            base_commit = base.commit
            program_changed = _program(project) != _program(base.project)
    except BaseUnusableError as error:
        compared, changes_ = _from_nothing(project, stacks, policies, str(error), progress), ()
        base_commit, program_changed = commit_of(project, ref), True
    return Review(
        compared,
        ref,
        base_commit,
        commit,
        dirty,
        seconds=time.monotonic() - began,
        rule_changes=changes_,
        program_changed=program_changed,
        shared=() if stacks else shared_identifiers(project),
    )


def _program(project: Project) -> dict[str, bytes]:
    """Return the files of the program by their path below its folder, without the stack files."""
    return {
        str(path.relative_to(project.main)): path.read_bytes()
        for path in program_files(project.main)
        if path.parent != project.stacks or not path.name.startswith("Pulumi.")
    }


def _head(project: Project, head: str) -> tuple[str, bool]:
    if head:
        return named_head(project, head)
    with contextlib.suppress(InputError):
        return head_of(project)
    return "", False


def _from_nothing(
    project: Project,
    stacks: Sequence[str],
    policies: Path | None,
    reason: str,
    progress: OnProgress | None,
) -> tuple[StackReview, ...]:
    with tempfile.TemporaryDirectory(prefix="kingdom-") as folder:
        jobs = [
            Job(project, stack, policies, state=Path(folder) / stack)
            for stack in stacks or project.stack_names()
        ]
        return tuple(
            _reviewed(project, outcome.job.stack, outcome, None, base_error=reason)
            for outcome in preview_all(jobs, progress=progress)
        )


def _compared(
    project: Project,
    base: Base,
    stacks: Sequence[str],
    policies: Path | None,
    progress: OnProgress | None,
) -> tuple[tuple[StackReview, ...], tuple[RuleChange, ...]]:
    here, there = project.stack_names(), base.project.stack_names()
    stacks = stacks or [*here, *(name for name in there if name not in here)]
    heads = [Job(project, stack, policies) for stack in stacks if stack in here]
    heads = [_with_base_rules(job, base.project) for job in heads]
    before = [
        Job(base.project, stack, None, state=base.states / stack, apply=True)
        for stack in stacks
        if stack in there
    ]
    with Packs() as packs:
        packs.start(heads)
        bases = {
            outcome.job.stack: outcome for outcome in preview_all(before, progress=progress, packs=packs)
        }
        errors = {stack: reason for stack, outcome in bases.items() if (reason := _failure(outcome))}
        states = {stack: base.states / (f"{stack}.new" if stack in errors else stack) for stack in stacks}
        heads = [_with_state(job, states[job.stack]) for job in heads]
        outcomes = preview_all(heads, progress=progress, packs=packs)
    after = {outcome.job.stack: outcome for outcome in outcomes}
    again = {stack: outcome.compared for stack, outcome in after.items() if outcome.compared is not None}
    packs_of_base = {stack: outcome.pack or outcome.error for stack, outcome in again.items()}
    weaker = rule_changes(
        {stack: (pack, after[stack].pack) for stack, pack in packs_of_base.items() if pack is not None}
    )
    reviews = tuple(
        _reviewed(
            project if stack in after else base.project,
            stack,
            after.get(stack),
            bases.get(stack) if stack not in errors else None,
            base_error=errors.get(stack, ""),
            base_evaluated=again[stack] if stack in again and again[stack].pack is not None else None,
        )
        for stack in stacks
    )
    return reviews, weaker


def _with_base_rules(job: Job, base: Project) -> Job:
    """Return `job`, to be evaluated by the rules of `base` too if they differ."""
    if job.policies is None:
        return job
    try:
        rules = base_rules(job.project, base, job.stack, job.policies)
        if rules.digest() == head_rules(job.project, job.stack, job.policies).digest():
            return job
    except InputError:  # a stack file that cannot be read fails the plan
        return job
    return replace(job, compared=replace(job, policies=rules.pack, policy_config=rules.config))


def _with_state(job: Job, state: Path) -> Job:
    compared = None if job.compared is None else replace(job.compared, state=state)
    return replace(job, state=state, compared=compared)


def _failure(outcome: Outcome) -> str:
    """Return why a base cannot be planned; "" if it can."""
    if outcome.error is not None:
        return str(outcome.error)
    return "\n".join(map(described, outcome.result.errors)) if outcome.result is not None else ""


def _reviewed(
    project: Project,
    stack: str,
    head: Outcome | None,
    base: Outcome | None,
    *,
    base_error: str = "",
    base_evaluated: Outcome | None = None,
) -> StackReview:
    path, changed, undeployed = project.stacks / f"Pulumi.{stack}.yaml", (), False
    try:
        declared_ = project.stack(stack)
        billed = declared_.machine is None
        if base is not None and head is not None:
            before = base.job.project.stack(stack)
            changed = changed_settings(before, declared_)
            undeployed = before.machine is None and not billed
    except InputError:
        billed = True  # the stack file is invalid, which the plan reports
    return StackReview(stack, head, base, billed, base_error, base_evaluated, path, changed, undeployed)


def _subject(item: Finding) -> tuple[str, str, str, str]:
    return item.rule.name, item.type, item.resource, item.level


def _by_subject(
    findings: Sequence[Finding],
) -> dict[tuple[tuple[str, str, str, str], str], list[str]]:
    """Return the messages of `findings` by subject and stack."""
    found: dict[tuple[tuple[str, str, str, str], str], list[str]] = {}
    for item in findings:
        for stack in item.stacks:
            found.setdefault((_subject(item), stack), []).append(item.message)
    return found
