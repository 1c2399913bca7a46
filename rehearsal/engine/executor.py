"""Carries out single steps: asks the provider, records before and after, tells the listener."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from pulumi.runtime.proto import provider_pb2

from rehearsal.clouds.errors import InitFailedError, ProviderError
from rehearsal.engine.ledger import Ledger
from rehearsal.engine.providers import Provider
from rehearsal.engine.state import ResourceState
from rehearsal.engine.urn import is_provider, name_of
from rehearsal.properties import UNKNOWN_SENTINEL, Properties, Secret, decode, encode

# How long a step may take where the program sets no custom time-out, in seconds. Creating a regional
# cluster or an Atlas cluster takes up to half an hour; on one machine nothing takes minutes.
DEFAULT_TIMEOUT: Final = 1800.0


class StepFailedError(Exception):
    """A provider could not do what was asked; the reason is ready to be shown."""


class Executor:
    """Executes against providers; with `preview` it only asks them what would come of it."""

    def __init__(self, ledger: Ledger, *, preview: bool) -> None:
        self._ledger = ledger
        self.preview = preview

    def create(
        self, provider: Provider, goal: ResourceState, *, retires: ResourceState | None = None
    ) -> ResourceState:
        """The created resource, recorded; `retires` is the one it takes over from. Raises StepFailedError."""
        if is_provider(goal.type):
            import uuid

            id_ = UNKNOWN_SENTINEL if self.preview else str(uuid.uuid4())
            return self._ledger.put(replace(goal, id=id_, outputs=goal.inputs), retires=retires)
        self._begin("creating", goal)
        try:
            answer = provider.Create(
                provider_pb2.CreateRequest(
                    urn=goal.urn,
                    name=name_of(goal.urn),
                    type=goal.type,
                    properties=encode(goal.inputs),
                    timeout=goal.custom_timeouts.get("create", DEFAULT_TIMEOUT),
                    preview=self.preview,
                ),
                None,
            )
        except InitFailedError as error:
            self._record_unready(goal, error, "creating", retires)
            raise StepFailedError(_reasons(error)) from None
        except ProviderError as error:
            self._ledger.abandon("creating", goal)
            raise StepFailedError(str(error)) from None
        created = replace(goal, id=answer.id, outputs=_outputs(goal, decode(answer.properties)))
        return self._ledger.put(created, ends="creating", retires=retires)

    def update(self, provider: Provider, old: ResourceState, goal: ResourceState) -> ResourceState:
        """The updated resource, recorded. Raises StepFailedError; the record is then still the old one."""
        goal = replace(goal, id=old.id)
        if is_provider(goal.type):
            return self._ledger.put(replace(goal, outputs=goal.inputs))
        self._begin("updating", goal)
        try:
            answer = provider.Update(
                provider_pb2.UpdateRequest(
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
                ),
                None,
            )
        except InitFailedError as error:
            self._record_unready(goal, error, "updating", None)
            raise StepFailedError(_reasons(error)) from None
        except ProviderError as error:
            # What the provider did before it gave up is unknown: the operation stays pending, and the next
            # update asks for the whole of it again.
            raise StepFailedError(str(error)) from None
        updated = replace(goal, outputs=_outputs(goal, decode(answer.properties)))
        return self._ledger.put(updated, ends="updating")

    def delete(self, provider: Provider | None, resource: ResourceState, *, ask: bool = True) -> None:
        """Deletes and forgets `resource`; ``ask=False`` leaves the provider out. Raises StepFailedError."""
        if self.preview or not ask or not resource.custom or is_provider(resource.type) or resource.external:
            self._ledger.drop(resource)
            return
        if provider is None:
            raise StepFailedError(f"its provider {resource.provider or '(none)'} is not in the state")
        self._begin("deleting", resource)
        try:
            provider.Delete(
                provider_pb2.DeleteRequest(
                    id=resource.id,
                    urn=resource.urn,
                    name=name_of(resource.urn),
                    type=resource.type,
                    properties=encode(resource.outputs),
                    old_inputs=encode(resource.inputs),
                    timeout=resource.custom_timeouts.get("delete", DEFAULT_TIMEOUT),
                ),
                None,
            )
        except ProviderError as error:
            self._ledger.abandon("deleting", resource)
            raise StepFailedError(str(error)) from None
        self._ledger.drop(resource, ends="deleting")

    def read(self, provider: Provider, resource: ResourceState) -> ResourceState | None:
        """`resource` as the cloud has it; None when it is gone. Records nothing. Raises StepFailedError."""
        try:
            answer = provider.Read(
                provider_pb2.ReadRequest(
                    id=resource.id,
                    urn=resource.urn,
                    name=name_of(resource.urn),
                    type=resource.type,
                    properties=encode(resource.outputs),
                    inputs=encode(resource.inputs),
                ),
                None,
            )
        except ProviderError as error:
            raise StepFailedError(str(error)) from None
        if not answer.id:
            return None
        inputs = decode(answer.inputs) if answer.HasField("inputs") else resource.inputs
        outputs = _outputs(resource, decode(answer.properties))
        return replace(resource, id=answer.id, inputs=inputs, outputs=outputs)

    def _begin(self, operation: str, resource: ResourceState) -> None:
        if not self.preview:
            self._ledger.begin(operation, resource)

    def _record_unready(
        self, goal: ResourceState, error: InitFailedError, operation: str, retires: ResourceState | None
    ) -> None:
        """A resource that exists but never became ready is recorded, so that nothing is lost track of."""
        self._ledger.put(
            replace(
                goal,
                id=error.id,
                outputs=_outputs(goal, error.properties),
                init_errors=tuple(error.reasons),
            ),
            ends=operation,
            retires=retires,
        )


def _reasons(error: InitFailedError) -> str:
    return "\n".join(["it exists but did not become ready:", *(f"  - {reason}" for reason in error.reasons)])


def _outputs(goal: ResourceState, outputs: Properties) -> Properties:
    """`outputs` with what the program calls secret marked as such: its secret inputs and additional ones."""
    result: dict[str, Any] = dict(outputs)
    for key, value in outputs.items():
        wanted = key in goal.additional_secret_outputs or isinstance(goal.inputs.get(key), Secret)
        if wanted and not isinstance(value, Secret):
            result[key] = Secret(value)
    return result
