"""A review as a comment on a pull request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rehearsal.cli.display import shown
from rehearsal.engine.events import Op, PropertyChange, Step
from rehearsal.pulumi.properties import Change, Value, format_path
from rehearsal.pulumi.urn import name_of, type_of
from rehearsal.review.changes.capacity import CapacityChange
from rehearsal.review.changes.cost_diff import Position, delta, positions, span, stand_ins, unpriced
from rehearsal.review.changes.impact import Effect, Weight
from rehearsal.review.changes.planned_values import assigned_values, created_inputs
from rehearsal.review.findings import Finding, RuleInfo, causes
from rehearsal.review.formats.markdown_escape import block, code, prose
from rehearsal.review.formats.truncation import COMMENT_LIMIT, Section, fitted
from rehearsal.review.review import Review
from rehearsal.review.rules.weakened import RuleChange, described
from rehearsal.review.stack_review import StackReview, Status

MARKER: Final = "<!-- kingdom preview -->"  # identifies the comment, which later reviews update
_OPS: Final = {Op.CREATE: "create", Op.UPDATE: "update", Op.REPLACE: "replace", Op.DELETE: "delete"}
_MARKS: Final = {Op.CREATE: "+", Op.UPDATE: "~", Op.REPLACE: "±", Op.DELETE: "-"}
_ORDER: Final = (Op.DELETE, Op.REPLACE, Op.UPDATE, Op.CREATE)
_FOLDED: Final = 8  # maximum stacks with a folded section of changes each; more share one section
_SHOWN: Final = 3  # maximum findings of one cause before the rest is folded
_LISTED: Final = 60  # maximum findings of one cause, folded ones included
_ALIKE: Final = 2  # maximum resources with an equal change that have an entry each; more share one entry
_SIGNS: Final = {
    Weight.CONFLICT: "❌",
    Weight.LOSS: "❌",
    Weight.INTERRUPTION: "⚠️",
    Weight.RESTART: "🔄",
    Weight.HINT: "💡",
}


def markdown(review: Review, limit: int = COMMENT_LIMIT) -> str:
    """Return the comment in at most `limit` characters; entries that do not fit are counted, not listed."""
    return fitted(list(_sections(review)), limit)


def _sections(review: Review) -> Iterator[Section]:
    yield Section(f"{MARKER}\n## Preview{_of(review)}\n\n{_result(review)}\n")
    if review.error is not None:
        yield Section("\n" + block(str(review.error)))
        return
    yield from _rules(review)
    yield from _effects(review)
    yield _summary(review)
    yield from _uncompared(review)
    yield from _failed(review)
    yield from _refused(review)
    yield from _findings(review)
    yield from _capacity(review)
    yield from _costs(review)
    yield from _changes(review)
    yield _digests(review)


def _in_order(review: Review) -> list[StackReview]:
    """Return the stacks in the reverse order of their deployment: prod first."""
    return list(reversed(review.stacks))


def _names_of(stacks: Sequence[str]) -> str:
    return ", ".join(code(stack) for stack in stacks)


def _effects(review: Review) -> Iterator[Section]:
    """Yield losses, interruptions and restarts as text."""
    found: dict[Effect, list[str]] = {}
    for item in _in_order(review):
        for effect in item.effects:
            found.setdefault(effect, []).append(item.stack)
    if not found:
        return
    order = sorted(found, key=lambda effect: effect.weight)
    lines = [f"- {_SIGNS[one.weight]} {_names_of(found[one])}: {prose(one.text)}\n" for one in order]
    yield Section("\n", lines, what="effects")


def _uncompared(review: Review) -> Iterator[Section]:
    found: dict[str, list[str]] = {}
    for item in _in_order(review):
        if item.base_error:
            found.setdefault(item.base_error, []).append(item.stack)
    if found:
        yield Section(
            "\n### Not compared: the base cannot be planned\n\nThese stacks are planned as new ones: every"
            " resource is created.\n",
            [f"\n{_names_of(stacks)}\n\n{block(reason)}" for reason, stacks in found.items()],
            what="stacks not compared",
        )


def _failed(review: Review) -> Iterator[Section]:
    failed = [item for item in _in_order(review) if item.status is Status.FAILED]
    if not failed:
        return
    alike: dict[tuple[str, ...], list[str]] = {}
    for item in failed:
        alike.setdefault(tuple(_reasons(item)), []).append(item.stack)
    parts = [text for lines, stacks in alike.items() for text in (f"\n{_names_of(stacks)}\n\n", *lines)]
    yield Section("\n### Failed\n", parts, what="lines on failures")


def _reasons(item: StackReview) -> Iterator[str]:
    """Yield why a stack could not be planned: its wrong settings with their lines, or the error."""
    if item.wrong_settings and item.stack_file is not None:
        for wrong in item.wrong_settings:
            yield f"- {code(f'stacks/{item.stack_file.name}:{wrong.line}')} {prose(wrong.message)}\n"
    else:
        yield block(item.error)


def _refused(review: Review) -> Iterator[Section]:
    found: dict[tuple[str, str, str, str], list[str]] = {}
    for item in _in_order(review):
        for one in item.protected:
            # The URN in the message differs by stack, so that equal errors would not be merged.
            message = one.message.replace(one.urn, name_of(one.urn))
            key = (one.source, name_of(one.urn), type_of(one.urn), message)
            found.setdefault(key, []).append(item.stack)
    if found:
        yield Section(
            "\n### Protected: `up` refuses this\n\n",
            [
                f"- {code(source) + ' ' if source else ''}{code(name)} {prose(type_)} in {_names_of(stacks)}:"
                f" {prose(message)}\n"
                for (source, name, type_, message), stacks in found.items()
            ],
            what="protected resources",
        )


def _rules(review: Review) -> Iterator[Section]:
    """Yield the weakened rules, and the findings that only the base's rules report."""
    if not review.weakened:
        return
    alike: dict[tuple[str, tuple[str, ...]], list[RuleChange]] = {}
    for change in review.rule_changes:
        key = (change.kind, change.stacks) if change.kind in ("removed", "disabled") else (change.rule, ())
        alike.setdefault(key, []).append(change)
    yield Section(
        "\n### Rules that are weaker than at the base\n\nThe policy pack or its configuration changes what is"
        " checked. A code owner of `policies/` must approve this.\n\n",
        [
            *(
                f"- {prose(described(change))} in {_rule_stacks(change)}\n"
                for changes in alike.values()
                if len(changes) <= _SHOWN
                for change in changes
            ),
            *(
                f"- {len(changes)} rules are {changes[0].kind} in {_rule_stacks(changes[0])}\n"
                f"  <details><summary>which</summary>\n\n"
                f"  {', '.join(code(change.rule) for change in changes)}\n\n  </details>\n"
                for changes in alike.values()
                if len(changes) > _SHOWN
            ),
            *(
                f"- the base's rules find: {_cause(group).removeprefix('- ')}"
                for group in causes(review.withheld)
            ),
        ],
        what="weaker rules",
    )
    unplanned = [item for item in review.stacks if item.base_evaluated and item.base_evaluated.result is None]
    if unplanned:
        yield Section(
            "",
            [
                f"- the base's rules could not be evaluated on {code(item.stack)}:"
                f" {prose(str(item.base_evaluated.error))}\n"
                for item in unplanned
                if item.base_evaluated
            ],
            what="stacks",
        )


def _rule_stacks(change: RuleChange) -> str:
    return _names(tuple(reversed(change.stacks)))


def _of(review: Review) -> str:
    text = ""
    if review.commit:
        text += f" of {code(review.commit[:12])}"
        text += " with uncommitted changes" if review.dirty else ""
    if review.ref:
        text += f" against {code(review.ref)} ({code(review.base_commit[:12])})"
    return text


def _result(review: Review) -> str:
    if review.error is not None:
        return "❌ **The preview failed**; nothing was planned."
    parts = []
    if review.weakened:
        rules = len(
            {item.rule for item in review.rule_changes} | {item.rule.name for item in review.withheld}
        )
        parts.append(f"⚠️ **{_count(rules, 'rule is', 'rules are')} weaker than at the base**")
    if review.failed:
        parts.append(f"❌ **{_count(len(review.failed), 'stack')} could not be planned**")
    if review.refused:
        why = [
            text
            for text, true in (
                ("protected resources", any(item.protected for item in review.refused)),
                ("names that are taken", any(item.conflicts for item in review.refused)),
            )
            if true
        ]
        parts.append(
            f"❌ **{_count(len(review.refused), 'stack')} would be refused**, because of {' and '.join(why)}"
        )
    mandatory = sum(item.mandatory for item in review.findings)
    advisory = len(review.findings) - mandatory
    if mandatory:
        parts.append(f"❌ **{_count(mandatory, 'mandatory finding')}**")
    changed = [item for item in review.stacks if item.status not in (Status.FAILED, Status.UNCHANGED)]
    planned = len(review.stacks) - len(review.failed)
    if changed:
        parts.append(f"{len(changed)} of {_count(len(review.stacks), 'stack')} change")
    elif planned:
        parts.append(f"**Nothing changes** in {'any stack' if not review.failed else 'the others'}")
    if advisory:
        parts.append(_count(advisory, "advisory finding"))
    if not (mandatory or review.failed or review.refused or review.weakened):
        clean = "No mandatory finding" if advisory else "No findings"
        lost = [item for item in review.stacks if any(one.weight is Weight.LOSS for one in item.effects)]
        sign = f"❌ **Losses in {_count(len(lost), 'stack')}, see below**. " if lost else "✅ "
        parts.insert(0, sign + clean)
    return ". ".join(parts) + "."


def _summary(review: Review) -> Section:
    head = (
        "\n| stack | result | create | update | replace | delete | unchanged | findings | USD a month |\n"
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | --- | --- |\n"
    )
    return Section(head, [_row(review, item) for item in _in_order(review)], what="stacks")


def _row(review: Review, item: StackReview) -> str:
    counts = " | ".join(str(item.counts.get(op, 0) or "") for op in _OPS)
    mine = [found for found in review.findings if item.stack in found.stacks]
    mandatory = sum(found.mandatory for found in mine)
    findings = ", ".join(
        f"{number} {level}"
        for number, level in ((mandatory, "mandatory"), (len(mine) - mandatory, "advisory"))
        if number
    )
    loud = item.status in (Status.FAILED, Status.REFUSED)
    status = f"**{item.status.value}**" if loud else item.status.value
    return (
        f"| {code(item.stack)} | {status} | {counts} | {item.unchanged or ''} |"
        f" {findings or 'none'} | {_money(item)} |\n"
    )


def _money(item: StackReview) -> str:
    if not item.billed:
        return "runs on this machine"
    after, before = item.costs, item.base_costs
    if item.status is Status.REMOVED and before is not None:
        return f"none (was {span(before.minimum, before.maximum)})"
    if after is None:
        return "not known"
    text = span(after.minimum, after.maximum)
    return f"{text} ({delta(before, after)})" if before is not None else text


def _findings(review: Review) -> Iterator[Section]:
    if review.findings:
        yield Section(
            "\n### Findings, most urgent first\n\n",
            [_cause(group) for group in causes(review.findings)],
            what="causes of findings",
        )
    if review.remediations:
        yield Section(
            "\n### Fixed by the policies\n\n",
            [
                f"- {code(item.policy)}: {code(item.source) + ' ' if item.source else ''}"
                f"{code(name_of(item.urn))} in {_names(tuple(reversed(stacks)))}\n"
                + "".join(f"  - {_change(change)}\n" for change in item.changes)
                for item, stacks in review.remediations
            ],
            what="remediations",
        )
    if review.unevaluated:
        rules = {item.rule.name for item in review.unevaluated}
        yield Section(
            f"\n<details><summary>Not evaluated yet, for values that are unknown until they are created:"
            f" {_count(len(review.unevaluated), 'resource')} by {_count(len(rules), 'policy', 'policies')}"
            "</summary>\n\n",
            [
                f"- {code(item.rule.name)}: {code(item.resource or 'the stack')} in {_stacks(item)}:"
                f" {prose(item.message)}\n"
                for item in review.unevaluated
            ],
            "\n</details>\n",
            "resources not evaluated",
        )


def _cause(group: Sequence[Finding]) -> str:
    """Return the entry of a cause: one finding, one rule on many resources, or many rules on one resource."""
    first = group[0]
    rules = list(dict.fromkeys(item.rule for item in group))
    where = f"{code(first.source)} " if first.source else ""
    if len(group) == 1:
        head = f"- {_level(first)} {code(first.rule.name)} {where}{_subject(first)} in {_stacks(first)}"
        return f"{head}: {prose(first.message)}\n{_remedy(first.rule)}"
    if len(rules) == 1:
        lines = [
            f"  - {code(item.source) + ' ' if item.source else ''}{_subject(item)} in {_stacks(item)}:"
            f" {prose(item.message)}\n"
            for item in group
        ]
        head = f"- {_level(first)} {code(first.rule.name)}: {prose(first.rule.description)}\n"
        return head + _some(lines) + _remedy(first.rule)
    mandatory = sum(item.mandatory for item in group)
    counts = [
        f"{number} {level}"
        for number, level in ((mandatory, "mandatory"), (len(group) - mandatory, "advisory"))
        if number
    ]
    head = (
        f"- {_level(first)} {where}{_subject(first)} in {_stacks(first)}: {' and '.join(counts)} findings\n"
    )
    return head + _some([f"  - {code(item.rule.name)}: {prose(item.message)}\n" for item in group])


def _some(lines: Sequence[str]) -> str:
    """Return the first lines, then the others in a folded block."""
    if len(lines) <= _SHOWN + 1:
        return "".join(lines)
    rest = "".join(line.removeprefix("  ") for line in lines[_SHOWN:_LISTED])
    if len(lines) > _LISTED:
        rest += f"- _… and {len(lines) - _LISTED:,} more of {len(lines):,} findings._\n"
    indented = "".join(f"    {line}" for line in rest.splitlines(keepends=True))
    head = f"  - <details><summary>{len(lines) - _SHOWN} more</summary>\n\n"
    return "".join(lines[:_SHOWN]) + head + indented + "\n    </details>\n"


def _level(item: Finding) -> str:
    return f"**{item.level}{f', {item.rule.severity}' if item.rule.severity else ''}**"


def _subject(item: Finding) -> str:
    return code(item.resource) if item.resource else "the stack"


def _remedy(rule: RuleInfo) -> str:
    return f"  - To fix it: {prose(rule.remediation)}\n" if rule.remediation else ""


def _stacks(item: Finding) -> str:
    return _names(tuple(reversed(item.stacks)))


def _capacity(review: Review) -> Iterator[Section]:
    found: dict[CapacityChange, list[str]] = {}
    for item in _in_order(review):
        for change in item.capacity:
            found.setdefault(change, []).append(item.stack)
    rows = [
        f"| {_names_of(stacks)} | {prose(change.what)} | {code(change.before or '(none)')} |"
        f" {code(change.after or '(none)')} |\n"
        for change, stacks in found.items()
    ]
    forecasts: dict[str, list[str]] = {}
    for item in _in_order(review):
        if item.load_forecast is not None:
            forecasts.setdefault(item.load_forecast.text(), []).append(item.stack)
    title = "\n### Capacity\n"
    if forecasts:
        lines = [f"- {_names_of(stacks)}: {prose(text)}\n" for text, stacks in forecasts.items()]
        yield Section(f"{title}\n", lines, what="forecasts")
        title = ""
    if rows:
        yield Section(
            f"{title}\n| stack | what | before | after |\n| --- | --- | --- | --- |\n",
            rows,
            what="capacity numbers",
        )


def _costs(review: Review) -> Iterator[Section]:
    compared = [
        item
        for item in _in_order(review)
        if item.billed and item.base is not None and item.head is not None and not item.error
    ]
    found: dict[Position, list[str]] = {}
    for item in compared:
        for position in positions(item.base_costs, item.costs):
            found.setdefault(position, []).append(item.stack)
    rows = [_position(stacks, position) for position, stacks in found.items()]
    if rows:
        yield Section(
            "\n### Costs, USD a month\n\n| stack | resource | position | before | after |\n"
            "| --- | --- | --- | ---: | ---: |\n",
            rows,
            what="positions",
        )
    priced = [item for item in _in_order(review) if item.costs is not None]
    if not priced:
        return
    notes: dict[str, list[str]] = {}
    for item in priced:
        assert item.costs is not None
        for region, names in stand_ins(item.costs):
            text = f"prices of {code(region)} stand in for {_names(names)}"
            notes.setdefault(text, []).append(code(item.stack))
        for why, names in unpriced(item.costs):
            notes.setdefault(f"{prose(why)}: {_names(names)}", []).append(code(item.stack))
    dated = priced[0].costs.dated if priced[0].costs is not None else ""
    yield Section(
        f"\n<details><summary>About the amounts: list prices of {dated} (`policies/pricing/prices.json`),"
        " from the fewest to the most nodes and the smallest to the largest tiers;"
        f" {_count(len(notes), 'remark')} on stand-in prices and on what is not included</summary>\n\n",
        [f"- {', '.join(stacks)}: {text}\n" for text, stacks in notes.items()],
        "\n</details>\n",
        "remarks",
    )


def _position(stacks: Sequence[str], position: Position) -> str:
    before, after = span(*position.before), span(*position.after)
    return (
        f"| {_names_of(stacks)} | {code(position.resource)} | {prose(position.what)} | {before} | {after} |\n"
    )


def _names(names: Sequence[str]) -> str:
    first = ", ".join(code(name) for name in names[:5])
    return first + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _changes(review: Review) -> Iterator[Section]:
    """Yield the changed resources of each stack; stacks with equal changes share one list."""
    alike: dict[tuple[str, ...], list[StackReview]] = {}
    for item in _in_order(review):
        if item.changes:
            alike.setdefault(tuple(_steps(item)), []).append(item)
    head = "\n### Changes\n"
    if len(alike) > _FOLDED:
        lines = [
            f"- {_names_of([item.stack for item in items])}: {line[2:]}"
            for steps, items in alike.items()
            for line in steps
        ]
        yield Section(head + "\n", lines, what="changed resources")
        return
    for steps, items in alike.items():
        counts = ", ".join(f"{number} to {_OPS.get(op, op.value)}" for op, number in items[0].counts.items())
        names = ", ".join(_summary_name(item.stack) for item in items)
        yield Section(
            f"{head}\n<details><summary>{names}: {counts}</summary>\n\n",
            list(steps),
            "\n</details>\n",
            "changed resources",
        )
        head = ""


def _summary_name(stack: str) -> str:
    return f"<code>{prose(stack)}</code>"


def _steps(item: StackReview) -> Iterator[str]:
    """Yield one entry for each change, deletions first.

    Equal changes of several resources share an entry.
    """
    assigned = assigned_values(item)
    inputs = created_inputs(item)
    groups: dict[tuple[Op, str, str], list[Step]] = {}
    for step in sorted(item.changes, key=lambda step: (_ORDER.index(step.op), step.urn)):
        lines = "".join(f"  - {_change(change, assigned)}\n" for change in step.changes)
        lines += "".join(
            f"  - {code(path)}: {code(shown(value))}{_marked(value, assigned)}\n"
            for path, value in inputs.get(step.urn, ())
        )
        groups.setdefault((step.op, _remark(step), lines), []).append(step)
    for (op, remark, lines), steps in groups.items():
        mark = code(_MARKS.get(op, op.value))
        if len(steps) > _ALIKE and lines:
            names = _names([step.name for step in steps])
            yield f"- {mark} the same in {len(steps)} resources: {names}{remark}\n{lines}"
            continue
        for step in steps:
            where = f" {code(step.source)}" if step.source else ""
            yield f"- {mark} {code(step.name)} {prose(step.type)}{remark}{where}\n{lines}"


def _remark(step: Step) -> str:
    notes = [
        note
        for wanted, note in (
            (step.op is Op.REPLACE and step.delete_before_replace, "deleted first"),
            (step.retained, "retained in the cloud"),
        )
        if wanted
    ]
    return f" ({', '.join(notes)})" if notes else ""


def _change(change: PropertyChange, assigned: frozenset[str] = frozenset()) -> str:
    path = code(format_path(change.path))
    replaces = " **forces replacement**" if change.replaces else ""
    old = f"{code(shown(change.old))}{_marked(change.old, assigned)}"
    new = f"{code(shown(change.new))}{_marked(change.new, assigned)}"
    match change.kind:
        case Change.ADD:
            return f"{path}: added {new}{replaces}"
        case Change.DELETE:
            return f"{path}: removed {old}{replaces}"
        case _:
            return f"{path}: {old} → {new}{replaces}"


def _marked(value: Value, assigned: frozenset[str]) -> str:
    """Return a note if `value` contains a generated value that the cloud will assign; else ""."""
    text = shown(value)
    return " (generated)" if any(one in text for one in assigned) else ""


def _digests(review: Review) -> Section:
    rows = [
        f"| {code(item.stack)} | {code(item.plan.digest)} |\n"
        for item in _in_order(review)
        if item.plan is not None
    ]
    if not rows:
        return Section("")
    return Section(
        "\n<details><summary>Digests of these plans</summary>\n\n| stack | digest |\n| --- | --- |\n",
        rows,
        "\n</details>\n",
        "digests",
    )


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"
