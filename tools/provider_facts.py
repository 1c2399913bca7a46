"""Convert facts measured from Terraform providers to the files in ``rehearsal/providers/constraints``.

    python -m tools.provider_facts google-beta.json mongodbatlas.json cloudflare.json

Each argument is a file of facts measured from a Terraform provider: ``{"source": …, "resources": {"<type>":
{"attributes": {"<path>": {…}}}}}``. The result is one file per provider, with a header line and then one line
per resource type, so that a type is read without parsing the others. Types that a file of facts does not have
retain the facts of an earlier measurement. Validators of which only the description was measured become rules
if their wording is known; the other descriptions are printed.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parents[1] / "rehearsal" / "providers" / "constraints"
MEASURED: Final = "2026-11"
PACKAGES: Final = {"cloudflare": "cloudflare", "google": "gcp", "mongodbatlas": "mongodbatlas"}
# Facts that are copied unchanged.
COPIED_FACTS: Final = (
    "required", "computed", "force_new", "enum", "min", "max", "min_length", "max_length", "patterns",
    "format", "max_items", "min_items", "sensitive", "write_only", "deprecated", "diff_suppressed",
)  # fmt: skip
REFERENCES: Final = ("conflicts_with", "exactly_one_of", "at_least_one_of", "required_with")

_HEX: Final = "^[0-9a-f]{32}$"
_PATTERN_OF: Final = {
    "value must be a 32-character hexadecimal string": _HEX,
    "value must be a non-empty string containing only lowercase characters and underscores": "^[a-z_]+$",
    "value must be a non-empty string containing only alphanumeric characters and underscores": r"^\w+$",
    "value must be a non-empty string containing only numbers": "^[0-9]+$",
    'MongoDB major version must be in the format "8" or "8.0"': r"^\d+\.?(\d+)?$",
    "string value must be uppercase.": "^[^a-z]*$",
    "The provided string 'VALUE' must be uppercase. ": "^[^a-z]*$",
    '"KEY" can only contain lowercase letters, numbers and hyphens': "^[a-z0-9-]*$",
    '"KEY" must end with a number or a letter': "[a-z0-9]$",
    '"KEY" must start with a letter': "^[a-z]",
    '"KEY" must contain only lowercase letters (a-z), numbers (0-9), or dashes (-)': "^[a-z0-9-]+$",
    '"KEY" must end with an alphanumeric character': "[a-z0-9]$",
    '"KEY" must start with an alphanumeric character': "^[a-z0-9]",
    "\"KEY\" must contain only lowercase letters (a-z), numbers (0-9), or dashes (-), or end in "
    "'.svc.id.goog'": r"^([a-z0-9-]+|.*\.svc\.id\.goog)$",
    "invalid value for KEY (desired_emulated_version must be in major.minor format)": r"^\d+\.\d+$",
    "invalid value for KEY (`role_name` can contain only letters, digits, underscores, and dashes)": (
        "[A-Za-z0-9_-]"  # anywhere in the name
    ),
    "invalid value for KEY (allowlist path must start with either gke:// or gs://)": "^(gke|gs)://",
    "Role entity pairs must be formatted as 'ROLE:entity': VALUE": "^[^:]+:.+$",
    "expected VALUE to be a domain like serviceusage.googleapis.com": r"\.",
    "the empty string is not a valid name field value": "^.+",
}  # fmt: skip
_FORMAT_OF: Final = {
    "string value must be defined as a valid cidr.": "cidr",
    "string value must be defined as a valid IP Address.": "ip",
    "expected KEY to contain a valid IP, got: VALUE": "ip",
    "Failed to decode (base64) customer_encryption, expecting valid base64 encoded key": "base64",
    "must be a list with priority in descending order": "descending-priority",
    "CIDRs or IPs must be normalised": "normalized address",
    "if the value is an IPv6 address, it must be in long normalized form": "address of an access rule",
    "Validates that the URL path is not empty.": "url with a path",
}
# `ProjectRegex` of the Google provider. Contrary to its error message, it accepts project numbers.
PROJECT: Final = (
    r"^(([-a-z0-9]{1,63}\.)*([a-z]([-a-z0-9]{0,61}[a-z0-9])?):)?"
    r"([0-9]{1,19}|[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)$"
)
# Rules that were not measured but found by comparison with the real provider (`make providers`).
ADDED: Final[dict[tuple[str, str], dict[str, Any]]] = {
    ("google_bigquery_table", "external_data_configuration.schema"): {"format": "json array"},
    ("google_bigquery_table", "schema"): {"format": "json array"},
    **{
        (f"google_compute_{name}", "name_prefix"): {"max_length": 54}
        for name in (
            "instance_template",
            "region_instance_template",
            "region_ssl_certificate",
            "ssl_certificate",
        )
    },
    ("google_pubsub_subscription", "filter"): {"max_length": 256},
    ("google_container_cluster", "cluster_ipv4_cidr"): {"format": "private network", "or_empty": True},
    ("google_container_cluster", "master_authorized_networks_config.cidr_blocks.cidr_block"): {
        "format": "network"
    },
    ("google_container_cluster", "name"): {"max_length": 40},
    ("google_container_cluster", "private_cluster_config.master_ipv4_cidr_block"): {
        "format": "network /28",
        "or_empty": True,
    },
    ("google_container_node_pool", "name_prefix"): {"max_length": 31},
    ("google_iam_workload_identity_pool", "workload_identity_pool_id"): {"max_length": 32},
    ("google_kms_crypto_key", "rotation_period"): {"or_empty": True},
    ("google_monitoring_dashboard", "dashboard_json"): {"or_empty": True},
    ("google_project_service", "service"): {  # `bannedProjectServices`
        "patterns": [r"\.", r"^(?!bigquery-json\.googleapis\.com$)"]
    },
    ("google_service_account", "description"): {"max_length": 256},
    ("google_storage_bucket", "labels"): {
        "keys": {"patterns": ["^[a-z0-9_-]{1,63}$"]}
    },  # `labelKeyValidator`
    ("mongodbatlas_custom_db_role", "role_name"): {"patterns": ["[A-Za-z0-9_-]", "^(?!x-gen)"]},
    ("mongodbatlas_third_party_integration", "type"): {  # `integrationTypes`
        "enum": [
            "PAGER_DUTY",
            "DATADOG",
            "OPS_GENIE",
            "VICTOR_OPS",
            "WEBHOOK",
            "MICROSOFT_TEAMS",
            "PROMETHEUS",
        ]
    },
}
# Attributes of Atlas resources that can be set at creation only; a later change is an error, not a
# replacement (`CreateOnly`, `attrsCreateOnly` and `resourceCustomizeDiff` in
# mongodb/terraform-provider-mongodbatlas).
CREATE_ONLY: Final[dict[str, tuple[str, ...]]] = {
    "ai_model_api_key": ("cloud", "geography", "project_id"),
    "ai_model_rate_limit": ("cloud", "geography", "model_group_name", "project_id"),
    "flex_cluster": (
        "name", "project_id", "provider_settings.backing_provider_name", "provider_settings.region_name",
    ),
    "log_integration": ("project_id",),
    "metric_integration": ("project_id",),
    "organization": (
        "description", "federation_settings_id", "org_owner_id", "role_names", "service_account",
    ),
    "project": ("project_owner_id",),
    "project_service_account": ("project_id", "secret_expires_after_hours"),
    "project_service_account_secret": ("client_id", "project_id", "secret_expires_after_hours"),
    "resource_policy": ("org_id",),
    "service_account": ("org_id", "secret_expires_after_hours"),
    "service_account_project_assignment": ("client_id", "project_id"),
    "service_account_secret": ("client_id", "org_id", "secret_expires_after_hours"),
    "stream_connection_failover": ("connection_name", "project_id", "workspace_name"),
}  # fmt: skip
# Defaults of attributes that can be set at creation only (`CreateOnlyBoolWithDefault`).
CREATE_ONLY_INITIAL: Final[dict[str, dict[str, bool]]] = {
    "advanced_cluster": {"delete_on_create_timeout": True},
    "encryption_at_rest_private_endpoint": {"delete_on_create_timeout": True},
    "flex_cluster": {"delete_on_create_timeout": True},
    "privatelink_endpoint": {"port_mapping_enabled": False},
    "privatelink_endpoint_service_data_federation_online_archive": {"delete_on_create_timeout": True},
    "project": {"with_default_alerts_settings": True},
    "push_based_log_export": {"delete_on_create_timeout": True},
    "search_deployment": {"delete_on_create_timeout": True},
    "stream_connection_failover": {"delete_on_create_timeout": True},
    "stream_processor": {"delete_on_create_timeout": True},
}
_STARTS: Final = (
    ("must be a string containing a sequence of decimal numbers", ("format", "go-duration")),
    ('"" project_id must be 6 to 30', ("pattern", PROJECT)),
    ('"" name must be 4 to 30', ("pattern", "^[A-Za-z0-9-'\"\\s!]{4,30}$")),
)  # fmt: skip
_LISTED: Final = re.compile(r"Possible values are: \[([^\]]*)\]")  # not one that is cut off
_TRUE: Final = ('Value must be "true"', '"KEY" must be set to true, got: VALUE')
_COUNT: Final = re.compile(
    r"(string length|list|set|map) must (?:be|contain) at (least|most) (\d+)(?: elements)?"
)
_ONLY_IF: Final = re.compile(r'can only be set if "([^"]+)" is "([^"]+)"')
_WHERE: Final = (
    ("only_where", re.compile(r'can only be set if "([^"]+)" is one of: (.*)')),
    ("not_where", re.compile(r'can not be set if "([^"]+)" is one of: (.*)')),
    ("required_where", re.compile(r'has to be set if "([^"]+)" is one of: (.*)')),
)
_ENSURE: Final = (
    ("conflicts_with", re.compile(r'Ensure that if an attribute is set, these are not set: "\[([^\]"]*)')),
    ("required_with", re.compile(r'Ensure that if an attribute is set, also these are set: "\[([^\]"]*)')),
    ("exactly_one_of", re.compile(r'one and only one attribute from this collection is set: "\[([^\]"]*)')),
    ("at_least_one_of", re.compile(r"at least one attribute from this collection is set: \[([^\]]*)")),
)
_NESTED: Final = re.compile(r"(?:Value|element value) must satisfy all (?:of the )?validations: ")


def resolve(path: str, reference: str) -> str:
    """Return the absolute path of a reference from the attribute at `path`; each `<` goes up one level."""
    if "<" not in reference:
        return ".".join(part for part in reference.split(".") if part != "0")
    parts = path.split(".")
    for step in reference.split("."):
        parts = parts[:-1] if step == "<" else [*parts, step]
    return ".".join(parts)


def add_rule(facts: dict[str, Any], path: str, rule: str) -> bool:
    """Add the rule that a validator's description states. Return whether the wording is known."""
    if found := _NESTED.match(rule):
        rest = rule[found.end() :]
        if rule.startswith("Value"):
            return add_rule(facts, path, rest)
        return False
    if rule in _PATTERN_OF:
        facts.setdefault("patterns", []).append(_PATTERN_OF[rule])
        return True
    if rule in _FORMAT_OF:
        facts["format"] = _FORMAT_OF[rule]
        return True
    if rule.startswith("must have a configuration value"):  # `IsRequired`, of blocks
        facts["required"] = True
        return True
    if rule in _TRUE:
        facts["enum"] = ["true"]
        return True
    if rule.startswith("goal "):
        facts |= {"exclusive_min": 0, "max": 0.9999}
        return True
    if "RFC6996-compliant" in rule:
        facts["ranges"] = [[16550, 16550], [64512, 65534], [4200000000, 4294967294]]
        return True
    if found := _LISTED.search(rule):
        facts["enum"] = re.findall(r'"([A-Z0-9_]+)"', found[1])
        return True
    for start, added in _STARTS:
        if rule.startswith(start):
            if added and added[0] == "format":
                facts["format"] = added[1]
            elif added:
                facts.setdefault("patterns", []).append(added[1])
            return bool(added)
    if found := _COUNT.match(rule):
        what, bound, number = found.groups()
        name = f"{'min' if bound == 'least' else 'max'}_{'length' if what == 'string length' else 'items'}"
        facts[name] = int(number)
        return True
    if found := _ONLY_IF.match(rule):
        facts["only_if"] = [resolve(path, found[1]), found[2]]
        return True
    for name, pattern in _WHERE:
        if found := pattern.search(rule):
            values = [value or None for value in re.findall(r'"([^"]+)"|<null>', found[2])]
            facts.setdefault(name, []).append([resolve(path, found[1]), values])
            return True
    for name, pattern in _ENSURE:
        if found := pattern.search(rule):
            others = [resolve(path, other) for other in found[1].split(",")]
            facts.setdefault(name, []).extend([path, *others] if name.endswith("one_of") else others)
            return True
    return False


def attribute(path: str, measured: dict[str, Any], left: Counter[str]) -> dict[str, Any]:
    """Return the compact facts of one attribute."""
    facts = {name: measured[name] for name in COPIED_FACTS if name in measured}
    facts["type"] = measured["type"]
    if measured.get("computed") and not (measured.get("optional") or measured.get("required")):
        facts["read_only"] = True
    if "deprecated" in facts:
        facts["deprecated"] = True
    for name in REFERENCES:
        if name in measured:
            others = [resolve(path, other) for other in measured[name]]
            # Terraform counts the attribute itself (`validateExactlyOneAttribute` of its plugin SDK).
            members = list(dict.fromkeys([path, *others] if name.endswith("one_of") else others))
            if members != [path]:  # an empty list is not validated
                facts[name] = members
    if "default" in measured:
        value = measured["default"]
        if isinstance(value, str) and (described := re.fullmatch(r"value defaults to (.*)", value)):
            value = _literal(described[1], measured["type"])
        if value is not None:
            facts["default"] = value
    if "patterns" in facts:  # measured from messages, which escape the backslash
        facts["patterns"] = [pattern.replace("\\\\", "\\") for pattern in facts["patterns"]]
    for rule in (*measured.get("rules", ()), *measured.get("rejects", ())):
        if not add_rule(facts, path, rule):
            left[rule] += 1
    if "element_rules" in measured:
        element = dict(measured["element_rules"])
        for rule in element.pop("rejects", ()):
            if not add_rule(element, path, rule):
                left[rule] += 1
        facts["elements"] = element
    return facts


def create_only(name: str, path: str) -> dict[str, Any]:
    """Return the facts of an attribute that can be set at creation only; empty for any other."""
    package, _, resource = name.partition("_")
    if package != "mongodbatlas":
        return {}
    if path in (initial := CREATE_ONLY_INITIAL.get(resource, {})):
        return {"create_only": True, "initial": initial[path]}
    return {"create_only": True} if path in CREATE_ONLY.get(resource, ()) else {}


def _literal(text: str, kind: str) -> Any:
    if kind.lower() == "bool":
        return text == "true"
    if kind.lower() in ("int64", "float64", "number"):
        return float(text) if "." in text else int(text)
    return text.strip('"') if kind.lower() == "string" else None


def main(arguments: list[str]) -> int:
    """Write the files and return the exit code."""
    for argument in arguments:
        measured = json.loads(Path(argument).read_text())
        package = PACKAGES[next(iter(measured["resources"])).partition("_")[0]]
        left: Counter[str] = Counter()
        lines = [json.dumps({"source": measured["source"], "measured": MEASURED})]
        for name, resource in sorted(measured["resources"].items()):
            attributes = {
                path: attribute(path, facts, left) | ADDED.get((name, path), {}) | create_only(name, path)
                for path, facts in sorted(resource["attributes"].items())
            }
            lines.append(name + " " + json.dumps(attributes, separators=(",", ":"), sort_keys=True))
        target = FOLDER / f"{package}.jsonl"
        retained = _types_of(target, without=set(measured["resources"]))
        lines[1:] = sorted([*lines[1:], *retained])
        target.write_text("\n".join(lines) + "\n")
        if retained:
            print(f"{target.name}: {len(retained)} types that were not measured retain their facts")
        print(f"wrote {target.name}: {len(lines) - 1} types; not turned into data:")
        for rule, count in left.most_common():
            print(f"  {count:3} {rule[:120]}")
    return 0


def _types_of(path: Path, *, without: set[str]) -> list[str]:
    """Return the lines of the types in `path` except those `without`, and nothing without a file."""
    if not path.exists():
        return []
    _, *lines = path.read_text().splitlines()
    return [line for line in lines if line.partition(" ")[0] not in without]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
