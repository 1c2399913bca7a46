"""What the program asks for: one registration, read from the wire once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pulumi.runtime.proto import resource_pb2, source_pb2

from rehearsal.engine.provider_versions import installed_version
from rehearsal.engine.state import ResourceState
from rehearsal.pulumi.properties import Properties, decode
from rehearsal.pulumi.urn import inherited_alias, is_provider, make_urn, package_of, split_reference


@dataclass(frozen=True)
class Goal:
    """A resource as the program declares it. `inputs` may hold unknowns while previewing."""

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
    protect: bool = False
    ignore_changes: tuple[str, ...] = ()
    replace_on_changes: tuple[str, ...] = ()
    delete_before_replace: bool | None = None
    retain_on_delete: bool = False
    deleted_with: str = ""
    aliases: tuple[str, ...] = ()
    additional_secret_outputs: tuple[str, ...] = ()
    custom_timeouts: Mapping[str, float] = field(default_factory=dict)
    import_id: str = ""
    source: str = ""

    @classmethod
    def from_request(
        cls, request: resource_pb2.RegisterResourceRequest, stack: str, project: str, root: Path
    ) -> Goal:
        timeouts = {
            key: seconds(text)
            for key in ("create", "update", "delete")
            if (text := getattr(request.customTimeouts, key))
        }
        inputs = decode(request.object)
        if is_provider(request.type):  # as the CLI's engine does (`SetProviderVersion`)
            version = request.version or installed_version(package_of(request.type))
            inputs |= {"version": version} if version else {}
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
            protect=request.protect,
            ignore_changes=tuple(request.ignoreChanges),
            replace_on_changes=tuple(request.replaceOnChanges),
            delete_before_replace=request.deleteBeforeReplace if request.deleteBeforeReplaceDefined else None,
            retain_on_delete=request.retainOnDelete,
            deleted_with=request.deletedWith,
            aliases=tuple(request.aliasURNs),
            additional_secret_outputs=tuple(request.additionalSecretOutputs),
            custom_timeouts=timeouts,
            import_id=request.importId,
            source=source_text(request.sourcePosition, root),
        )

    def with_aliases_of(self, parent: Goal) -> Goal:
        """This goal with the aliases that follow from those of its `parent`."""
        inherited = [
            inherited_alias(urn, parent.urn, alias)
            for urn in (self.urn, *self.aliases)
            for alias in parent.aliases
        ]
        return replace(self, aliases=tuple(dict.fromkeys([*self.aliases, *inherited])))

    def references(self) -> Iterable[str]:
        """The URNs that this resource waits for."""
        return self.state().references()

    def state(self) -> ResourceState:
        """The record of this goal before anything is known of its outputs.

        Without its aliases: once a record is found by one, everything that referred to it there is renamed,
        and Pulumi's snapshots name none either (`NormalizeURNReferences` in
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
            protect=self.protect,
            retain_on_delete=self.retain_on_delete,
            deleted_with=self.deleted_with,
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


_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


def seconds(text: str) -> float:
    """A Go duration such as ``1h5m30s`` in seconds. Raises ValueError."""
    import re

    parts = re.findall(r"(\d+(?:\.\d+)?)(h|ms|us|µs|ns|m|s)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r} is not a duration such as 90s or 1h30m")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def source_text(position: source_pb2.SourcePosition, root: Path) -> str:
    """``file:line`` of a source position; a file within the project is named relative to its `root`."""
    if not position.uri:
        return ""
    path = Path(unquote(urlsplit(position.uri).path))
    if position.uri.startswith("project:"):
        path = path.relative_to("/")
    elif path.is_relative_to(root):
        path = path.relative_to(root)
    return f"{path}:{position.line}"
