"""Goal state of a resource: one registration of the program, decoded from its protocol message."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from pulumi.runtime.proto import resource_pb2, source_pb2

from rehearsal.engine.assets import with_hashes
from rehearsal.engine.providers.versions import installed_version
from rehearsal.engine.state.resource_state import ResourceState
from rehearsal.pulumi.properties import (
    Properties,
    Secret,
    Value,
    decode,
    decode_value,
    parse_path,
)
from rehearsal.pulumi.urn import (
    alias_urns,
    inherited_alias,
    is_provider,
    make_urn,
    package_of,
    split_reference,
    type_of,
)


@dataclass(frozen=True)
class Goal:
    """Resource as the program declares it. `inputs` may hold unknowns in a preview."""

    urn: str
    type: str
    name: str
    custom: bool
    inputs: Properties
    parent: str = ""
    provider: str = ""
    version: str = ""
    dependencies: tuple[str, ...] = ()
    property_dependencies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    protect: bool | None = None
    ignore_changes: tuple[str, ...] = ()
    replace_on_changes: tuple[str, ...] = ()
    delete_before_replace: bool | None = None
    retain_on_delete: bool | None = None
    deleted_with: str = ""
    replace_with: tuple[str, ...] = ()
    replacement_trigger: Value = None
    hide_diffs: tuple[str, ...] = ()
    hooks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    plugin_download_url: str = ""
    providers: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    additional_secret_outputs: tuple[str, ...] = ()
    custom_timeouts: Mapping[str, float] = field(default_factory=dict)
    import_id: str = ""
    source: str = ""

    @classmethod
    def from_request(
        cls,
        request: resource_pb2.RegisterResourceRequest,
        stack: str,
        project: str,
        root: Path,
        main: Path,
        adopted: Mapping[str, str],
    ) -> Goal:
        """Decode `request`; `adopted` has the former URNs of resources that were found by an alias.

        Paths of assets are relative to `main`, the folder of the program, whatever folder it changes to.
        """
        timeouts = {
            key: timeout  # 0 is the default, which the CLI does not record
            for key in ("create", "update", "delete", "read")
            if (text := getattr(request.customTimeouts, key)) and (timeout := seconds(text))
        }
        inputs = with_hashes(decode(request.object), main)
        if is_provider(request.type):  # as the CLI's engine does (`SetProviderVersion`, `SetProviderURL`)
            version = request.version
            if not version and not request.pluginDownloadURL:
                version = installed_version(package_of(request.type))
            inputs |= {"version": version} if version else {}
            if request.pluginDownloadURL:
                inputs["__internal"] = {"pluginDownloadURL": request.pluginDownloadURL}
        trigger = (
            decode_value(request.replacement_trigger) if request.HasField("replacement_trigger") else None
        )
        return cls(
            urn=make_urn(stack, project, request.type, request.name, request.parent),
            type=request.type,
            name=request.name,
            custom=request.custom,
            inputs=inputs,
            parent=request.parent,
            provider=request.provider,
            version=request.version,
            dependencies=tuple(sorted(set(request.dependencies))),
            property_dependencies={
                key: tuple(sorted(value.urns)) for key, value in sorted(request.propertyDependencies.items())
            },
            protect=request.protect if request.HasField("protect") else None,
            ignore_changes=tuple(request.ignoreChanges),
            replace_on_changes=tuple(request.replaceOnChanges),
            delete_before_replace=request.deleteBeforeReplace if request.deleteBeforeReplaceDefined else None,
            retain_on_delete=request.retainOnDelete if request.HasField("retainOnDelete") else None,
            deleted_with=request.deletedWith,
            replace_with=tuple(request.replace_with),
            replacement_trigger=trigger,
            hide_diffs=tuple(_quoted(parse_path(text)) for text in request.hideDiffs),
            hooks=hook_bindings(request.hooks),
            plugin_download_url=request.pluginDownloadURL.rstrip("/"),
            providers=dict(request.providers),
            aliases=tuple(
                dict.fromkeys(
                    [
                        *request.aliasURNs,
                        *alias_urns(
                            request.aliases,
                            stack=stack,
                            project=project,
                            type_=request.type,
                            name=request.name,
                            parent=request.parent,
                            adopted=adopted,
                        ),
                    ]
                )
            ),
            additional_secret_outputs=tuple(request.additionalSecretOutputs),
            custom_timeouts=timeouts,
            import_id=request.importId,
            source=source_text(request.sourcePosition, root),
        )

    def inheriting(self, parent: Goal, former: str = "") -> Goal:
        """Return this goal with the options inherited from its `parent` where it sets none itself.

        The options are those of ``inheritFromParent`` in ``pkg/resource/deploy/source_eval.go``. `former` is
        the URN by which the record of the parent was found, if that was an alias.
        """
        goal = replace(
            self.with_alias_of(parent, former) if former else self,
            protect=parent.protect if self.protect is None else self.protect,
            retain_on_delete=parent.retain_on_delete
            if self.retain_on_delete is None
            else self.retain_on_delete,
            deleted_with=self.deleted_with or parent.deleted_with,
        )
        if not self.custom:
            return replace(
                goal,
                providers={**parent.providers, **self.providers} if not parent.custom else self.providers,
            )
        if self.provider or is_provider(self.type):
            return goal
        package = package_of(self.type)
        if parent.provider and package_of(type_of(parent.provider_urn)) == package:
            return replace(goal, provider=parent.provider)
        return replace(goal, provider=self.providers.get(package) or parent.providers.get(package, ""))

    def with_alias_of(self, parent: Goal, former: str) -> Goal:
        """Return this goal with the aliases that follow from the `former` URN of its `parent`.

        Aliases of the parent by which no record was found have no effect on its children
        (``generateAliases`` in ``pkg/resource/deploy/step_generator.go``).
        """
        inherited = [inherited_alias(urn, parent.urn, former) for urn in (self.urn, *self.aliases)]
        return replace(self, aliases=tuple(dict.fromkeys([*self.aliases, *inherited])))

    def references(self) -> Iterable[str]:
        """Return the URNs that this resource depends on."""
        return self.state().references()

    def state(self) -> ResourceState:
        """Return the record of this goal, without outputs.

        It has no aliases: when a record is found by an alias, all references to it are renamed. Pulumi's
        snapshots have none either (`NormalizeURNReferences` in
        `pkg/resource/deploy/snapshot.go`).
        """
        return ResourceState(
            urn=self.urn,
            type=self.type,
            custom=self.custom,
            inputs=self.inputs,
            parent=self.parent,
            provider=self.provider,
            dependencies=self.dependencies,
            property_dependencies=self.property_dependencies,
            protect=bool(self.protect),
            retain_on_delete=bool(self.retain_on_delete),
            deleted_with=self.deleted_with,
            replace_with=self.replace_with,
            replacement_trigger=_without_secret_values(self.replacement_trigger),
            hide_diffs=self.hide_diffs,
            hooks=self.hooks,
            additional_secret_outputs=self.additional_secret_outputs,
            ignore_changes=self.ignore_changes,
            replace_on_changes=self.replace_on_changes,
            custom_timeouts=self.custom_timeouts,
            import_id=self.import_id,
            source_position=self.source,
        )

    @property
    def provider_urn(self) -> str:
        return split_reference(self.provider)[0] if self.provider else ""


def _without_secret_values(trigger: Value) -> Any:
    """Return a replacement trigger as it is recorded: every secret without its value.

    The CLI's engine reads secrets of a recorded trigger before they are decrypted, so they have no value. A
    trigger that is a secret as a whole therefore replaces nothing, and one that contains a secret replaces
    the resource in every update.
    """
    match trigger:
        case Secret():
            return Secret(None)
        case dict():
            return {key: _without_secret_values(item) for key, item in trigger.items()}
        case list():
            return [_without_secret_values(item) for item in trigger]
        case _:
            return trigger


def _quoted(path: tuple[str | int, ...]) -> str:
    """Format a property path with quotes around all but letters, digits and underscores.

    This is ``PropertyPath.String`` of ``sdk/go/common/resource/properties_path.go``.
    """
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif re.fullmatch(r"[A-Za-z0-9_]*", part):
            text += f".{part}" if text else part
        else:
            text += '["' + part.replace('"', '\\"') + '"]'
    return text


# The names of hook types in a state, by their names in the protocol.
_HOOK_TYPES: Final = {
    "before_create": "BeforeCreate",
    "after_create": "AfterCreate",
    "before_update": "BeforeUpdate",
    "after_update": "AfterUpdate",
    "before_delete": "BeforeDelete",
    "after_delete": "AfterDelete",
    "on_error": "OnError",
}


def hook_bindings(
    bindings: resource_pb2.RegisterResourceRequest.ResourceHooksBinding,
) -> dict[str, tuple[str, ...]]:
    """Return the names of a resource's hooks by hook type, such as ``BeforeCreate``."""
    found = {kind: tuple(getattr(bindings, name)) for name, kind in _HOOK_TYPES.items()}
    return {kind: names for kind, names in found.items() if names}


# The micro sign and the Greek letter mu are both accepted.
_UNITS = {
    "h": 3600.0,
    "m": 60.0,
    "s": 1.0,
    "ms": 1e-3,
    "us": 1e-6,
    "\N{MICRO SIGN}s": 1e-6,
    "\N{GREEK SMALL LETTER MU}s": 1e-6,
    "ns": 1e-9,
}


def seconds(text: str) -> float:
    """Convert a Go duration such as ``1h5m30s`` to seconds (``time.ParseDuration``). Raises ValueError."""
    sign, unsigned = (-1 if text.startswith("-") else 1), re.sub(r"^[-+]", "", text)
    if unsigned == "0":
        return 0.0
    units = "|".join(sorted(_UNITS, key=len, reverse=True))
    parts = re.findall(rf"(\d+\.?\d*|\.\d+)({units})", unsigned)
    if not parts or "".join(number + unit for number, unit in parts) != unsigned:
        raise ValueError(f"{text!r} is not a duration such as 90s or 1h30m")
    return sign * sum(float(number) * _UNITS[unit] for number, unit in parts)


def source_text(position: source_pb2.SourcePosition, root: Path) -> str:
    """Format a source position as ``file:line``; a file within the project is relative to its `root`."""
    if not position.uri:
        return ""
    path = Path(unquote(urlsplit(position.uri).path))
    if position.uri.startswith("project:"):
        path = path.relative_to("/")
    elif path.is_relative_to(root):
        path = path.relative_to(root)
    return f"{path}:{position.line}"
