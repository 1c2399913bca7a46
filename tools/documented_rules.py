"""Write the rules that only the SDKs' documentation states about values, for the checks of the rehearsal.

    python -m tools.documented_rules

A provider sends many values unchecked, and its API refuses them. Rules in the wording of the API references
(closed sets, ranges, durations, times) become data, in one file a package in
``rehearsal/providers/constraints``. The patterns are narrow on purpose: a rule that is not found leaves an
error unreported, a wrong one would refuse a correct program. Attributes with a rule of their provider or in
``<package>_api.jsonl`` are left out.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from rehearsal.providers.constraints import facts
from rehearsal.providers.constraints.docstring_enums import closed_set
from rehearsal.providers.constraints.names import Attribute, mapped_type, object_in
from rehearsal.providers.schema import ObjectType, resource_type

FOLDER: Final = facts.FOLDER
TYPE_NAMES: Final = Path(__file__).parents[1] / "tests/rehearsal/providers/constraints/type_names.txt"
# Documented lists of parts of a value, not of complete values.
_EXCLUDED: Final = frozenset(
    {
        ("cloudflare_zero_trust_device_custom_profile", "match"),
        ("cloudflare_zero_trust_device_ip_profile", "match"),
    }
)
_KNOWN: Final = frozenset(
    {
        "elements", "enum", "exclusive_min", "format", "max", "max_length", "min", "min_length", "patterns",
        "ranges", "read_only",
    }
)  # fmt: skip
_DURATION: Final = re.compile(
    r"duration in seconds with up to nine fractional digits,? (?:that )?(?:ends|ending|terminat\w+)"
    r" (?:with|by) ['\"`]+s['\"`]+"
)
_SECONDS: Final = r"^-?\d+(\.\d{1,9})?s$"
_TIME: Final = re.compile(
    r"timestamp in RFC ?3339 (?:text |UTC )|in RFC ?3339 (?:text )?format\b|RFC ?3339 UTC \"Zulu\" format"
)
_ITEM: Final = r"""(?:`"?[\w.-]+"?`|"[\w.-]+"|'[\w.-]+')"""
_LISTED: Final = re.compile(
    r"(?:[Mm]ust be one of|[Mm]ay be one of|[Cc]an be one of|[Cc]an be|[Mm]ust be|Acceptable values are"
    r"|Valid values are|Allowed values are|Supported values are|Accepted values are)"
    rf"(?: the following(?: values)?)?:?\s*({_ITEM}(?:(?:,\s*|,?\s+(?:and|or)\s+){_ITEM})+)\.?\s*(?:$|\n)"
)
_RANGE: Final = re.compile(
    r"(?:(?:must be|should be|value|values|range|from|is|are|number)\b[^.\n]{0,40}?)"
    r"(?:between|in the range(?: of)?|from) \[?(\d[\d,]*)(?:-| and | to |, ?)(\d[\d,]*)\b(?![.%]\d|\w)"
)


def rules(doc: str, kind: str) -> dict[str, Any]:
    """Return the rule that a property's documentation states for its values; empty if there is none.

    `kind` is the type of the value, or of the items of a list.
    """
    if kind in ("int", "int64", "float", "float64"):
        found = _RANGE.findall(doc)
        octal = any(len(text) > 1 and text.startswith("0") for bounds in found for text in bounds)
        if len(found) == 1 and not octal and len(re.findall(r"\b(?:between|in the range)\b", doc)) == 1:
            low, high = (int(text.replace(",", "")) for text in found[0])
            return {"min": low, "max": high} if low < high else {}
        return {}
    if kind != "string":
        return {}
    if values := closed_set(doc) or _closed_set(doc):
        return {"enum": [*values, *([] if "" in values else [""])]}
    if _DURATION.search(doc):
        return {"patterns": [_SECONDS], "or_empty": True}
    if _TIME.search(doc):
        return {"format": "rfc3339", "or_empty": True}
    return {}


def _closed_set(doc: str) -> tuple[str, ...]:
    """Return the values of the only sentence in `doc` that lists values; none if they may be incomplete."""
    found = _LISTED.findall(doc)
    if len(found) != 1 or re.search(r"(?i)such as|for example|e\.g\.|default", doc):
        return ()
    words = re.findall(r"[`'\"]+([^`'\"]+)[`'\"]+", found[0])
    return tuple(words) if len(words) > 1 else ()


def documented(token: str) -> dict[str, dict[str, Any]]:
    """Return the documented rules of a type by Terraform path."""
    mapped, declared = mapped_type(token), resource_type(token)
    if mapped is None or declared is None:
        return {}
    return dict(_walk(declared.inputs, mapped.attributes, 0))


def _walk(
    declared: ObjectType, attributes: Mapping[str, Attribute], depth: int
) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, field in declared.fields.items():
        attribute = attributes.get(name)
        if attribute is None:
            continue
        if attribute.children:
            element = object_in(field.type)
            if element is not None and depth < 12:
                yield from _walk(element, attribute.children, depth + 1)
            continue
        kind = attribute.facts["type"].lower()
        if kind in ("list", "set"):
            kind = "string"  # rules of the items; numbers are rare and bounded by count
        known = _KNOWN & attribute.facts.keys() or attribute.path in _api_rules(attribute.resource.name)
        excluded = (attribute.resource.name, attribute.path) in _EXCLUDED
        if not known and not excluded and (found := rules(field.doc, kind)):
            yield attribute.path, found


@cache
def _api_rules(name: str) -> dict[str, Any]:
    """Return the rules of a Terraform type in ``<package>_api.jsonl`` by path."""
    package = "gcp" if name.startswith("google_") else name.partition("_")[0]
    lines = (FOLDER / f"{package}_api.jsonl").read_text().splitlines()
    return next(
        (json.loads(rest) for one, _, rest in (line.partition(" ") for line in lines) if one == name), {}
    )


def main() -> int:
    """Write the files and return the exit code."""
    tokens = [line.split()[0] for line in TYPE_NAMES.read_text().splitlines() if not line.startswith("#")]
    for package in facts.PACKAGES:
        lines = set[str]()
        for token in tokens:
            if not token.startswith(f"{package}:"):
                continue
            mapped = mapped_type(token)
            found = documented(token)
            if mapped is not None and found:
                text = json.dumps(found, separators=(",", ":"), sort_keys=True)
                lines.add(f"{mapped.resource.name} {text}")
        source = f"documentation of pulumi-{package} {version(f'pulumi-{package}')}"
        head = json.dumps({"source": source})
        target = FOLDER / f"{package}_documented.jsonl"
        target.write_text("\n".join([head, *sorted(lines)]) + "\n")
        print(f"wrote {target.name}: {len(lines)} types")
    return 0


if __name__ == "__main__":
    sys.exit(main())
