"""The search for the capacity as one HTML file."""

from __future__ import annotations

from collections.abc import Callable

from loadtest.capacity import Capacity, Step
from loadtest.generator.recorder import Window
from loadtest.report import commit, machine_class
from loadtest.targets import PERCENTILE_LIMITS
from rehearsal.report.page import Limit, Page, Plot, Series, TableBlock, render


def to_html(found: Capacity, mix: str, seed: int) -> str:
    """Return the HTML report: throughput and response times over the offered rate, and all steps."""
    # If a rate was measured twice, the first attempt was invalid.
    by_rate = {step.rate: step for step in found.steps}
    steps = [by_rate[rate] for rate in sorted(by_rate)]

    def values(read: Callable[[Window], float]) -> list[float | None]:
        return [None if step.invalid else read(step.run.total) for step in steps]

    return render(
        Page(
            "Capacity",
            found.text(),
            None if found.invalid else bool(found.rate),
            [
                ("load", f"mix {mix}, seed {seed}"),
                ("machine", machine_class()),
                ("commit", commit() or "unknown"),
            ],
            [_table(found)],
            [step.rate for step in steps],
            [
                Plot("Throughput", "/s", [Series("good responses", values(lambda total: total.good_rate))]),
                Plot("Requests in flight", "", [Series("mean", values(lambda total: total.in_flight))]),
                Plot("Response time from the intended start", "ms", [
                    Series("P50", values(lambda total: total.p50 * 1000)),
                    Series("P95", values(lambda total: total.p95 * 1000)),
                    Series("P99", values(lambda total: total.p99 * 1000)),
                ], [Limit(name, limit * 1000) for name, limit in PERCENTILE_LIMITS.items()]),
                Plot("Errors", "%", [Series("errors", values(lambda total: 100 * total.error_share))]),
            ],
            axis=("offered requests/s", "/s"),
        )
    )  # fmt: skip


def _table(found: Capacity) -> TableBlock:
    return TableBlock(
        "Steps in the order in which they ran",
        ("offered", "good", "in flight", "P50", "P95", "P99", "errors", ""),
        [_row(step) for step in found.steps],
        [number for number, step in enumerate(found.steps) if not step.holds],
    )


def _row(step: Step) -> tuple[str, ...]:
    total = step.run.total
    return (
        f"{step.rate:g}/s", f"{total.good_rate:.1f}/s", f"{total.in_flight:.1f}",
        *(f"{each * 1000:.0f} ms" for each in (total.p50, total.p95, total.p99)),
        f"{total.error_share:.2%}",
        f"invalid: {'; '.join(step.invalid)}" if step.invalid else "holds" if step.holds else "missed",
    )  # fmt: skip
