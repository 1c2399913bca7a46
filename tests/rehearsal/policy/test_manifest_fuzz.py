"""No manifest makes the check raise, hang or grow: arbitrary values at any place, and parsers alone."""

from __future__ import annotations

import contextlib
import copy
import importlib
import pkgutil
import re
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import policies
import rehearsal.policy
from policies.model.connection_urls import urls_in, weakness
from policies.model.credentials.commands import (
    assigned,
    client_passwords,
    sets_password,
    subcommand_passwords,
)
from policies.model.credentials.names import is_reference, sets_secret
from policies.model.cron import min_interval, parse_schedule
from policies.model.label_selectors import LabelIndex, Selector
from policies.model.property_tree import Node
from policies.model.quantities import MAX_AMOUNT, int_or_percent, parse, show
from policies.rules.consistency import slept
from policies.rules.network import every_port, is_everyone
from policies.rules.plaintext_secrets import credential_file, recognized, secret_lines
from policies.rules.workloads import is_pinned
from rehearsal.policy.manifest_check import check
from rehearsal.policy.yaml_documents import TooLargeError, documents
from rehearsal.pulumi.properties import parse_path

# Seconds and bytes that one parser may take for one text of at most a few kilobytes, on a loaded machine.
MAX_SECONDS = 2.0
MAX_BYTES = 32 * 1024 * 1024
CASES = Path(__file__).parent / "cases"
ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 0.5, -0.0, 1e308, 10**30, -(10**400), "", "0", "-1", "1e999999999",
    "1e-999999999", "9" * 5000, "0." + "0" * 900 + "1", "1" * 900 + "Ei", ".inf", "NaN", "100%",
    "9" * 400 + "%", "1ki", "١٢", "*", "$(", "${", "a://[", "http://[::1", "\x00",
    "sleep " + "9" * 400 + "d", "@every 1h", "* * * *", "[]", [], {}, [[]], [None], {"": None},
    {"a": {"b": []}}, [{"name": None}], {"name": 3}, "2026-01-01", ["x"] * 50,
)  # fmt: skip
HOSTILE = [
    "9" * 20_000, "1" + "0" * 20_000 + "e999999999", "e" * 20_000, "-" * 20_000, "sleep " * 4_000,
    "sleep " + "1s " * 6_000, "http://" + "a" * 20_000, "a://" * 5_000, "a://b?" + "c=d&" * 5_000,
    "a://" + ":" * 10_000 + "@", "*/1," * 5_000, "1-59/" * 4_000, "@every " + "1h" * 5_000, "eyJ" * 7_000,
    "Server=a;" * 3_000, "password=" * 3_000, "$(" * 10_000, "-----BEGIN " + "A " * 10_000, "{{" * 10_000,
    "projects/" + "a/" * 10_000,
    "@every " + "9" * 20_000, "https://a:" * 3_000, "AKIA" * 5_000, "1e" + "9" * 4_000, "." * 20_000,
]  # fmt: skip


def _of_value(check_value: Callable[[Node], Any]) -> Callable[[str], Any]:
    return lambda text: check_value(Node(text))


def _selected(selector: dict[str, Any], labels: dict[str, Any]) -> tuple[str, ...]:
    wanted = Selector.of(Node(selector))
    assert wanted is not None
    return LabelIndex(["it"], [Node(labels)]).select(wanted)


# Every parser of the pack and of `kingdom check`, by what it parses.
PARSERS: dict[str, Callable[[str], Any]] = {
    "quantity": parse,
    "integer or percentage": lambda text: int_or_percent(text, 2**31, up=True),
    "number": _of_value(Node.number),
    "integer": _of_value(Node.integer),
    "cron schedule": parse_schedule,
    "interval of a schedule": min_interval,
    "label selector": lambda text: _selected({"matchLabels": {text: text}}, {text: text}),
    "selector expression": lambda text: _selected(
        {"matchExpressions": [{"key": text, "operator": "In", "values": [text]}]}, {text: text}
    ),
    "connection URLs in a text": lambda text: list(urls_in(text)),
    "connection URL": weakness,
    "address range": _of_value(is_everyone),
    "ports of a NetworkPolicy": lambda text: every_port(Node([{"port": text, "endPort": text}])),
    "image digest": is_pinned,
    "shell command": slept,
    "secret by shape": recognized,
    "reference to a secret": is_reference,
    "credential": lambda text: (
        sets_secret(text, text),
        sets_secret("AUTH", text),
        sets_secret("TOKENS", text),
    ),
    "command line": assigned,
    "options of clients": lambda text: list(client_passwords(["mysql", text, f"mysql -p {text}"])),
    "subcommands": lambda text: list(
        subcommand_passwords(["redis-cli", f"AUTH {text}", f"createUser {text}", f"rabbitmqctl {text}"])
    ),
    "SQL": lambda text: sets_password(f"password {text}"),
    "configuration in JSON": lambda text: list(secret_lines("app.json", Node(text))),
    "configuration file": lambda text: list(secret_lines("app.properties", Node(text + "\n" + text))),
    "path of a value": parse_path,
    "YAML": lambda text: list(documents(text)),
}


# The errors by which a parser rejects a text; the others return None or a bound.
REJECTIONS: dict[str, tuple[type[Exception], ...]] = {
    "cron schedule": (ValueError,),
    "path of a value": (ValueError,),
    "YAML": (yaml.YAMLError, TooLargeError, ValueError),
}


@pytest.mark.parametrize("name", PARSERS)
def test_no_parser_takes_long_or_much_for_a_hostile_text(name: str) -> None:
    for text in HOSTILE:
        tracemalloc.start()
        started = time.process_time()
        with contextlib.suppress(*REJECTIONS.get(name, ())):
            PARSERS[name](text)
        took = time.process_time() - started
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert took < MAX_SECONDS, text[:20]
        assert peak < MAX_BYTES, text[:20]


@pytest.mark.parametrize(
    "text",
    [
        "user " + "a" * 100_000,
        "user a" + " ~" * 50_000,
        "user a" + " ~b" * 33_000,
        "user " * 20_000,
        "\n".join(["user " + "a" * 290 + " ~" * 490] * 100),
        "user" + "\t" * 100_000,
        "\t" * 100_000 + "user",
    ],
)
def test_an_access_control_list_of_100_000_characters_takes_no_quadratic_time(text: str) -> None:
    started = time.process_time()
    credential_file("users.acl", f"user\n{text}\n >")
    assert time.process_time() - started < MAX_SECONDS


def _patterns() -> dict[str, re.Pattern[str]]:
    """The regular expressions at the top level of every module of the pack and of `kingdom check`."""
    found: dict[str, re.Pattern[str]] = {}
    for package in (policies, rehearsal.policy):
        for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if info.name.endswith("__main__"):
                continue
            for name, value in vars(importlib.import_module(info.name)).items():
                held = value.values() if isinstance(value, dict) else [value]
                for at, item in enumerate(held):
                    if isinstance(item, re.Pattern) and isinstance(item.pattern, str):
                        found[f"{info.name}.{name}.{at}"] = item
    return found


PATTERNS = _patterns()


@pytest.mark.parametrize("name", PATTERNS)
def test_no_pattern_backtracks_without_a_bound(name: str) -> None:
    started = time.process_time()
    for text in HOSTILE:
        PATTERNS[name].fullmatch(text)
        PATTERNS[name].search(text[:2_000])
        assert time.process_time() - started < MAX_SECONDS, text[:20]


@given(st.text(max_size=60) | st.from_regex(r"[0-9.eE+\-%kKmMGTPEinu*/, @:;=?&a-z$({]{0,60}", fullmatch=True))
def test_no_parser_raises(text: str) -> None:
    for name, parser in PARSERS.items():
        with contextlib.suppress(*REJECTIONS.get(name, ())):
            parser(text)


@given(st.integers(-(10**6), 10**6), st.integers(-(10**12), 10**12))
def test_an_exponent_of_any_size_is_bounded(number: int, exponent: int) -> None:
    amount = parse(f"{number}e{exponent}")
    assert amount is not None
    assert -MAX_AMOUNT <= amount <= MAX_AMOUNT
    assert (amount > 0) == (number > 0)
    show("requests.memory", amount)


def _places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found = [path] if path else []
    entries = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, item in entries:
        found += _places(item, (*path, key))
    return found


def _documents() -> list[dict[str, Any]]:
    names = (
        "quota-vpa-min-allowed", "quota-keda-scaledobject", "limitrange-max-only-fills-defaults",
        "health-check-grpc", "hpa-v2-without-metrics", "pdb-one-budget-two-workloads", "privileged-rollout",
        "ingress-host-without-tls", "np-egress-no-to-but-all-tcp", "probe-timeout-over-period",
        "quota-priorityclass-global-default", "termination-sleep-2m", "env-PGPASSWORD",
    )  # fmt: skip
    texts = ((CASES / f"{name}.yaml").read_text() for name in names)
    documents = [item for text in texts for item in yaml.safe_load_all(text) if item]
    documents.append(
        {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": {"name": "c", "namespace": "q"},
            "spec": {
                "schedule": "*/5 * * * *",
                "concurrencyPolicy": "Allow",
                "jobTemplate": {
                    "spec": {
                        "parallelism": 2,
                        "completions": 3,
                        "activeDeadlineSeconds": 600,
                        "template": {"spec": {"containers": [{"name": "a", "image": "i"}]}},
                    }
                },
            },
        }
    )
    return documents


DOCUMENTS = _documents()
PLACES = [(at, path) for at, item in enumerate(DOCUMENTS) for path in _places(item) if path != ("kind",)]


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(PLACES), st.sampled_from(ODD)), min_size=1, max_size=12))
def test_no_value_at_any_place_makes_the_check_raise(
    tmp_path: Path, changes: list[tuple[tuple[int, tuple[str | int, ...]], Any]]
) -> None:
    documents = copy.deepcopy(DOCUMENTS)
    for (at, path), value in changes:
        target: Any = documents[at]
        for key in path[:-1]:
            try:
                target = target[key]
            except (KeyError, IndexError, TypeError):
                break
        else:
            if isinstance(target, (dict, list)):
                target[path[-1]] = copy.deepcopy(value)  # type: ignore[call-overload]
    file = tmp_path / "all.json"
    file.write_text(yaml.safe_dump_all(documents))
    check([str(file)], strict=True)


def _budgets(count: int) -> str:
    pair = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: d{0}, namespace: a}}
spec:
  replicas: 3
  template: {{metadata: {{labels: {{app: d{0}}}}}, spec: {{containers: [{{name: c, image: i}}]}}}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {{name: d{0}, namespace: a}}
spec: {{maxUnavailable: 1, selector: {{matchLabels: {{app: d{0}}}}}}}
---
apiVersion: v1
kind: Service
metadata: {{name: d{0}, namespace: a}}
spec: {{selector: {{app: d{0}}}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {{name: d{0}, namespace: a}}
spec: {{maxReplicas: 4, scaleTargetRef: {{kind: Deployment, name: d{0}}}}}
---
"""
    quota = (
        "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: q, namespace: a}\nspec: {hard: {pods: '1'}}\n"
    )
    return "".join(pair.format(at) for at in range(count)) + quota


@pytest.mark.slow
def test_time_grows_with_the_number_of_documents_in_one_namespace(tmp_path: Path) -> None:
    """Four times as many documents must take less than eight times as long."""
    took = []
    for count in (75, 300):
        file = tmp_path / f"{count}.yaml"
        file.write_text(_budgets(count))
        check([str(file)], strict=True)  # what is loaded once is not counted
        best = float("inf")
        for _ in range(2):
            started = time.process_time()
            check([str(file)], strict=True)
            best = min(best, time.process_time() - started)
        took.append(best)
    assert took[1] < 8 * took[0]
