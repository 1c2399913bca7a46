"""Step generator: decides the step of a declared resource, as Pulumi's ``step_generator.go`` does."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from pulumi.runtime.proto import provider_pb2

from rehearsal.engine.deployment import Deployment
from rehearsal.engine.diff import Diff, interpret, reset_ignored, reset_ignored_of_component
from rehearsal.engine.errors import SkippedError
from rehearsal.engine.events import Op, PropertyChange, Severity, Step
from rehearsal.engine.goal import Goal
from rehearsal.engine.providers.builtin import PACKAGE as BUILTIN_PACKAGE
from rehearsal.engine.providers.default_providers import DefaultProviderDisabledError, DefaultProviders
from rehearsal.engine.providers.registry import ENGINE_KEYS, Provider, configuration
from rehearsal.engine.replacement import DeletionClaims, dependent_replacements, refusal
from rehearsal.engine.state.resource_state import ResourceState
from rehearsal.engine.step_executor import StepFailedError, outputs_of, with_additional_secrets
from rehearsal.errors import KingdomError
from rehearsal.providers.errors import ProviderError
from rehearsal.pulumi.properties import (
    UNKNOWN_SENTINEL,
    Change,
    Properties,
    contains_unknown,
    decode,
    differences,
    encode,
    equal,
    format_path,
    unwrap,
    with_new_secrets_of,
    with_secrets_of,
    without_references,
)
from rehearsal.pulumi.urn import is_provider, package_of, split_reference


@dataclass(frozen=True)
class PlannedStep:
    """Planned step with the `action` that executes it; `step` is None if there is nothing to report."""

    step: Step | None
    goal: Goal
    action: Callable[[], ResourceState]


class StepGenerator:
    """Compares declarations with records through Check and Diff of the providers. Thread-safe.

    `run` executes a planned step; it is used for imports, whose result decides the next step. `claims`
    prevents that a resource is planned while it is deleted along with another one.
    """

    def __init__(
        self,
        deployment: Deployment,
        default_providers: DefaultProviders,
        claims: DeletionClaims,
        run: Callable[[PlannedStep], ResourceState],
    ) -> None:
        self._deployment = deployment
        self._default_providers = default_providers
        self._claims = claims
        self._run = run
        self._snapshot = deployment.snapshot
        self._registry = deployment.registry
        self._executor = deployment.executor
        self._step = deployment.step

    def component(self, goal: Goal) -> PlannedStep:
        """Plan the step of a component, whose inputs are compared without a provider."""
        included = self._deployment.selection.includes(goal)
        old = self._adopt(goal, rename=included)
        again = old is not None and old.pending_replacement  # it is created again, included or not
        if not again:
            self._deployment.selection.extend(goal)
        self._evaluate(goal.state(), None)
        if not included and not again:
            return self._not_included(goal, old)
        self._refuse_missing(goal)
        if old is None:
            step = self._step(Op.CREATE, goal)
            return PlannedStep(step, goal, lambda: self._executor.create_component(goal.state()))
        inputs, recorded, failed = reset_ignored_of_component(goal.inputs, old.inputs, goal.ignore_changes)
        self._note_not_ignored(goal, failed)
        goal = replace(goal, inputs=recorded)
        found = differences(old.inputs, inputs)
        changes = tuple(PropertyChange(path, kind) for path, kind in found.items())
        was_custom = old.custom and not old.pending_replacement  # the resource of its record is deleted then
        replaces = was_custom or self._is_requested(goal, old) or old.pending_replacement
        if replaces or self._replaced_along(goal, old) or not self._same_trigger(goal, old):
            step = self._step(Op.REPLACE, goal, changes)
            self._guard_replacement(goal, old)
            self._deployment.note_replacement(goal.urn)
            retires = old if was_custom else None
            return PlannedStep(
                step, goal, lambda: self._executor.create_component(goal.state(), retires=retires)
            )
        if not equal(old.inputs, inputs):
            step = self._step(Op.UPDATE, goal, changes)
            return PlannedStep(step, goal, lambda: self._executor.update_component(old, goal.state()))
        step = self._step(Op.SAME, goal)
        outputs = with_secrets_of(old.outputs, goal.inputs)
        return PlannedStep(step, goal, lambda: self._snapshot.put(replace(goal.state(), outputs=outputs)))

    def custom(self, goal: Goal) -> PlannedStep:
        """Plan the step of a custom resource. An import that precedes it is executed."""
        goal = self._with_provider(goal)
        if "id" in goal.additional_secret_outputs:
            self._deployment.log(Severity.WARNING, "additionalSecretOutputs: id cannot be secret", goal.urn)
        included = self._deployment.selection.includes(goal)
        old = self._adopt(goal, rename=included)
        # A record of a resource that was only read is replaced, as in the CLI.
        external = self._snapshot.live(goal.urn) if old is None else None
        provider, imported = self._provider_for(goal), False
        if goal.import_id and (old is None or goal.import_id != (old.import_id or old.id)):
            old, imported = self._run(self._import(goal, provider, old or external)), True
            # The CLI records no trigger with the update that follows an import.
            goal = replace(goal, replacement_trigger=None)
        if imported or (external is None and (old is None or not old.pending_replacement)):
            self._deployment.selection.extend(goal)
        if not included and not imported and external is not None:
            # The CLI creates it nevertheless, with the inputs of the read.
            goal = self._remediated(replace(goal, inputs=external.inputs))
            return self._create(goal, provider, Op.REPLACE, retires=external)
        if not included and (old is None or not old.pending_replacement):
            inputs = old.inputs if old is not None else dict[str, Any]()
            self._remediated(replace(goal, inputs=inputs))
            return self._not_included(goal, old)
        self._refuse_missing(goal)
        if old is not None and old.pending_replacement:
            self._deployment.note_replacement(goal.urn)
            # The CLI creates a resource that the operation does not include with its former inputs.
            goal = (
                self._checked(goal, provider, None, replaces=old)
                if included
                else replace(goal, inputs=old.inputs)
            )
            return self._create(self._remediated(goal), provider, Op.REPLACE)
        declared, requested = goal, old is not None and self._is_requested(goal, old)
        if old is not None and goal.ignore_changes and not requested:
            goal = self._with_ignored(goal, old)
        goal = self._remediated(
            self._checked(goal, provider, None if requested else old, replaces=old if requested else None)
        )
        if old is None:
            op = Op.CREATE if external is None else Op.REPLACE
            return self._create(goal, provider, op, retires=external)
        diff = self._diff(goal, provider, old)
        if diff.replace:
            self._refuse_replacing_imported(goal, diff)
            # The first Check copied names and defaults from the resource that is replaced, and ignoreChanges
            # has no effect on replacements.
            goal = self._remediated(self._checked(declared, provider, None, replaces=old))
            return self._replace(goal, provider, old, diff)
        unfinished = self._undo_replacement(goal, provider, old)
        if diff or old.init_errors or unfinished or self._snapshot.is_pending("updating", goal.urn):
            step = self._step(Op.UPDATE, goal, diff.changes)
            return PlannedStep(
                step, goal, lambda: self._enable(self._executor.update(provider, old, goal.state()))
            )
        outputs = with_additional_secrets(
            with_new_secrets_of(old.outputs, goal.inputs, old.inputs), goal.additional_secret_outputs
        )
        state = replace(goal.state(), id=old.id, outputs=outputs)
        if imported:  # the import is reported already
            state = replace(state, replacement_trigger=old.replacement_trigger)
            return PlannedStep(None, goal, lambda: self._snapshot.put(state))
        step = self._step(Op.SAME, goal)
        return PlannedStep(step, goal, lambda: self._enable(self._snapshot.put(state)))

    def _not_included(self, goal: Goal, old: ResourceState | None) -> PlannedStep:
        """Plan the step of a resource that the operation does not include: it stays as it is.

        Without a record it is not created, and its outputs are unknown to the program.
        """
        step = self._step(Op.SAME, goal)
        if old is None:
            self._deployment.selection.skip(goal.urn)
            return PlannedStep(step, goal, lambda: replace(goal.state(), inputs={}))
        self._deployment.selection.leave(old.urn)
        if old.provider and not self._is_registered(old.provider):
            self._reject(
                goal,
                f"its provider {old.provider} is not declared any more, and this operation does not include"
                " the resource. Declare the former provider again, or include the resource",
            )
        if old.urn != goal.urn:  # found by an alias: its children refer to its former URN
            self._deployment.redeclare(replace(goal, urn=old.urn))
        return PlannedStep(replace(step, urn=old.urn), goal, lambda: old)

    def _is_registered(self, reference: str) -> bool:
        urn, id_ = split_reference(reference)
        record = self._snapshot.live(urn)
        return urn in self._deployment.registered and record is not None and record.id == id_

    def _refuse_missing(self, goal: Goal) -> None:
        """Refuse a reference to a resource that is not created, because the operation does not include it.

        A preview reports it and continues, to show all of them.
        """
        missing = self._deployment.selection.missing(goal)
        left_out = "not a target" if self._deployment.selection.targets.targets else "excluded"
        for urn in missing:
            self._deployment.recorder.error(
                goal.urn,
                goal.source,
                f"it depends on {urn}, which would have to be created and is {left_out}",
            )
        if missing and not self._deployment.preview:
            raise StepFailedError(f"it depends on a resource that is {left_out}")

    def _refuse_replacing_imported(self, goal: Goal, diff: Diff) -> None:
        if not goal.import_id:
            return
        paths = ", ".join(format_path(item.path) for item in diff.changes if item.replaces)
        message = (
            f"the imported resource differs from its declaration, and it may not be replaced: {paths}."
            " Declare what exists, or remove `import_` from the program."
        )
        if not self._deployment.preview:
            self._reject(goal, message)
        self._deployment.log(Severity.WARNING, message, goal.urn)

    def _is_requested(self, goal: Goal, old: ResourceState) -> bool:
        """Return whether `goal` is replaced although nothing differs, as an option or its record requests."""
        return old.tainted or self._deployment.selection.replaces(goal.urn)

    def _replaced_along(self, goal: Goal, old: ResourceState) -> str:
        """Return the option by which `goal` is replaced along with another resource, or an empty string."""
        if any(self._deployment.is_replaced(urn) for urn in goal.replace_with):
            return "replaceWith"
        if self._deployment.is_replaced(goal.deleted_with):
            return "deletedWith"
        return ""

    def _same_trigger(self, goal: Goal, old: ResourceState) -> bool:
        """Return whether the replacement trigger is unchanged (``shouldTriggerReplace`` in Pulumi)."""
        new, before = unwrap(goal.replacement_trigger), unwrap(old.replacement_trigger)
        if contains_unknown(new):
            if not self._deployment.preview:
                self._reject(goal, "the replacement trigger is unknown until the update: it must be known")
            return False
        return new is None or before is None or equal(new, before)

    def _guard_replacement(self, goal: Goal, old: ResourceState) -> None:
        """Refuse to replace a resource that was protected and still is."""
        if old.protect and goal.protect:
            self._deployment.refuse_protected(
                (replace(old, source_position=goal.source), refusal("replaced", old))
            )

    def _adopt(self, goal: Goal, *, rename: bool = True) -> ResourceState | None:
        """Return the record of `goal`: that of its URN, or that of one of its aliases, renamed.

        There is none if the record is external: such a resource was only read. Without `rename`, the record
        of an alias has its former URN.
        """
        if adopter := self._deployment.adopter(goal.urn):
            self._reject(goal, f"it is the resource {adopter} by an alias of that one. Remove the alias")
        old = self._snapshot.live(goal.urn)
        for alias in () if old is not None else goal.aliases:
            try:
                adopted = self._deployment.adopt(alias, goal.urn)
            except ValueError as error:
                self._reject(goal, str(error))
            if adopted and (former := self._snapshot.live(alias)) is not None:
                old = self._snapshot.rename(former, goal.urn, goal.parent) if rename else former
                break
        return None if old is None or old.external else old

    def _with_provider(self, goal: Goal) -> Goal:
        if is_provider(goal.type) or goal.provider:
            return goal
        try:
            reference = self._default_providers.reference(
                package_of(goal.type), goal.version, goal.plugin_download_url
            )
        except (DefaultProviderDisabledError, KingdomError) as error:
            self._reject(goal, str(error))
        goal = replace(goal, provider=reference)
        self._deployment.redeclare(goal)
        return goal

    def _provider_for(self, goal: Goal) -> Provider:
        try:
            if is_provider(goal.type):
                return self._registry.unconfigured(package_of(goal.type))
            return self._registry.get(goal.provider)
        except ProviderError as error:
            self._reject(goal, str(error))

    def _enable(self, state: ResourceState) -> ResourceState:
        """Configure a provider resource when it is created, so that a bad configuration fails there."""
        if is_provider(state.type):
            self._registry.configure(state)
        return state

    def _with_ignored(self, goal: Goal, old: ResourceState) -> Goal:
        inputs, failed = reset_ignored(goal.inputs, old.inputs, goal.ignore_changes)
        self._note_not_ignored(goal, failed)
        return replace(goal, inputs=inputs)

    def _note_not_ignored(self, goal: Goal, paths: list[str]) -> None:
        if paths:
            text = f"cannot ignore changes in added or removed elements of: {', '.join(paths)}"
            self._deployment.log(Severity.INFO, text, goal.urn)

    def _checked(
        self,
        goal: Goal,
        provider: Provider,
        old: ResourceState | None,
        *,
        replaces: ResourceState | None = None,
    ) -> Goal:
        """Return `goal` with the inputs that the provider returns from Check.

        `old` is the record to compare with; there is none for a new resource, which may replace another one.
        """
        # Of all providers, only the builtin one accepts references to resources.
        builtin = package_of(goal.type) == BUILTIN_PACKAGE
        news = goal.inputs if builtin else without_references(goal.inputs)
        olds = old.inputs if old else dict[str, Any]()
        engine_inputs: Properties = {}
        if is_provider(goal.type):  # keys of the engine are not checked by the provider
            engine_inputs = {key: value for key, value in news.items() if key in ENGINE_KEYS}
            news = configuration(news)
            olds = configuration(olds)
        request = provider_pb2.CheckRequest(
            urn=goal.urn, name=goal.name, type=goal.type, olds=encode(olds), news=encode(news)
        )
        naming, deletes_first = self._deployment.autonaming.options(goal.urn, replaces.id if replaces else "")
        if naming is not None:
            request.autonaming.CopyFrom(naming)
        try:
            check = provider.CheckConfig if is_provider(goal.type) else provider.Check
            response = check(request, None)
        except ProviderError as error:
            self._reject(goal, str(error))
        if response.failures:
            for failure in response.failures:
                where = f"{failure.property}: " if failure.property else ""
                self._deployment.recorder.error(goal.urn, goal.source, f"{where}{failure.reason}")
            raise StepFailedError("its inputs are not valid")
        if not is_provider(goal.type) and (warnings := getattr(provider, "Warnings", None)) is not None:
            for found in warnings(request, None):
                self._deployment.log(Severity.WARNING, f"{found.path}: {found.reason}", goal.urn)
        if deletes_first:  # two resources cannot have the same name
            goal = replace(goal, delete_before_replace=True)
        return replace(goal, inputs=with_secrets_of(decode(response.inputs) | engine_inputs, goal.inputs))

    def _remediated(self, goal: Goal) -> Goal:
        """Return `goal` after the pack's remediations. Raises StepFailedError on a mandatory violation."""
        owner = self._snapshot.live(goal.provider_urn) if goal.provider else None
        inputs = self._deployment.policy_checks.remediate(goal.state(), owner)
        if inputs is not goal.inputs:
            goal = replace(goal, inputs=inputs)
        self._evaluate(goal.state(), owner)
        return goal

    def _evaluate(self, state: ResourceState, owner: ResourceState | None) -> None:
        if (
            any(violation.mandatory for violation in self._deployment.policy_checks.resource(state, owner))
            and not self._deployment.preview
        ):
            raise StepFailedError("a mandatory policy is violated")

    def _diff(self, goal: Goal, provider: Provider, old: ResourceState) -> Diff:
        request = provider_pb2.DiffRequest(
            id=old.id,
            urn=goal.urn,
            name=goal.name,
            type=goal.type,
            olds=encode(old.outputs),
            old_inputs=encode(old.inputs),
            news=encode(goal.inputs),
            ignoreChanges=goal.ignore_changes,
        )
        reason = "id" if self._is_requested(goal, old) else self._replaced_along(goal, old)
        if not self._same_trigger(goal, old):
            reason = "replacementTrigger"
        if not old.custom:  # the record of a component, found by an alias
            reason = "provider"
        if reason:
            return Diff((PropertyChange((reason,), Change.UPDATE, replaces=True),), replace=True)
        try:
            response = (provider.DiffConfig if is_provider(goal.type) else provider.Diff)(request, None)
            moved = not self._deployment.was_adopted(old.provider) and self._registry.moved(
                old.provider, goal.provider
            )
            diff = interpret(
                response,
                old.inputs,
                goal.inputs,
                replace_on_changes=goal.replace_on_changes,
                unready=bool(old.init_errors),
            )
        except ProviderError as error:
            self._reject(goal, str(error))
        except ValueError as error:
            self._reject(goal, f"replaceOnChanges: {error}")
        # The new provider may assign the same id: deleting the old resource afterwards would delete the new
        # one.
        return replace(diff, replace=True, delete_before_replace=True) if moved and not diff.replace else diff

    def _create(
        self, goal: Goal, provider: Provider, op: Op, *, retires: ResourceState | None = None
    ) -> PlannedStep:
        step = self._step(op, goal)

        def create() -> ResourceState:
            pending = self._snapshot.is_pending("creating", goal.urn)
            if (
                pending is not None
                and not self._deployment.preview
                and pending.resource.inputs != goal.inputs
            ):
                # The interrupted creation had other inputs and may have created a resource, which is deleted.
                self._executor.request_deletion(provider, pending.resource)
            return self._enable(self._executor.create(provider, goal.state(), retires=retires))

        return PlannedStep(step, goal, create)

    def _import(self, goal: Goal, provider: Provider, old: ResourceState | None) -> PlannedStep:
        """Plan the import of an existing resource; a resource recorded before is retired."""
        if is_provider(goal.type):
            self._reject(goal, "provider resources may not be read or imported")
        step = self._step(Op.IMPORT if old is None else Op.REPLACE, goal)
        if old is not None:
            self._warn_of_retired(old, "imported")

        def read() -> ResourceState:
            requested = replace(goal.state(), id=goal.import_id, inputs={}, outputs={})
            found = self._executor.read(provider, requested)
            if found is None:
                raise StepFailedError(f"cannot import {goal.import_id!r}: no resource has this id")
            found = replace(
                found,
                inputs=with_secrets_of(found.inputs, goal.inputs),
                outputs=outputs_of(goal.state(), found.outputs),
            )
            return self._snapshot.put(found, retires=old)

        return PlannedStep(step, goal, read)

    def _warn_of_retired(self, old: ResourceState, another: str) -> None:
        """Warn of a protected resource that is deleted after the import or read of another one.

        The CLI checks the protection of resources that it replaces or deletes, but not of these.
        """
        if old.protect:
            self._deployment.log(
                Severity.WARNING,
                f"it is protected, and {old.id} is deleted nevertheless, because another resource is"
                f" {another} in its place. To keep it, set retainOnDelete and run `up` first.",
                old.urn,
            )

    def _undo_replacement(self, goal: Goal, provider: Provider, live: ResourceState) -> bool:
        """Remove what an interrupted replacement that is no longer needed may have created.

        Return whether there was one: the live resource must then be updated.
        """
        pending = self._snapshot.is_pending("creating", goal.urn)
        if pending is None:
            return False
        if not self._deployment.preview:
            try:
                self._executor.undo_creation(provider, pending.resource, spare=live.id)
            except (StepFailedError, ProviderError) as error:
                self._reject(goal, str(error))
        return True

    def _replace(self, goal: Goal, provider: Provider, old: ResourceState, diff: Diff) -> PlannedStep:
        first = diff.delete_before_replace
        if goal.delete_before_replace is not None:
            first = goal.delete_before_replace
        step = replace(self._step(Op.REPLACE, goal, diff.changes), delete_before_replace=first)
        self._guard_replacement(goal, old)
        self._deployment.note_replacement(goal.urn)

        def execute() -> ResourceState:
            pending = self._snapshot.is_pending("creating", goal.urn)
            if pending is not None and pending.resource.inputs != goal.inputs:
                self._undo_replacement(goal, provider, old)
            if not first:
                return self._enable(self._executor.create(provider, goal.state(), retires=old))
            self._delete_with_dependents(goal, old)
            return self._enable(self._executor.create(provider, goal.state()))

        return PlannedStep(step, goal, execute)

    def _delete_with_dependents(self, goal: Goal, old: ResourceState) -> None:
        """Delete `old` after its dependents that must be replaced too; all of them are created again."""

        def find(planned: Collection[str]) -> list[ResourceState]:
            return dependent_replacements(old, self._snapshot, self._registry.get, planned)

        dependents = self._claims.claim(find)
        try:
            protected = [item for item in dependents if item.protect]
            self._deployment.refuse_protected(
                *((item, refusal("replaced along with what it depends on", item)) for item in protected)
            )
            deleted = {item.urn for item in [*dependents, old]}
            for item in [*dependents, old]:
                owner = self._registry.get(item.provider) if item.provider else None
                ask = not item.retain_on_delete and item.deleted_with not in deleted
                self._executor.delete(owner, item, ask=ask, awaits_replacement=True)
                if self._deployment.has_failed(item.urn):  # an after hook: nothing is deleted or created then
                    raise SkippedError
        finally:
            self._claims.release(dependents)

    def read(self, goal: Goal, id_: str) -> PlannedStep:
        """Plan the read of an existing resource, which is recorded as external.

        A managed resource recorded under the same URN is retired.
        """
        if is_provider(goal.type):
            self._reject(goal, "provider resources may not be read or imported")
        goal = self._with_provider(goal)
        provider = self._provider_for(goal)
        self._adopt(goal)
        old = self._snapshot.live(goal.urn)
        retires = old if old and not old.external and old.id != id_ else None
        if retires is not None:
            self._warn_of_retired(retires, "read")

        def execute() -> ResourceState:
            requested = replace(goal.state(), id=id_, outputs=goal.inputs)
            if id_ == UNKNOWN_SENTINEL:
                return self._snapshot.put(replace(requested, external=True, outputs={}), retires=retires)
            found = self._executor.read(provider, requested)
            if found is None:
                raise StepFailedError(f"{goal.type} {id_!r} does not exist")
            found = replace(found, inputs=goal.inputs, external=True)
            return self._snapshot.put(found, retires=retires)

        if retires is not None:
            self._deployment.note_replacement(goal.urn)
        return PlannedStep(self._step(Op.READ if retires is None else Op.REPLACE, goal), goal, execute)

    def _reject(self, goal: Goal, reason: str) -> NoReturn:
        self._deployment.reject(goal, reason)
