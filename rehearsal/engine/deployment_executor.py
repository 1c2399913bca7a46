"""Deployment executor: runs registrations of the program as they arrive, and deletions at the end.

Its counterpart in the Pulumi engine is ``pkg/resource/deploy/deployment_executor.go``.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Final

from rehearsal.engine.deletion import Deletion
from rehearsal.engine.deployment import Deployment
from rehearsal.engine.errors import SkippedError
from rehearsal.engine.goal import Goal
from rehearsal.engine.providers.default_providers import DefaultProviders
from rehearsal.engine.replacement import DeletionClaims
from rehearsal.engine.state.resource_state import ResourceState
from rehearsal.engine.step_executor import StepFailedError
from rehearsal.engine.step_generator import PlannedStep, StepGenerator
from rehearsal.providers.errors import ProviderError
from rehearsal.pulumi.properties import Properties, contains_unknown, with_secrets_of
from rehearsal.pulumi.urn import ROOT_STACK_TYPE

NO_RESOURCE: Final = "neither the program nor the state of the stack has the resource"


class DeploymentExecutor:
    """Runs one operation. Registrations come from many threads; each returns after its step."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self._claims = DeletionClaims()
        self.default_providers = DefaultProviders(
            deployment.stack, deployment.project, deployment.config, self.register
        )
        self._root = ""
        self._former_outputs: Properties = {}  # of the stack
        self._components: set[str] = set()  # whose registration has succeeded
        self._completed: set[str] = set()  # components whose outputs are registered
        self._lock = threading.Lock()
        self._generator = StepGenerator(deployment, self.default_providers, self._claims, self._run)

    def register(self, goal: Goal) -> ResourceState:
        """Run the step that `goal` needs and return its record. Raises StepFailedError or SkippedError."""
        if (parent := self.deployment.registered.get(goal.parent)) is not None:
            goal = goal.inheriting(parent, self.deployment.adopted.get(parent.urn, ""))
        self._declare(goal)
        try:
            self.deployment.stop_after_failure()
            planned = self._generator.custom(goal) if goal.custom else self._generator.component(goal)
            state = self._run(planned)
        except (StepFailedError, SkippedError):
            self.deployment.fail(goal.urn)
            raise
        if self.deployment.has_failed(goal.urn) and not self.deployment.preview:
            # An after hook failed: the CLI stops before the program can use the recorded result.
            raise SkippedError
        if not goal.custom:
            with self._lock:
                self._components.add(state.urn)
        return state

    def read(self, goal: Goal, id_: str) -> ResourceState:
        """Read an existing resource and record it as external. Raises StepFailedError or SkippedError."""
        parent = self.deployment.registered.get(goal.parent)
        if parent is not None and (former := self.deployment.adopted.get(parent.urn)):
            goal = goal.with_alias_of(parent, former)
        self._declare(goal)
        try:
            self.deployment.stop_after_failure()
            return self._run(self._generator.read(goal, id_))
        except (StepFailedError, SkippedError):
            self.deployment.fail(goal.urn)
            raise

    def _declare(self, goal: Goal) -> None:
        """Record the declaration of `goal`, after any deletion of its resource in progress."""
        self._claims.enter(goal.urn, goal.aliases)
        if not self.deployment.declare(goal):
            self.deployment.fail(goal.urn)
            self.deployment.reject(goal, f"{goal.urn} is declared twice; names must be unique")

    def _run(self, planned: PlannedStep) -> ResourceState:
        deployment, step = self.deployment, planned.step
        if step is None:
            return planned.action()
        deployment.stop_after_failure()
        deployment.recorder.listener.begun(step)
        try:
            state = planned.action()
        except (StepFailedError, ProviderError) as error:
            deployment.recorder.listener.failed(step, str(error))
            deployment.reject(planned.goal, str(error))
        deployment.recorder.finished(step)
        return state

    def register_outputs(self, urn: str, outputs: Properties) -> None:
        """Record the outputs of a component; those of the root stack are the outputs of the stack.

        They may be registered once, after the component itself (``executeRegisterResourceOutputs`` in
        ``pkg/resource/deploy/step_executor.go``). Those of a component that has failed are not recorded, nor
        any outputs if one depends on a resource that has failed: the CLI has stopped before they arrive.
        """
        deployment = self.deployment
        with self._lock:
            registered, again = urn in self._components, urn in self._completed
            self._completed.add(urn)
        if again:
            deployment.step_followed_by_failure(urn, "register_outputs is called twice; call it once, last")
            return
        stopped = deployment.failed and not deployment.preview and contains_unknown(outputs)
        if not registered or stopped:
            return
        record = deployment.snapshot.live(urn)
        if record is None or deployment.selection.skipped(urn):
            return
        if record.type == ROOT_STACK_TYPE:
            deployment.outputs = outputs
            self._root, self._former_outputs = urn, record.outputs
        if not deployment.preview:
            # Outputs of a resource that failed, or that is not a target, are unknown: the previous value of
            # each stays recorded. The CLI records a placeholder.
            outputs = {
                key: record.outputs[key] if contains_unknown(value) else value
                for key, value in outputs.items()
                if key in record.outputs or not contains_unknown(value)
            }
        record = deployment.snapshot.put(replace(record, outputs=with_secrets_of(outputs, record.inputs)))
        deployment.executor.component_finished(record)

    def retain_former_outputs(self) -> None:
        """Record former stack outputs again that were not registered before a failure of the deployment.

        They may not have been removed from the program (``executeRegisterResourceOutputs`` in
        ``pkg/resource/deploy/step_executor.go``).
        """
        record = self.deployment.snapshot.live(self._root)
        if record is not None and not self.deployment.preview:
            outputs = {**self._former_outputs, **record.outputs}
            self.deployment.snapshot.put(replace(record, outputs=outputs))

    def resume(self) -> None:
        """Finish deletions that an earlier operation started and did not record as finished."""
        Deletion(self.deployment).resume()

    def finish(self) -> None:
        """Delete undeclared resources after the program has ended, and evaluate stack policies."""
        deployment = self.deployment
        if deployment.failed or deployment.cancelled.is_set():
            if not deployment.preview:
                return
        else:
            self._report_unknown_targets()
            Deletion(deployment).of_undeclared(deployment.registered)
        urns = list(deployment.registered)
        if deployment.selection.targets.partial:  # undeclared resources may have stayed
            urns = list(dict.fromkeys([*urns, *(item.urn for item in deployment.snapshot.all())]))
        live = [deployment.snapshot.live(urn) for urn in urns]
        deployment.policy_checks.stack([state for state in live if state is not None])

    def _report_unknown_targets(self) -> None:
        deployment = self.deployment
        known = {*deployment.registered, *(item.urn for item in deployment.initial.resources)}
        for urn in deployment.selection.targets.targets.unknown(known):
            deployment.recorder.error("", "", f"{NO_RESOURCE} {urn}")

    def delete_everything(self, *, unprotect: bool) -> None:
        """Finish interrupted deletions, then delete all recorded resources in reverse order.

        Delete hooks are functions of the program, which does not run: a resource with one is reported as an
        error and nothing is deleted, as the Pulumi CLI does (``pkg/engine/destroy.go``).
        """
        deletion = Deletion(self.deployment)
        if deletion.refuse_hooks():
            return
        deletion.resume()
        deletion.of_undeclared({}, unprotect=unprotect)
