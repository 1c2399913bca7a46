"""Executes single steps: calls the provider, and records each operation before and after the call."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Final, TypeVar

from pulumi.runtime.proto import provider_pb2

from rehearsal.engine.assets import with_contents_of, without_contents
from rehearsal.engine.callbacks.hooks import HookError, Hooks
from rehearsal.engine.providers.builtin import PACKAGE as BUILTIN_PACKAGE
from rehearsal.engine.providers.registry import Provider
from rehearsal.engine.state.resource_state import ResourceState
from rehearsal.engine.state.snapshot_manager import SnapshotManager
from rehearsal.providers.errors import InitFailedError, ProviderError
from rehearsal.pulumi.properties import (
    UNKNOWN,
    UNKNOWN_SENTINEL,
    Properties,
    Secret,
    Value,
    contains_unknown,
    decode,
    encode,
    format_path,
    leaves,
    with_secrets_of,
)
from rehearsal.pulumi.urn import is_provider, name_of, package_of

# Default timeout of a step in seconds. Creating a regional cluster or an Atlas cluster takes up to half an
# hour; on one machine no step takes minutes.
DEFAULT_TIMEOUT: Final = 1800.0


_T = TypeVar("_T")


class StepFailedError(Exception):
    """A provider could not execute a step; the message can be shown to the user."""


class StepExecutor:
    """Executes steps against providers; with `preview`, calls them in preview mode only.

    An operation that was interrupted is repeated, so providers must meet two conditions: creating a resource
    that the same request created before is not an error, and a deletion without an id, but with the inputs,
    removes whatever an interrupted creation created.
    """

    def __init__(
        self, snapshot: SnapshotManager, hooks: Hooks, *, preview: bool, failed: Callable[[str, str], None]
    ) -> None:
        self._snapshot = snapshot
        self._hooks = hooks
        self._failed = failed
        # Of components whose outputs are still to come: the hooks to run then, and the state before.
        self._unfinished: dict[str, tuple[str, ResourceState | None]] = {}
        self.preview = preview

    def create_component(self, goal: ResourceState, *, retires: ResourceState | None = None) -> ResourceState:
        """Record a new component without outputs; the program registers those later.

        `retires` is the record of a resource that the component replaces.
        """
        self._before("BeforeCreate", new=goal)
        self._unfinished[goal.urn] = ("AfterCreate", None)
        return self._snapshot.put(replace(goal, outputs={}), retires=retires)

    def update_component(self, old: ResourceState, goal: ResourceState) -> ResourceState:
        """Record a component with its new inputs and without outputs."""
        self._before("BeforeUpdate", old=old, new=goal)
        self._unfinished[goal.urn] = ("AfterUpdate", old)
        return self._snapshot.put(replace(goal, outputs={}))

    def component_finished(self, state: ResourceState) -> None:
        """Run the after hooks of a component once its outputs are registered."""
        if (waiting := self._unfinished.pop(state.urn, None)) is not None:
            kind, old = waiting
            self._after(kind, old=old, new=state)

    def _before(
        self, kind: str, *, old: ResourceState | None = None, new: ResourceState | None = None
    ) -> None:
        try:
            self._hooks.run(kind, old=old, new=new)
        except HookError as error:
            raise StepFailedError(str(error)) from None

    def _after(
        self, kind: str, *, old: ResourceState | None = None, new: ResourceState | None = None
    ) -> None:
        """Run after hooks. The step has taken effect: its result stays recorded if they fail."""
        state = new or old
        assert state is not None
        try:
            self._hooks.run(kind, old=old, new=new)
        except HookError as error:
            self._failed(state.urn, str(error))

    def _retried(
        self,
        operation: str,
        call: Callable[[], _T],
        *,
        old: ResourceState | None = None,
        new: ResourceState | None = None,
    ) -> _T:
        """Return the result of `call`, repeated while the resource's error hooks request a retry."""
        failures: list[str] = []
        while True:
            try:
                return call()
            except ProviderError as error:
                failures.insert(0, str(error))
                try:
                    again = self._hooks.retry(operation, failures, old=old, new=new)
                except HookError as failed:
                    raise StepFailedError(str(failed)) from None
                if not again:
                    raise

    def create(
        self, provider: Provider, goal: ResourceState, *, retires: ResourceState | None = None
    ) -> ResourceState:
        """Create a resource and record it; `retires` is the record it replaces. Raises StepFailedError."""
        self._before("BeforeCreate", new=goal)
        if is_provider(goal.type):
            import uuid

            id_ = UNKNOWN_SENTINEL if self.preview else str(uuid.uuid4())
            recorded = self._snapshot.put(
                replace(goal, id=id_, outputs=_provider_outputs(goal)), ends="creating", retires=retires
            )
            self._after("AfterCreate", new=recorded)
            return recorded
        self._begin("creating", goal)
        request = _creation(goal, preview=self.preview)
        try:
            response = self._retried("create", lambda: provider.Create(request, None), new=goal)
        except InitFailedError as error:
            self._record_unready(goal, error, "creating", retires)
            raise StepFailedError(_reasons(error)) from None
        except ProviderError as error:
            self._snapshot.end("creating", goal)
            raise StepFailedError(str(error)) from None
        if not response.id and not self.preview:
            raise StepFailedError("the provider created it and returned no id: this is a bug in the provider")
        created = replace(goal, id=response.id, outputs=outputs_of(goal, decode(response.properties)))
        recorded = self._record(created, "creating", retires)
        self._after("AfterCreate", new=recorded)
        return recorded

    def update(self, provider: Provider, old: ResourceState, goal: ResourceState) -> ResourceState:
        """Update a resource and record it. Raises StepFailedError and leaves the old record in place."""
        goal = replace(goal, id=old.id)
        self._before("BeforeUpdate", old=old, new=goal)
        if is_provider(goal.type):
            recorded = self._snapshot.put(replace(goal, outputs=_provider_outputs(goal)), ends="updating")
            self._after("AfterUpdate", old=old, new=recorded)
            return recorded
        self._begin("updating", goal)
        request = provider_pb2.UpdateRequest(
            id=old.id,
            urn=goal.urn,
            name=name_of(goal.urn),
            type=goal.type,
            olds=encode(old.outputs),
            old_inputs=encode(old.inputs),
            news=encode(goal.inputs),
            timeout=goal.custom_timeouts.get("update", DEFAULT_TIMEOUT),
            ignoreChanges=goal.ignore_changes,
            preview=self.preview,
        )
        try:
            response = self._retried("update", lambda: provider.Update(request, None), old=old, new=goal)
        except InitFailedError as error:
            self._record_unready(goal, error, "updating", None)
            raise StepFailedError(_reasons(error)) from None
        except ProviderError as error:
            # The provider may have applied part of the change: the operation stays pending, and the next
            # update repeats it.
            raise StepFailedError(str(error)) from None
        updated = replace(goal, outputs=outputs_of(goal, decode(response.properties)))
        recorded = self._record(updated, "updating", None)
        self._after("AfterUpdate", old=old, new=recorded)
        return recorded

    def delete(
        self,
        provider: Provider | None,
        resource: ResourceState,
        *,
        ask: bool = True,
        awaits_replacement: bool = False,
    ) -> None:
        """Delete `resource` and its record; ``ask=False`` skips the provider. Raises StepFailedError.

        With `awaits_replacement` the record stays, marked as pending, because the resource is created again.
        """
        self._before("BeforeDelete", old=resource)
        managed = resource.custom and not resource.external and not is_provider(resource.type)
        if managed and ask and not self.preview and not resource.pending_replacement:
            if provider is None:
                raise StepFailedError(f"its provider {resource.provider or '(none)'} is not in the state")
            self._begin("deleting", resource)
            try:
                self.request_deletion(provider, resource)
            except StepFailedError:
                self._snapshot.end("deleting", resource)
                raise
        self._snapshot.drop(resource, awaits_replacement=awaits_replacement)
        self._after("AfterDelete", old=resource)

    def request_deletion(self, provider: Provider, resource: ResourceState) -> None:
        """Call Delete without a change of the records.

        Without an id, the provider removes what an interrupted creation may have created.
        """
        request = provider_pb2.DeleteRequest(
            id=resource.id,
            urn=resource.urn,
            name=name_of(resource.urn),
            type=resource.type,
            properties=encode(resource.outputs),
            old_inputs=encode(resource.inputs),
            timeout=resource.custom_timeouts.get("delete", DEFAULT_TIMEOUT),
        )
        try:
            self._retried("delete", lambda: provider.Delete(request, None), old=resource)
        except ProviderError as error:
            raise StepFailedError(str(error)) from None

    def undo_creation(self, provider: Provider, resource: ResourceState, *, spare: str) -> None:
        """Remove what the interrupted creation of `resource` may have created, unless its id is `spare`.

        Only the provider has that id: repeat the same creation, which returns it, then delete.
        """
        try:
            id_ = provider.Create(_creation(resource, preview=False), None).id
        except InitFailedError as error:
            id_ = error.id
        except ProviderError:
            id_ = ""  # creation is repeatable: if it fails now, nothing was created before
        if id_ and id_ != spare:
            self.request_deletion(provider, replace(resource, id=id_))
        self._snapshot.end("creating", resource)

    def read(self, provider: Provider, resource: ResourceState) -> ResourceState | None:
        """Return the cloud's state of `resource`, unrecorded; None if absent. Raises StepFailedError."""
        errors: tuple[str, ...] = ()
        outputs, inputs = resource.outputs, resource.inputs
        builtin = package_of(resource.type) == BUILTIN_PACKAGE  # which is part of the engine
        if not builtin:
            outputs, inputs = without_contents(outputs), without_contents(inputs)
        try:
            response = provider.Read(
                provider_pb2.ReadRequest(
                    id=resource.id,
                    urn=resource.urn,
                    name=name_of(resource.urn),
                    type=resource.type,
                    properties=encode(outputs),
                    inputs=encode(inputs),
                ),
                None,
            )
        except InitFailedError as error:
            errors = tuple(error.reasons)
            id_, outputs, inputs = error.id, error.properties, error.inputs or resource.inputs
        except ProviderError as error:
            raise StepFailedError(str(error)) from None
        else:
            id_, outputs = response.id, decode(response.properties)
            inputs = decode(response.inputs) if response.HasField("inputs") else resource.inputs
        if not id_:
            return None
        return replace(
            resource,
            id=id_,
            inputs=with_secrets_of(with_contents_of(inputs, resource.inputs), resource.inputs),
            # Secret outputs stay secret although a provider reads them back in plaintext.
            outputs=outputs_of(resource, outputs)
            if builtin
            else with_secrets_of(
                outputs_of(resource, with_contents_of(outputs, resource.inputs)), resource.outputs
            ),
            init_errors=errors,
        )

    def _begin(self, operation: str, resource: ResourceState) -> None:
        if not self.preview:
            self._snapshot.begin(operation, resource)

    def _record(self, created: ResourceState, operation: str, retires: ResourceState | None) -> ResourceState:
        if not self.preview and contains_unknown(created.outputs):
            paths = [format_path(path) for path, leaf in leaves(created.outputs) if contains_unknown(leaf)]
            reason = f"the provider left outputs unknown: {', '.join(paths)}"
            created = replace(created, outputs=_known(created.outputs), init_errors=(reason,))
            self._snapshot.put(created, ends=operation, retires=retires)
            raise StepFailedError(f"{reason}. This is a bug in the provider")
        return self._snapshot.put(created, ends=operation, retires=retires)

    def _record_unready(
        self, goal: ResourceState, error: InitFailedError, operation: str, retires: ResourceState | None
    ) -> None:
        """Record a resource that exists but did not become ready, so that it is not orphaned."""
        created = replace(
            goal,
            id=error.id,
            outputs=outputs_of(goal, _known(error.properties)),
            init_errors=tuple(error.reasons),
        )
        self._snapshot.put(created, ends=operation, retires=retires)


def _creation(goal: ResourceState, *, preview: bool) -> provider_pb2.CreateRequest:
    return provider_pb2.CreateRequest(
        urn=goal.urn,
        name=name_of(goal.urn),
        type=goal.type,
        properties=encode(goal.inputs),
        timeout=goal.custom_timeouts.get("create", DEFAULT_TIMEOUT),
        preview=preview,
    )


def _provider_outputs(goal: ResourceState) -> Properties:
    """Return the inputs of a provider resource without those that only the engine reads, secrets marked.

    This is ``FilterProviderConfig`` of ``pkg/resource/deploy/providers/registry.go``.
    """
    outputs = {key: value for key, value in goal.inputs.items() if key != "__internal"}
    return with_additional_secrets(outputs, goal.additional_secret_outputs)


def _reasons(error: InitFailedError) -> str:
    return "\n".join(["it exists but did not become ready:", *(f"  - {reason}" for reason in error.reasons)])


def outputs_of(goal: ResourceState, outputs: Properties) -> Properties:
    """Return `outputs` with secret inputs and `additionalSecretOutputs` marked as secret."""
    return with_additional_secrets(with_secrets_of(outputs, goal.inputs), goal.additional_secret_outputs)


def with_additional_secrets(outputs: Properties, keys: Iterable[str]) -> Properties:
    """Return `outputs` with the values of `keys` marked as secret, except ``id``, which cannot be secret."""
    result: dict[str, Any] = dict(outputs)
    for key in keys:
        if key != "id" and key in result and not isinstance(result[key], Secret):
            result[key] = Secret(result[key])
    return result


def _known(value: Value) -> Any:
    """Return `value` without unknowns."""
    match value:
        case dict():
            return {key: _known(item) for key, item in value.items() if item is not UNKNOWN}
        case list():
            return [None if item is UNKNOWN else _known(item) for item in value]
        case Secret(element):
            return Secret(None if element is UNKNOWN else _known(element))
        case _:
            return value
