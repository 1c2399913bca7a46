"""A review as a comment on a pull request."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Final

from rehearsal.cli.display import shown
from rehearsal.engine.events import Op, PropertyChange, Step
from rehearsal.pulumi.properties import Change, format_path
from rehearsal.pulumi.urn import name_of, type_of
from rehearsal.review.cost_diff import Position, delta, positions, span, stand_ins, unpriced
from rehearsal.review.findings import Finding
from rehearsal.review.markdown_escape import block, code, prose
from rehearsal.review.review import Review, StackReview, Status
from rehearsal.review.rule_changes import described
from rehearsal.review.truncation import COMMENT_LIMIT, Section, fitted

MARKER: Final = "<!-- kingdom preview -->"  # by which the comment is found again
_OPS: Final = {Op.CREATE: "create", Op.UPDATE: "update", Op.REPLACE: "replace", Op.DELETE: "delete"}
_MARKS: Final = {Op.CREATE: "+", Op.UPDATE: "~", Op.REPLACE: "±", Op.DELETE: "-"}
_ORDER: Final = (Op.DELETE, Op.REPLACE, Op.UPDATE, Op.CREATE)
_FOLDED: Final = 8  # stacks whose changes are folded one by one; more are one list


def markdown(review: Review, limit: int = COMMENT_LIMIT) -> str:
    """The comment. What does not fit in `limit` characters is counted."""
    return fitted(list(_sections(review)), limit)


def _sections(review: Review) -> Iterator[Section]:
    yield Section(f"{MARKER}\n## Preview{_of(review)}\n\n{_verdict(review)}\n")
    if review.error is not None:
        yield Section("\n" + block(str(review.error)))
        return
    yield from _rules(review)
    yield _summary(review)
    uncompared: dict[str, list[str]] = {}
    for item in review.stacks:
        if item.base_error:
            uncompared.setdefault(item.base_error, []).append(code(item.stack))
    if uncompared:
        yield Section(
            "\n### Not compared: the base cannot be planned\n\nThese stacks are planned from nothing: every"
            " resource is new.\n",
            [f"\n{', '.join(stacks)}\n\n{block(reason)}" for reason, stacks in uncompared.items()],
            what="stacks not compared",
        )
    if review.failed:
        yield Section(
            "\n### Failed\n",
            [f"\n{code(item.stack)}\n\n{block(item.error)}" for item in review.failed],
            what="failed stacks",
        )
    if review.refused:
        yield Section(
            "\n### Protected: `up` refuses this\n\n",
            [
                f"- {code(found.source) + ' ' if found.source else ''}{code(name_of(found.urn))}"
                f" {prose(type_of(found.urn))} in {code(item.stack)}: {prose(found.message)}\n"
                for item in review.refused
                for found in item.protected
            ],
            what="protected resources",
        )
    yield from _findings(review)
    yield from _capacity(review)
    yield from _costs(review)
    yield from _changes(review)
    yield _digests(review)


def _rules(review: Review) -> Iterator[Section]:
    """What is weaker than at the base comes first: it decides what the rest of the comment is worth."""
    if not review.weakened:
        return
    yield Section(
        "\n### Rules that are weaker than at the base\n\nThe policy pack or its configuration changes what is"
        " checked. A code owner of `policies/` must approve this.\n\n",
        [
            *(
                f"- {prose(described(item))} in {', '.join(map(code, item.stacks))}\n"
                for item in review.rule_changes
            ),
            *(
                f"- the base's rules find: **{item.level}** {code(item.rule.name)}"
                f" {code(item.source) + ' ' if item.source else ''}{code(item.resource or 'the stack')} in"
                f" {_stacks(item)}: {prose(item.message)}\n"
                for item in review.withheld
            ),
        ],
        what="weaker rules",
    )
    unplanned = [item for item in review.stacks if item.base_judged and item.base_judged.result is None]
    if unplanned:
        yield Section(
            "",
            [
                f"- the base's rules could not judge {code(item.stack)}:"
                f" {prose(str(item.base_judged.error))}\n"
                for item in unplanned
                if item.base_judged
            ],
            what="stacks",
        )


def _of(review: Review) -> str:
    text = ""
    if review.commit:
        text += f" of {code(review.commit[:12])}"
        text += " and what is not committed yet" if review.dirty else ""
    if review.ref:
        text += f" against {code(review.ref)} ({code(review.base_commit[:12])})"
    return text


def _verdict(review: Review) -> str:
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
        parts.append(f"❌ **{_count(len(review.refused), 'stack')} would be refused**, for what is protected")
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
        parts.insert(0, "✅ No mandatory finding" if advisory else "✅ No findings")
    return ". ".join(parts) + "."


def _summary(review: Review) -> Section:
    head = (
        "\n| stack | result | create | update | replace | delete | unchanged | findings | USD a month |\n"
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | --- | --- |\n"
    )
    return Section(head, [_row(review, item) for item in review.stacks], what="stacks")


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
            "\n### Findings, what to mend first\n\n",
            [
                text
                for _, group in itertools.groupby(review.findings, key=lambda item: (item.rule, item.level))
                for text in _group(list(group))
            ],
            what="lines on findings",
        )
    if review.remediations:
        yield Section(
            "\n### Put right by the policies\n\n",
            [
                f"- {code(item.policy)}: {code(item.source) + ' ' if item.source else ''}"
                f"{code(name_of(item.urn))} in {', '.join(map(code, stacks))}\n"
                + "".join(f"  - {_change(change)}\n" for change in item.changes)
                for item, stacks in review.remediations
            ],
            what="remediations",
        )
    if review.unjudged:
        rules = {item.rule.name for item in review.unjudged}
        yield Section(
            f"\n<details><summary>Not judged yet, for values that are not known before they are created:"
            f" {_count(len(review.unjudged), 'resource')} by {_count(len(rules), 'policy', 'policies')}"
            "</summary>\n\n",
            [
                f"- {code(item.rule.name)}: {code(item.resource or 'the stack')} in {_stacks(item)}\n"
                for item in review.unjudged
            ],
            "\n</details>\n",
            "resources not judged",
        )


def _group(found: Sequence[Finding]) -> Iterator[str]:
    rule = found[0].rule
    severity = f", {rule.severity}" if rule.severity else ""
    tags = f" ({', '.join(code(tag) for tag in rule.tags[1:])})" if rule.tags[1:] else ""
    yield f"- **{found[0].level}{severity}** {code(rule.name)}: {prose(rule.description)}{tags}\n"
    for item in found:
        where = f"{code(item.source)} " if item.source else ""
        what = code(item.resource) if item.resource else "the stack"
        yield f"  - {where}{what} in {_stacks(item)}: {prose(item.message)}\n"
    if rule.remediation:
        yield f"  - To mend it: {prose(rule.remediation)}\n"


def _stacks(item: Finding) -> str:
    return ", ".join(code(stack) for stack in item.stacks)


def _capacity(review: Review) -> Iterator[Section]:
    rows = [
        f"| {code(item.stack)} | {prose(change.what)} | {code(change.before or '(none)')} |"
        f" {code(change.after or '(none)')} |\n"
        for item in review.stacks
        for change in item.capacity
    ]
    if rows:
        yield Section(
            "\n### Capacity\n\n| stack | what | before | after |\n| --- | --- | --- | --- |\n",
            rows,
            what="capacity numbers",
        )


def _costs(review: Review) -> Iterator[Section]:
    compared = [item for item in review.stacks if item.billed and item.base is not None and not item.error]
    rows = [
        _position(item, position) for item in compared for position in positions(item.base_costs, item.costs)
    ]
    if rows:
        yield Section(
            "\n### Costs, USD a month\n\n| stack | resource | position | before | after |\n"
            "| --- | --- | --- | ---: | ---: |\n",
            rows,
            what="positions",
        )
    priced = [item for item in review.stacks if item.costs is not None]
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
        f"\n<details><summary>What the amounts are: list prices of {dated} (`policies/pricing/prices.json`),"
        " from the fewest to the most nodes and the smallest to the largest tiers;"
        f" {_count(len(notes), 'remark')} on stand-ins and on what is in no sum</summary>\n\n",
        [f"- {', '.join(stacks)}: {text}\n" for text, stacks in notes.items()],
        "\n</details>\n",
        "remarks",
    )


def _position(item: StackReview, position: Position) -> str:
    before, after = span(*position.before), span(*position.after)
    return (
        f"| {code(item.stack)} | {code(position.resource)} | {prose(position.what)} | {before} | {after} |\n"
    )


def _names(names: Sequence[str]) -> str:
    first = ", ".join(code(name) for name in names[:5])
    return first + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _changes(review: Review) -> Iterator[Section]:
    changed = [item for item in review.stacks if item.changes]
    if not changed:
        return
    head = "\n### Changes\n"
    if len(changed) > _FOLDED:
        lines = [f"- {code(item.stack)}: {line[2:]}" for item in changed for line in _steps(item)]
        yield Section(head + "\n", lines, what="changed resources")
        return
    for item in changed:
        counts = ", ".join(f"{number} to {_OPS.get(op, op.value)}" for op, number in item.counts.items())
        yield Section(
            f"{head}\n<details><summary>{_summary_name(item.stack)}: {counts}</summary>\n\n",
            list(_steps(item)),
            "\n</details>\n",
            "changed resources",
        )
        head = ""


def _summary_name(stack: str) -> str:
    return f"<code>{prose(stack)}</code>"


def _steps(item: StackReview) -> Iterator[str]:
    """What is taken away before what is new: that is where a review looks first."""
    for step in sorted(item.changes, key=lambda step: (_ORDER.index(step.op), step.urn)):
        yield _step(step)


def _step(step: Step) -> str:
    where = f" {code(step.source)}" if step.source else ""
    notes = [
        note
        for wanted, note in (
            (step.op is Op.REPLACE and step.delete_before_replace, "deleted first"),
            (step.retained, "kept in the cloud"),
        )
        if wanted
    ]
    remark = f" ({', '.join(notes)})" if notes else ""
    mark = code(_MARKS.get(step.op, step.op.value))
    text = f"- {mark} {code(step.name)} {prose(step.type)}{remark}{where}\n"
    return text + "".join(f"  - {_change(change)}\n" for change in step.changes)


def _change(change: PropertyChange) -> str:
    path = code(format_path(change.path))
    replaces = " **forces replacement**" if change.replaces else ""
    match change.kind:
        case Change.ADD:
            return f"{path}: added {code(shown(change.new))}{replaces}"
        case Change.DELETE:
            return f"{path}: removed {code(shown(change.old))}{replaces}"
        case _:
            return f"{path}: {code(shown(change.old))} → {code(shown(change.new))}{replaces}"


def _digests(review: Review) -> Section:
    rows = [
        f"| {code(item.stack)} | {code(item.plan.digest)} |\n"
        for item in review.stacks
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
