"""The findings of `kingdom check` as SARIF 2.1.0, for code scanning."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from rehearsal.errors import InputError
from rehearsal.policy.manifest_check import Remark, Report
from rehearsal.review.findings import RuleInfo, rules
from rehearsal.review.formats.sarif import LEVELS, MAX_RESULTS, ROOT, log, notice

_TITLE: Final = "kingdom check, with the policy pack of this repository"


def sarif(report: Report) -> dict[str, Any]:
    """Return the SARIF log.

    Ignored findings are results with a suppression; values that could not be evaluated are notifications.
    """
    items: list[tuple[Remark, str]] = [(remark, "") for remark in report.remarks]
    items += report.ignored
    known = {name: rule for name, rule in rules().items() if any(name == item.policy for item, _ in items)}
    for item, _ in items:
        known.setdefault(
            item.policy, RuleInfo(item.policy, item.description, item.severity, item.remediation, item.tags)
        )
    names = sorted(known)
    index = {name: at for at, name in enumerate(names)}
    seen: Counter[str] = Counter()
    results = [_result(item, reason, index, seen) for item, reason in items[:MAX_RESULTS]]
    notices = [notice(f"not evaluated: {text}", "note") for text in report.unevaluated]
    notices += [notice(f"not read: {text}", "error") for text in report.unreadable]
    if len(items) > MAX_RESULTS:
        notices.append(notice(f"{len(items) - MAX_RESULTS} of {len(items)} findings are left out", "warning"))
    return log(
        _TITLE,
        [known[name] for name in names],
        results,
        notices,
        category="kingdom/manifests/",
        exit_code=report.exit_code,
        successful=not report.unreadable,
    )


def write_sarif(report: Report, file: Path) -> None:
    """Write the log to `file`. Raises InputError if the file cannot be written."""
    try:
        file.write_text(json.dumps(sarif(report), indent=2) + "\n")
    except OSError as error:
        raise InputError(f"cannot write {file}: {error.strerror}") from None


def _location(file: str) -> dict[str, str]:
    """Return the location of a file: relative to the working directory, or an absolute URI outside of it."""
    path = Path(file)
    if path.is_absolute():
        if not path.is_relative_to(Path.cwd()):
            return {"uri": path.as_uri()}
        path = path.relative_to(Path.cwd())
    return {"uri": quote(path.as_posix()), "uriBaseId": ROOT}


def _result(item: Remark, reason: str, index: dict[str, int], seen: Counter[str]) -> dict[str, Any]:
    about = f"{item.kind} {item.name}".strip()
    place = f"{item.path}: " if item.path else ""
    text = "\0".join((item.policy, item.kind, item.namespace, item.name, item.path, item.message))
    mark = hashlib.sha256(text.encode()).hexdigest()[:32]
    seen[mark] += 1
    found: dict[str, Any] = {
        "ruleId": item.policy,
        "ruleIndex": index[item.policy],
        "level": LEVELS.get(item.level, "note"),
        "message": {"text": f"{place}{item.message}" + (f" ({about})" if about else "")},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": _location(item.file),
                    "region": {"startLine": item.line or 1},
                },
                "logicalLocations": [{"name": about or item.file, "kind": "object"}],
            }
        ],
        # The fingerprint excludes the line, so that a finding keeps its identity when lines move.
        "partialFingerprints": {"kingdomFinding/v1": f"{mark}:{seen[mark]}"},
    }
    if reason:
        found["suppressions"] = [{"kind": "inSource", "justification": reason}]
    return found
