"""The result of a run as JSON, as text, and as one HTML file."""

from __future__ import annotations

import os
import platform as machine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from loadtest.generator.recorder import as_json
from loadtest.run import WARM_UP_SECONDS, Run
from loadtest.targets import ERROR_SHARE, PERCENTILE_LIMITS
from rehearsal.errors import InputError
from rehearsal.git import run_git
from rehearsal.report.page import Limit, Marker, Page, Plot, Series, TableBlock, render

FORMAT: Final = 2
_WINDOW_SECONDS: Final = 10
_ROOT: Final = Path(__file__).parents[1]


def machine_class() -> str:
    """Return the class of machines whose results are comparable: processor model, cores, memory in GiB."""
    model = machine.processor() or machine.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line
        ]
        model = names[0] if names else model
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{model}, {os.cpu_count()} cores, {memory:.0f} GiB"


def commit(root: Path = _ROOT) -> str:
    """Return the checked-out commit, with `+changes` if tracked files differ; "" without a git repository."""
    try:
        head = run_git(root, "rev-parse", "--short=12", "HEAD")
    except InputError:
        return ""
    if head.returncode:
        return ""
    changed = run_git(root, "status", "--porcelain", "--untracked-files=no")
    return head.stdout.strip() + ("+changes" if changed.stdout.strip() else "")


def result_line(run: Run) -> str:
    """Return the result as one line."""
    invalid = run.invalid()
    if invalid:
        return f"Invalid run: {'; '.join(invalid)}"
    missed = [f"{each.target} {each.measure}" for each in run.findings() if not each.holds]
    return f"Targets missed: {'; '.join(missed)}" if missed else "All targets hold"


def to_json(run: Run) -> dict[str, Any]:
    """Return all measured values; `histograms` are the response times by endpoint and second."""
    return {"format": FORMAT, "kind": "run", **run_json(run), "histograms": run.recorder.encoded()}


def run_json(run: Run) -> dict[str, Any]:
    """Return the figures of a run, without its histograms."""
    settings = run.settings
    return {
        "scenario": settings.name,
        "mix": settings.mix_name,
        "scale": settings.scale,
        "seed": settings.seed,
        "began": datetime.fromtimestamp(run.began, UTC).isoformat(timespec="seconds"),
        "machine": machine_class(),
        "commit": commit(),
        "generator": {"latenessP99": run.plan.health.lateness_p99, "cpu": run.plan.health.cpu},
        "others": run.others,
        "invalid": run.invalid(),
        "findings": [vars(each) for each in run.findings()],
        "secondsPerRequest": settings.seconds_per_request,
        "cores": os.cpu_count() or 1,
        "total": as_json(run.total),
        "quantiles": run.recorder.quantiles(WARM_UP_SECONDS, run.seconds),
        "endpoints": {
            name: {
                **as_json(run.recorder.window(WARM_UP_SECONDS, run.seconds, name)),
                "quantiles": run.recorder.quantiles(WARM_UP_SECONDS, run.seconds, name),
            }
            for name in run.recorder.endpoints
        },
        "windows": [
            {"at": at, **as_json(run.recorder.window(at, at + _WINDOW_SECONDS))}
            for at in range(WARM_UP_SECONDS, run.seconds - _WINDOW_SECONDS + 1, _WINDOW_SECONDS)
        ],
        "users": [settings.users.rate(at) for at in range(run.seconds)],
        "seconds": [as_json(each) for each in run.per_second()],
        "platform": [{**each, "at": each["at"] - run.began} for each in run.samples],
    }


def to_text(run: Run) -> str:
    """Return the findings as a Markdown table."""
    lines = ["| target | measure | limit | measured | |", "| --- | --- | --- | --- | --- |"]
    lines += [
        f"| {each.target} | {each.measure} | {each.limit} | {each.measured} | {each.state} |"
        for each in run.findings()
    ]
    return "\n".join([*lines, "", result_line(run)])


def to_html(run: Run) -> str:
    """Return the HTML report."""
    settings, findings, total = run.settings, run.findings(), run.total
    invalid, health = run.invalid(), run.plan.health
    cores = [each["cpu"] for each in run.platform() if each.get("cpu") is not None]
    facts = [
        ("scenario", f"{settings.name}, mix {settings.mix_name}, seed {settings.seed}"),
        ("scale", f"{settings.scale:g}: one user here stands for {1 / settings.scale:g}"),
        ("users", f"at most {max(rate for _, rate in settings.users.points):.0f}"),
        ("requests", f"one per user in {settings.seconds_per_request:g} s; {settings.accounts} accounts"),
        ("began", datetime.fromtimestamp(run.began, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")),
        ("machine", machine_class()),
        ("commit", commit() or "unknown"),
        ("generator", f"{health.cpu:.0%} of a core, late by P99 {health.lateness_p99 * 1000:.1f} ms"),
        ("platform", f"{sum(cores) / len(cores):.2f} cores on average" if cores else "not observed"),
        ("other processes", f"{run.others:.2f} cores on average"),
        ("P95 from sending", f"{total.service_p95 * 1000:.0f} ms"),
        ("P95 from the intended start", f"{total.p95 * 1000:.0f} ms"),
    ]  # fmt: skip
    return render(
        Page(
            f"Load test: {settings.name}",
            result_line(run),
            None if invalid else all(each.holds for each in findings),
            facts,
            [_findings(run), _endpoints(run), _errors(run)],
            list(range(run.seconds)),
            _plots(run),
            _decisions(run),
            (f"The first {WARM_UP_SECONDS} s do not count. Seconds are those of the intended start.",),
        )
    )


def _findings(run: Run) -> TableBlock:
    found = run.findings()
    return TableBlock(
        "Targets",
        ("target", "measure", "limit", "measured", ""),
        [(e.target, e.measure, e.limit, e.measured, e.state) for e in found],
        [index for index, each in enumerate(found) if not each.holds],
    )


def _endpoints(run: Run) -> TableBlock:
    rows, failed = list[tuple[str, ...]](), list[int]()
    for index, name in enumerate(run.recorder.endpoints):
        window = run.recorder.window(WARM_UP_SECONDS, run.seconds, name)
        times = [f"{each * 1000:.0f} ms" for each in (window.p50, window.p95, window.p99, window.service_p95)]
        rows.append((name, str(window.arrivals), *times, f"{window.error_share:.2%}"))
        if window.p95 >= PERCENTILE_LIMITS["P95"] or window.error_share >= ERROR_SHARE:
            failed.append(index)
    columns = ("endpoint", "arrivals", "P50", "P95", "P99", "service P95", "errors")
    return TableBlock("Endpoints", columns, rows, failed)


def _errors(run: Run) -> TableBlock:
    rows = [(name, str(count)) for name, count in run.total.errors.items()]
    return TableBlock("Errors by class", ("class", "count"), rows or [("none", "0")])


def _plots(run: Run) -> list[Plot]:
    seconds = run.per_second()
    classes = sorted({name for each in seconds for name in each.errors})
    samples = _by_second(run)

    def sampled(name: str, factor: float = 1.0) -> list[float | None]:
        return [None if (value := (each or {}).get(name)) is None else value * factor for each in samples]

    workloads = sorted({name for each in run.samples for name in each.get("replicas", {})})
    replicas = [
        Series(name, [None if each is None else each["replicas"].get(name, 0) for each in samples])
        for name in workloads
    ]
    return [
        Plot("Users", "", [Series("users", [run.settings.users.rate(at) for at in range(run.seconds)])]),
        Plot("Requests", "/s", [
            Series("arrivals", [each.arrivals for each in seconds]),
            Series("completed", [each.completed for each in seconds]),
        ]),
        Plot("Response time from the intended start", "ms", [
            Series("P50", [each.p50 * 1000 if each.arrivals else None for each in seconds]),
            Series("P95", [each.p95 * 1000 if each.arrivals else None for each in seconds]),
            Series("P99", [each.p99 * 1000 if each.arrivals else None for each in seconds]),
        ], [Limit(f"{name} < {at * 1000:.0f} ms", at * 1000) for name, at in PERCENTILE_LIMITS.items()]),
        Plot("Errors by class", "/s", [
            Series(name, [each.errors.get(name, 0) for each in seconds]) for name in classes
        ] or [Series("none", [0] * len(seconds))]),
        Plot("Ready replicas", "", replicas),
        Plot("CPU of the platform", "cores", [Series("used", sampled("cpu"))],
             [Limit("cores of the machine", float(os.cpu_count() or 1))]),
        Plot("Memory of the platform", "MiB", [Series("resident", sampled("memory", 1 / 2**20))]),
        Plot("Cache hits", "%", [Series("hits", sampled("cacheHits", 100.0))]),
        Plot("Jobs ready in the queue", "", [Series("jobs", sampled("queue"))]),
    ]  # fmt: skip


def _by_second(run: Run) -> list[dict[str, Any] | None]:
    found: list[dict[str, Any] | None] = [None] * run.seconds
    for each in run.platform():
        found[int(each["at"] - run.began)] = each
    return found


def _decisions(run: Run) -> list[Marker]:
    """Return the changes of the autoscalers' decisions, with their reasons."""
    markers, before = list[Marker](), dict[str, tuple[int, str]]()
    for each in run.platform():
        for item in each["autoscalers"]:
            now = (item["desired"], item["outcome"])
            if before.get(item["name"], now) != now:
                metrics = "; ".join(item["metrics"])
                markers.append(
                    Marker(each["at"] - run.began, f"{item['name']}: {item['outcome']} ({metrics})")
                )
            before[item["name"]] = now
    return markers
