"""`docs/policies.md`: every policy of the pack, from the metadata that engines and reviews show."""

import json
from collections.abc import Iterator
from itertools import groupby

from policies.pack.rule import Rule
from policies.rules import CONCERNS, RULES

HEAD = """# Policies

What the pack in `policies/` holds every environment to: {count} policies. Written by `make docs`
from their own metadata; edit there. `kingdom preview` and `pulumi preview --policy-pack policies`
judge a stack by all of them, `kingdom check` plain manifests by those about Kubernetes.

A finding of a **mandatory** policy stops an update, one of an **advisory** policy does not. A stack
relaxes or configures policies by name under `policies:config`, in the form of Pulumi's
`--policy-pack-config`; `prod` has no such key, and a test holds that. A *platform-specific* policy is a
convention of this platform: `kingdom check` runs it only with `--strict`. A value that is not
known yet in a preview is listed as not judged, by each policy that needs it.

Where a policy has a *safe remedy*, the level `remediate` lets it add what is missing; previews show
that as a diff, and `kingdom check --diff` what it would be. A remedy never changes what somebody
wrote.
"""


def policies_page() -> str:
    """The page as Markdown."""
    sections = [
        part
        for concern, rules in groupby(RULES, key=lambda rule: rule.concern)
        for part in (_heading(concern), *(_section(rule) for rule in rules))
    ]
    return "\n".join([HEAD.format(count=len(RULES)), *sections]).rstrip() + "\n"


def _heading(concern: str) -> str:
    """The concern's name, and what its module says of itself in a line."""
    told = (CONCERNS[concern].__doc__ or "").split("\n\n")[0]
    title, _, rest = " ".join(told.split()).partition(": ")
    return f"## {title}\n\n{rest[:1].upper()}{rest[1:]}\n"


def _section(rule: Rule) -> str:
    facts = [
        rule.level.value,
        f"severity {rule.severity.value}",
        *(["platform-specific"] if rule.platform_specific else []),
        *(["safe remedy"] if rule.remedy is not None else []),
        *(f"`{tag}`" for tag in rule.tags),
    ]
    more = f" [Why]({rule.url})." if rule.url else ""
    lines = [f"### `{rule.name}`", "", rule.description + more, "", " · ".join(facts), ""]
    return "\n".join([*lines, f"- Remediation: {rule.remediation}", *_settings(rule), ""])


def _settings(rule: Rule) -> Iterator[str]:
    for key, schema in rule.settings.items():
        default = f", {json.dumps(schema['default'])} unless given" if "default" in schema else ""
        yield f"- `{key}` ({schema['type']}{default}): {schema.get('description', '')}"
