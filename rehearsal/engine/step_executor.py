"""Carries out single steps: asks the provider, and records what is about to happen and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Final, TypeVar

from pulumi.runtime.proto import provider_pb2

from rehearsal.engine.callbacks.hooks import HookError, Hooks
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
from rehearsal.pulumi.urn import is_provider, name_of

# How long a step may take where the program sets no custom time-out, in seconds. Creating a regional
# cluster or an Atlas cluster takes up to half an hour; on one machine nothing takes minutes.
DEFAULT_TIMEOUT: Final = 1800.0


_T = TypeVar("_T")


class StepFailedError(Exception):
    """A provider could not do what was asked; the reason is ready to be shown."""


class StepExecutor:
    """Executes against providers; with `preview` it only asks them what would come of it.

    Providers here are asked again for what an earlier operation left open, so two things are expected of
    them: creating what that very resource already created is no error, and a deletion without an id, but
    with the inputs, removes what an interrupted creation may have made.
    """

    def __init__(
        self, ledger: SnapshotManager, hooks: Hooks, *, preview: bool, failed: Callable[[str, str], None]
    ) -> None:
        self._snapshot = ledger
        self._hooks = hooks
        self._failed = failed
        # Of components whose outputs are still to come: the hooks to run then, and the state before.
        self._unfinished: dict[str, tuple[str, ResourceState | None]] = {}
        self.preview = preview

    def create_component(self, goal: ResourceState) -> ResourceState:
        """The component, recorded without outputs: those come when the program registers them."""
        self._before("BeforeCreate", new=goal)
        self._unfinished[goal.urn] = ("AfterCreate", None)
        return self._snapshot.put(replace(goal, outputs={}))

    def update_component(self, old: ResourceState, goal: ResourceState) -> ResourceState:
        """The component with its new inputs, recorded without outputs."""
        self._before("BeforeUpdate", old=old, new=goal)
        self._unfinished[goal.urn] = ("AfterUpdate", old)
        return self._snapshot.put(replace(goal, outputs={}))

    def component_finished(self, state: ResourceState) -> None:
        """Runs the hooks that wait for the outputs of a component."""
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
        """Runs hooks after a step that took effect: its result stays recorded although they fail."""
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
        """What `call` returns, called again for as long as the resource's error hooks ask for it."""
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
        """The created resource, recorded; `retires` is the one it takes over from. Raises StepFailedError."""
        if is_provider(goal.type):
            import uuid

            id_ = UNKNOWN_SENTINEL if self.preview else str(uuid.uuid4())
            return self._snapshot.put(
                replace(goal, id=id_, outputs=goal.inputs), ends="creating", retires=retires
            )
        self._before("BeforeCreate", new=goal)
        self._begin("creating", goal)
        request = _creation(goal, preview=self.preview)
        try:
            answer = self._retried("create", lambda: provider.Create(request, None), new=goal)
        except InitFailedError as error:
            self._record_unready(goal, error, "creating", retires)
            raise StepFailedError(_reasons(error)) from None
        except ProviderError as error:
            self._snapshot.end("creating", goal)
            raise StepFailedError(str(error)) from None
        if not answer.id and not self.preview:
            raise StepFailedError("the provider created it and told no id: this is a mistake in the provider")
        created = replace(goal, id=answer.id, outputs=outputs_of(goal, decode(answer.properties)))
        recorded = self._record(created, "creating", retires)
        self._after("AfterCreate", new=recorded)
        return recorded

    def update(self, provider: Provider, old: ResourceState, goal: ResourceState) -> ResourceState:
        """The updated resource, recorded. Raises StepFailedError; the record is then still the old one."""
        goal = replace(goal, id=old.id)
        if is_provider(goal.type):
            return self._snapshot.put(replace(goal, outputs=goal.inputs), ends="updating")
        self._before("BeforeUpdate", old=old, new=goal)
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
            answer = self._retried("update", lambda: provider.Update(request, None), old=old, new=goal)
        except InitFailedError as error:
            self._record_unready(goal, error, "updating", None)
            raise StepFailedError(_reasons(error)) from None
        except ProviderError as error:
            # What the provider did before it gave up is unknown: the operation stays pending, and the next
            # update asks for the whole of it again.
            raise StepFailedError(str(error)) from None
        updated = replace(goal, outputs=outputs_of(goal, decode(answer.properties)))
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
        """Deletes and forgets `resource`; ``ask=False`` leaves the provider out. Raises StepFailedError.

        With `awaits_replacement` the record stays, marked so, because it is about to be created anew.
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
        """Only asks: the records stay as they are. Without an id, whatever its creation may have made."""
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
        """Removes what the interrupted creation of `resource` may have made, unless its id is `spare`.

        Only the provider knows that id: it is asked to create the very same again, then to delete it.
        """
        try:
            id_ = provider.Create(_creation(resource, preview=False), None).id
        except InitFailedError as error:
            id_ = error.id
        except ProviderError:
            id_ = ""  # it cannot be created now, so it was not before: creating is repeatable
        if id_ and id_ != spare:
            self.request_deletion(provider, replace(resource, id=id_))
        self._snapshot.end("creating", resource)

    def read(self, provider: Provider, resource: ResourceState) -> ResourceState | None:
        """`resource` as the cloud has it; None when it is gone. Records nothing. Raises StepFailedError."""
        errors: tuple[str, ...] = ()
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
        except InitFailedError as error:
            errors = tuple(error.reasons)
            id_, outputs, inputs = error.id, error.properties, error.inputs or resource.inputs
        except ProviderError as error:
            raise StepFailedError(str(error)) from None
        else:
            id_, outputs = answer.id, decode(answer.properties)
            inputs = decode(answer.inputs) if answer.HasField("inputs") else resource.inputs
        if not id_:
            return None
        return replace(
            resource,
            id=id_,
            inputs=with_secrets_of(inputs, resource.inputs),
            # What was secret before stays so: a provider that reads back plain text reveals nothing.
            outputs=with_secrets_of(outputs_of(resource, outputs), resource.outputs),
            init_errors=errors,
        )

    def _begin(self, operation: str, resource: ResourceState) -> None:
        if not self.preview:
            self._snapshot.begin(operation, resource)

    def _record(self, made: ResourceState, operation: str, retires: ResourceState | None) -> ResourceState:
        if not self.preview and contains_unknown(made.outputs):
            paths = [format_path(path) for path, leaf in leaves(made.outputs) if contains_unknown(leaf)]
            reason = f"the provider left outputs unknown: {', '.join(paths)}"
            made = replace(made, outputs=_known(made.outputs), init_errors=(reason,))
            self._snapshot.put(made, ends=operation, retires=retires)
            raise StepFailedError(f"{reason}. This is a mistake in the provider")
        return self._snapshot.put(made, ends=operation, retires=retires)

    def _record_unready(
        self, goal: ResourceState, error: InitFailedError, operation: str, retires: ResourceState | None
    ) -> None:
        """A resource that exists but never became ready is recorded, so that nothing is lost track of."""
        made = replace(
            goal,
            id=error.id,
            outputs=outputs_of(goal, _known(error.properties)),
            init_errors=tuple(error.reasons),
        )
        self._snapshot.put(made, ends=operation, retires=retires)


def _creation(goal: ResourceState, *, preview: bool) -> provider_pb2.CreateRequest:
    return provider_pb2.CreateRequest(
        urn=goal.urn,
        name=name_of(goal.urn),
        type=goal.type,
        properties=encode(goal.inputs),
        timeout=goal.custom_timeouts.get("create", DEFAULT_TIMEOUT),
        preview=preview,
    )


def _reasons(error: InitFailedError) -> str:
    return "\n".join(["it exists but did not become ready:", *(f"  - {reason}" for reason in error.reasons)])


def outputs_of(goal: ResourceState, outputs: Properties) -> Properties:
    """`outputs` with what the program calls secret marked as such: its secret inputs and additional ones."""
    return with_additional_secrets(with_secrets_of(outputs, goal.inputs), goal.additional_secret_outputs)


def with_additional_secrets(outputs: Properties, keys: Iterable[str]) -> Properties:
    """`outputs` with those called `keys` marked as secret."""
    result: dict[str, Any] = dict(outputs)
    for key in keys:
        if key in result and not isinstance(result[key], Secret):
            result[key] = Secret(result[key])
    return result


def _known(value: Value) -> Any:
    """`value` without what is unknown."""
    match value:
        case dict():
            return {key: _known(item) for key, item in value.items() if item is not UNKNOWN}
        case list():
            return [None if item is UNKNOWN else _known(item) for item in value]
        case Secret(element):
            return Secret(None if element is UNKNOWN else _known(element))
        case _:
            return value
