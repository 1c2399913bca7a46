"""Resource hooks: functions of the program that run before, after, or on errors of a resource's steps."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from pulumi.runtime.proto import callback_pb2, resource_pb2

from rehearsal.engine.callbacks.client import CallbackError, Callbacks
from rehearsal.engine.state.resource_state import ResourceState
from rehearsal.pulumi.properties import encode
from rehearsal.pulumi.urn import name_of

MAX_RETRIES: Final = 100  # of one step: ``maxErrorHookRetries`` in Pulumi


class HookError(Exception):
    """A hook has failed or is not registered."""


class Hooks:
    """Registered hooks by name. Thread-safe.

    Their semantics are those of ``RunHooks`` and ``RunErrorHooks`` of ``pkg/resource/deploy/deployment.go``.
    `warn` receives a message and a URN for a hook whose failure is ignored.
    """

    def __init__(self, callbacks: Callbacks, *, preview: bool, warn: Callable[[str, str], None]) -> None:
        self._callbacks = callbacks
        self._preview = preview
        self._warn = warn
        self._hooks: dict[str, resource_pb2.RegisterResourceHookRequest] = {}
        self._error_hooks: dict[str, callback_pb2.Callback] = {}
        self._lock = threading.Lock()

    def register(self, request: resource_pb2.RegisterResourceHookRequest) -> None:
        """Register a hook. Raises HookError if its name is empty or in use."""
        with self._lock:
            self._check_name(request.name)
            self._hooks[request.name] = request

    def register_error_hook(self, name: str, callback: callback_pb2.Callback) -> None:
        """Register an error hook. Raises HookError if its name is empty or in use."""
        with self._lock:
            self._check_name(name)
            self._error_hooks[name] = callback

    def _check_name(self, name: str) -> None:
        if not name:
            raise HookError("the name of a resource hook must not be empty")
        if name in self._hooks or name in self._error_hooks:
            raise HookError(f"two resource hooks have the name {name!r}; names of hooks must be unique")

    def run(self, kind: str, *, old: ResourceState | None = None, new: ResourceState | None = None) -> None:
        """Run the hooks of type `kind`, such as ``BeforeUpdate``, of a resource. Raises HookError.

        `old` and `new` are the states before and after the step; None where there is no such state.
        """
        state = new or old
        assert state is not None
        for name in state.hooks.get(kind, ()):
            with self._lock:
                hook = self._hooks.get(name)
            if hook is None:
                raise HookError(
                    f"the hook {name!r} is not registered: the program must create it before a resource with"
                    " a delete hook can be deleted"
                )
            if self._preview and not hook.on_dry_run:
                continue
            request = resource_pb2.ResourceHookRequest(
                **_described(old, new, outputs=kind.startswith("After"))
            )
            try:
                response = self._callbacks.invoke(hook.callback, request, resource_pb2.ResourceHookResponse)
                reason = response.error
            except CallbackError as error:
                reason = str(error)
            if not reason:
                continue
            if hook.ignore_errors:
                self._warn(f"{kind} hook {name!r} failed: {reason}", state.urn)
                continue
            when = "before" if kind.startswith("Before") else "after"
            raise HookError(f"{when} hook {name!r} failed: {reason}")

    def retry(
        self,
        operation: str,
        failures: list[str],
        *,
        old: ResourceState | None = None,
        new: ResourceState | None = None,
    ) -> bool:
        """Return whether an error hook requests a retry after `failures`, newest first. Raises HookError."""
        state = new or old
        assert state is not None
        again = False
        for name in state.hooks.get("OnError", ()):
            with self._lock:
                callback = self._error_hooks.get(name)
            if callback is None:
                raise HookError(f"the error hook {name!r} is not registered")
            fields = _described(old, new, outputs=False)
            fields.pop("new_outputs", None)
            request = resource_pb2.ErrorHookRequest(**fields, failed_operation=operation, errors=failures)
            try:
                response = self._callbacks.invoke(callback, request, resource_pb2.ErrorHookResponse)
            except CallbackError as error:
                raise HookError(f"error hook {name!r} failed: {error}") from None
            if response.error:
                raise HookError(f"error hook {name!r} failed: {response.error}")
            again = again or response.retry
        if again and len(failures) >= MAX_RETRIES:
            self._warn(f"maximum number of error hook retries ({MAX_RETRIES}) reached", state.urn)
            return False
        if again:
            self._warn(f"retrying {operation} as requested by an error hook ({len(failures)})", state.urn)
        return again


def _described(old: ResourceState | None, new: ResourceState | None, *, outputs: bool) -> dict[str, Any]:
    state = new or old
    assert state is not None
    fields: dict[str, Any] = {
        "urn": state.urn,
        "id": state.id,
        "name": name_of(state.urn),
        "type": state.type,
    }
    if new is not None:
        fields["new_inputs"] = encode(new.inputs)
        fields["new_options"] = _options(new)
        if outputs:
            fields["new_outputs"] = encode(new.outputs)
    if old is not None:
        fields["old_inputs"] = encode(old.inputs)
        fields["old_outputs"] = encode(old.outputs)
        fields["old_options"] = _options(old)
    return fields


def _options(state: ResourceState) -> resource_pb2.ResourceOptions:
    options = resource_pb2.ResourceOptions(
        depends_on=state.dependencies,
        ignore_changes=state.ignore_changes,
        replace_on_changes=state.replace_on_changes,
        provider=state.provider,
        deleted_with=state.deleted_with,
        hide_diff=state.hide_diffs,
        replace_with=state.replace_with,
        parent=state.parent,
        protect=state.protect,
        retain_on_delete=state.retain_on_delete,
        additional_secret_outputs=state.additional_secret_outputs,
    )
    setattr(options, "import", state.import_id)
    _set_hooks(options, state.hooks)
    if state.custom_timeouts:
        timeouts = {key: f"{value:g}s" for key, value in state.custom_timeouts.items()}
        options.custom_timeouts.CopyFrom(resource_pb2.RegisterResourceRequest.CustomTimeouts(**timeouts))
    return options


def _set_hooks(options: resource_pb2.ResourceOptions, hooks: Mapping[str, tuple[str, ...]]) -> None:
    for kind, names in hooks.items():
        field = "".join(f"_{char.lower()}" if char.isupper() else char for char in kind).lstrip("_")
        getattr(options.hooks, field).extend(names)
