"""Values that a delivery tool passes to a Helm chart, users of a kubeconfig, and the credentials in them.

Flux, Argo CD, k3s, Fleet, Crossplane, Cluster API and Sveltos take the values of a chart inside an object, as
an object, as YAML in a text, or as pairs of name and value. Values that are taken from a Secret
(``valuesFrom``) are not part of the object.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from policies.model.credentials.commands import assigned, sets_password
from policies.model.credentials.names import names_secret, sets_secret
from policies.model.credentials.setting_lines import MAX_FILE, secret_settings
from policies.model.paths import format_path
from policies.model.property_tree import Node
from policies.model.stack import Object

_EACH: Final = "*"
_SOURCE: Final = (
    ("helm", "valuesObject"),
    ("helm", "values"),
    ("helm", "parameters"),
    ("plugin", "env"),
    ("plugin", "parameters"),
    ("directory", "jsonnet"),
)
_SOURCES: Final = tuple((*source, *part) for source in (("source",), ("sources", _EACH)) for part in _SOURCE)
# Paths of the values by API group and kind; `_EACH` stands for every item of a list.
_VALUES: Final[dict[tuple[str, str], tuple[tuple[str, ...], ...]]] = {
    ("helm.toolkit.fluxcd.io", "HelmRelease"): (("spec", "values"),),
    ("helm.fluxcd.io", "HelmRelease"): (("spec", "values"),),
    ("kustomize.toolkit.fluxcd.io", "Kustomization"): (("spec", "postBuild", "substitute"),),
    ("argoproj.io", "Application"): tuple(("spec", *path) for path in _SOURCES),
    ("argoproj.io", "ApplicationSet"): (
        *(("spec", "template", "spec", *path) for path in _SOURCES),
        ("spec", "generators"),
    ),
    ("helm.cattle.io", "HelmChart"): (("spec", "valuesContent"), ("spec", "values"), ("spec", "set")),
    ("helm.cattle.io", "HelmChartConfig"): (("spec", "valuesContent"), ("spec", "values")),
    ("fleet.cattle.io", "Bundle"): (("spec", "helm", "values"), ("spec", "targets", _EACH, "helm", "values")),
    ("helm.crossplane.io", "Release"): (("spec", "forProvider", "values"), ("spec", "forProvider", "set")),
    ("addons.cluster.x-k8s.io", "HelmChartProxy"): (("spec", "valuesTemplate"),),
    ("config.projectsveltos.io", "ClusterProfile"): (("spec", "helmCharts", _EACH, "values"),),
    # The users of a kubeconfig, which is a file of clients and no object of a cluster.
    ("", "Config"): (("users", _EACH, "user"),),
    ("config.projectsveltos.io", "Profile"): (("spec", "helmCharts", _EACH, "values"),),
}
_MAX_VISITED: Final = 20_000
# Names under which a chart takes the name of a Secret, or of a key in one.
_SELECTOR: Final = re.compile(
    r"existing|(?:pass(?:word|wd|phrase)|token|secret_?key|access_?key|api_?key|credentials?)_?key$"
    r"|(?:from|pass(?:word|wd|phrase)|token|credentials?)_?secrets?$"
    r"|(?:pass(?:word|wd|phrase)|token|api_?key|access_?key|user(?:name)?|url|id)_?secret_?key$",
    re.IGNORECASE,
)
# Names that are used both for a credential and for the name of an object or key with it.
_EITHER: Final = re.compile(r"(?:secret|key|token|credentials?)s?$", re.IGNORECASE)
_OBJECT_NAME: Final = re.compile(r"[a-z]{2,}(?:[-.][a-z]{2,}){1,8}")
# Keys that only wrap the value of the name above them.
_WRAPPERS: Final = frozenset({"literal", "plaintext", "plainText", "value"})
# Values of these names are files of settings.
_FILE: Final = re.compile(
    r"(?:^|[._-])(?:env|properties|ini|cnf|conf|cfg|toml|ya?ml|json)$|(?:config|configuration|settings"
    r"|properties|values)$",
    re.IGNORECASE,
)


def chart_credentials(item: Object) -> Iterator[tuple[Node, str]]:
    """Yield the credentials in the values that `item` passes to a chart: a node in `item`, and a name.

    The node of a credential in a text is that of the text. Objects of other kinds yield nothing.
    """
    for path in _VALUES.get((item.group, item.kind), ()):
        for values in _at(item.node, path):
            if path[-1] == "generators":
                for elements in _elements(values):
                    yield from _credentials(elements)
            else:
                yield from _credentials(values)


def _at(node: Node, path: tuple[str, ...]) -> Iterator[Node]:
    """Yield the present values at `path`, in which `_EACH` stands for every item of a list."""
    for at, key in enumerate(path):
        if key == _EACH:
            for item in node.items():
                yield from _at(item, path[at + 1 :])
            return
        node = node[key]
    if node.present and node.known():
        yield node


def _elements(generators: Node) -> Iterator[Node]:
    """Yield the parameters that generators of an ApplicationSet contain, nested generators included."""
    waiting = [generators]
    visited = 0
    while waiting and visited < _MAX_VISITED:
        node = waiting.pop()
        visited += 1
        for item in node.items() if isinstance(node.raw, list) else ():
            for kind, generator in item.entries():
                if kind in ("matrix", "merge"):
                    waiting.append(generator["generators"])
                else:
                    yield from (found for key in ("elements", "values") if (found := generator[key]).present)


def _credentials(values: Node) -> Iterator[tuple[Node, str]]:
    """Yield the credentials below `values`, which is an object, a list or YAML in a text."""
    if isinstance(values.raw, str):
        parsed = _parsed(values.raw)
        if parsed is None:
            yield from ((values, name) for name in _settings(values.raw))
        else:
            names = (
                format_path(node.path) if node.path and node.path[-1] == name else name
                for node, name in _walk(Node(parsed))
            )
            yield from ((values, name) for name in dict.fromkeys(names))
    else:
        yield from _walk(values)


def _walk(values: Node) -> Iterator[tuple[Node, str]]:
    """Yield the credentials in an object. The walk is bounded, because aliases repeat what they refer to."""
    waiting: list[tuple[str, Node]] = [("", values)]
    visited = 0
    while waiting and visited < _MAX_VISITED:
        name, node = waiting.pop()
        visited += 1
        if isinstance(node.raw, Mapping):
            pair, value = node["name"].raw or node["key"].raw, node["value"]
            # As in `env` of a container, and in parameters of Argo CD.
            if isinstance(pair, str) and value.present and not isinstance(value.raw, (Mapping, list)):
                if found := _set(pair, value):
                    yield value, found
            else:
                waiting.extend(
                    (name if key in _WRAPPERS else key, entry)
                    for key, entry in reversed(list(node.entries()))
                )
        elif isinstance(node.raw, list):
            waiting.extend((name, item) for item in reversed(list(node.items())))
        elif node.present and node.known() and (found := _set(name, node)):
            yield node, found


def _set(name: str, value: Node) -> str:
    """Return the name of a credential in `value`, which is set under `name`; "" if it contains none."""
    if isinstance(value.raw, bool) or not isinstance(value.raw, (str, int, float)):
        return ""
    text = str(value.raw)
    last = name.replace("\\.", "_").rsplit(".", 1)[-1]
    database = f"the password of a database in {name}" if name else "the password of a database"
    if "\n" in text.strip():
        if sets_password(text):
            return database
        return next(iter(_settings(text)), "") if _FILE.search(last) else ""
    if last and sets_secret(last, text):
        return "" if _selects(last, text) else name
    if isinstance(value.raw, str):
        if sets_password(text):
            return database
        return next(iter(sorted(assigned(text))), "")
    return ""


def _selects(name: str, text: str) -> bool:
    """Whether the value of `name` is the name of a Secret, or of a key in one."""
    if _SELECTOR.search(name.replace("-", "_").replace(".", "_")):
        return True
    return _EITHER.search(name) is not None and (
        _OBJECT_NAME.fullmatch(text) is not None or names_secret(text)
    )


def _settings(text: str) -> Iterator[str]:
    """Yield the names of the settings in a file that hold a credential, each once."""
    yield from dict.fromkeys(name for _, name, value in secret_settings(text) if not _selects(name, value))


def _parsed(text: str) -> Any:
    """Return the object in a YAML text; None for another text, such as a template."""
    import yaml  # of the Pulumi SDK; needed by few resources

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        parsed = yaml.load(text[:MAX_FILE], loader)  # noqa: S506 (a safe loader)
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, (dict, list)) else None
