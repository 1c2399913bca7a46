"""Resource monitor: the part of Pulumi's protocol that the SDK in the program's process calls.

Method names and messages are those of ``pulumi/resource.proto`` and ``pulumi/engine.proto``. Features that
are not offered in `GetDeploymentInfo` are worked around, or refused with a clear message, by the SDK itself.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any, Final

from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import callback_pb2, engine_pb2, provider_pb2, resource_pb2

from rehearsal.engine.assets import AssetError, with_hashes
from rehearsal.engine.callbacks.client import CallbackEndedError, CallbackError
from rehearsal.engine.callbacks.hooks import HookError
from rehearsal.engine.deployment import Deployment
from rehearsal.engine.deployment_executor import DeploymentExecutor
from rehearsal.engine.errors import CallFailedError, SkippedError, StoppedError
from rehearsal.engine.events import Severity
from rehearsal.engine.goal import Goal, source_text
from rehearsal.engine.program.hang_detector import current_position
from rehearsal.engine.program.resource_tracker import ResourceTracker
from rehearsal.engine.providers.builtin import PACKAGE as BUILTIN
from rehearsal.engine.providers.default_providers import DefaultProviderDisabledError
from rehearsal.engine.providers.versions import VersionError, check_version
from rehearsal.engine.step_executor import StepFailedError
from rehearsal.errors import KingdomError
from rehearsal.providers.errors import ProviderError
from rehearsal.pulumi import cli_version
from rehearsal.pulumi.properties import decode, encode, without_references, without_unknowns
from rehearsal.pulumi.urn import ROOT_STACK_TYPE, is_provider, make_urn, package_of

# Offered to the SDK, with the names that `SupportsFeature` has for them.
_FEATURES: Final = {
    "secrets": resource_pb2.RESOURCE_MONITOR_FEATURE_SECRETS,
    "resourceReferences": resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_REFERENCES,
    "aliasSpecs": resource_pb2.RESOURCE_MONITOR_FEATURE_ALIAS_SPECS,
    "deletedWith": resource_pb2.RESOURCE_MONITOR_FEATURE_DELETED_WITH,
    "replaceWith": resource_pb2.RESOURCE_MONITOR_FEATURE_REPLACE_WITH,
    "replacementTrigger": resource_pb2.RESOURCE_MONITOR_FEATURE_REPLACEMENT_TRIGGER,
    "transforms": resource_pb2.RESOURCE_MONITOR_FEATURE_TRANSFORMS,
    "invokeTransforms": resource_pb2.RESOURCE_MONITOR_FEATURE_INVOKE_TRANSFORMS,
    "invokeDependsOn": resource_pb2.RESOURCE_MONITOR_FEATURE_INVOKE_DEPENDS_ON,
    "resourceHooks": resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_HOOKS,
    "errorHooks": resource_pb2.RESOURCE_MONITOR_FEATURE_ERROR_HOOKS,
    "sendsOptionsToHooks": resource_pb2.RESOURCE_MONITOR_FEATURE_SENDS_OPTIONS_TO_HOOKS,
}


_REGISTRATION_SECONDS: Final = 2.0  # that a component may take to be registered


class Monitor:
    """Resource monitor in the program's process. Called from the SDK's threads.

    `root` is the project's folder, to which source positions are relative; `main` is that of the program,
    which runs in the thread that creates the monitor.
    """

    def __init__(self, executor: DeploymentExecutor, root: Path, main: Path) -> None:
        self._executor = executor
        self._deployment = executor.deployment
        self._root = root
        self._main = main
        self._program = threading.get_ident()
        self._generated: set[str] = set()
        self._tracker = ResourceTracker()
        self._lock = threading.Lock()
        self.failed_calls: dict[str, KingdomError] = {}  # by the text of the SDK's exception
        self.fatal: KingdomError | None = None  # an error of the engine itself, which ends the operation

    def GetDeploymentInfo(self, request: empty_pb2.Empty) -> resource_pb2.DeploymentInfo:
        return resource_pb2.DeploymentInfo(supportedFeatures=_FEATURES.values())

    def SupportsFeature(
        self, request: resource_pb2.SupportsFeatureRequest
    ) -> resource_pb2.SupportsFeatureResponse:
        return resource_pb2.SupportsFeatureResponse(hasSupport=request.id in _FEATURES)

    def RegisterStackTransform(self, callback: callback_pb2.Callback) -> empty_pb2.Empty:
        self._deployment.transforms.register_stack(callback)
        return empty_pb2.Empty()

    def RegisterStackInvokeTransform(self, callback: callback_pb2.Callback) -> empty_pb2.Empty:
        self._deployment.transforms.register_invoke(callback)
        return empty_pb2.Empty()

    def RegisterResourceHook(self, request: resource_pb2.RegisterResourceHookRequest) -> empty_pb2.Empty:
        try:
            self._deployment.hooks.register(request)
        except HookError as error:
            raise KingdomError(str(error)) from None
        return empty_pb2.Empty()

    def RegisterErrorHook(self, request: resource_pb2.RegisterErrorHookRequest) -> empty_pb2.Empty:
        try:
            self._deployment.hooks.register_error_hook(request.name, request.callback)
        except HookError as error:
            raise KingdomError(str(error)) from None
        return empty_pb2.Empty()

    def RegisterResource(
        self, request: resource_pb2.RegisterResourceRequest
    ) -> resource_pb2.RegisterResourceResponse:
        with self._tracker.registering(request.parent):
            return self._register(request)

    def _register(
        self, request: resource_pb2.RegisterResourceRequest
    ) -> resource_pb2.RegisterResourceResponse:
        deployment = self._deployment
        urn = make_urn(deployment.stack, deployment.project, request.type, request.name, request.parent)
        try:
            state = self._executor.register(self._goal(request, urn))
        except (SkippedError, StepFailedError):
            return resource_pb2.RegisterResourceResponse(urn=urn, result=resource_pb2.FAIL)
        except KingdomError as error:
            self._end(error)
            return resource_pb2.RegisterResourceResponse(urn=urn, result=resource_pb2.FAIL)
        id_ = state.id if state.custom and not (deployment.preview and not _is_known(state.id)) else ""
        created = is_provider(request.type) or _is_known(state.id)
        self._tracker.track(state.urn, request.parent, custom=request.custom, created=created)
        return resource_pb2.RegisterResourceResponse(
            urn=state.urn,
            id=id_,
            object=encode(state.outputs) if state.custom else None,
            unknown=deployment.selection.skipped(state.urn),
        )

    def _goal(self, request: resource_pb2.RegisterResourceRequest, urn: str) -> Goal:
        deployment = self._deployment
        try:
            if request.remote:
                raise ValueError(
                    f"{request.type} is a component that its provider constructs, which kingdom does not"
                    " support. Declare its resources, or write the component in this program"
                )
            if request.envVarMappings or request.state_migrations:
                option = "env_var_mappings" if request.envVarMappings else "state_migrations"
                raise ValueError(f"the option {option} is not supported by kingdom")
            request = deployment.transforms.resource(request, urn)
            if request.custom:
                check_version(request.version)
            return Goal.from_request(
                request, deployment.stack, deployment.project, self._root, self._main, deployment.adopted
            )
        except CallbackEndedError:
            raise SkippedError from None
        except (ValueError, CallbackError) as error:
            self._refuse(urn, source_text(request.sourcePosition, self._root), error)
            raise StepFailedError(str(error)) from None

    def _refuse(self, urn: str, source: str, error: Exception) -> None:
        """Record the error of a request that does not become a step."""
        self._deployment.recorder.error(urn, source, str(error))
        self._deployment.fail(urn)

    def _end(self, error: KingdomError) -> None:
        """End the operation after an error of the engine, such as a state that cannot be written."""
        self.fatal = self.fatal or error
        self._deployment.cancelled.set()

    def RegisterResourceOutputs(
        self, request: resource_pb2.RegisterResourceOutputsRequest
    ) -> empty_pb2.Empty:
        try:
            outputs = with_hashes(decode(request.outputs), self._main)
            self._executor.register_outputs(request.urn, outputs)
        except AssetError as error:
            self._deployment.step_followed_by_failure(request.urn, str(error))
        except KingdomError as error:
            self._end(error)
        return empty_pb2.Empty()

    def ReadResource(self, request: resource_pb2.ReadResourceRequest) -> resource_pb2.ReadResourceResponse:
        with self._tracker.registering(request.parent):
            return self._read(request)

    def _read(self, request: resource_pb2.ReadResourceRequest) -> resource_pb2.ReadResourceResponse:
        deployment = self._deployment
        urn = make_urn(deployment.stack, deployment.project, request.type, request.name, request.parent)
        source = source_text(request.sourcePosition, self._root)
        if not request.provider:
            try:
                check_version(request.version)
            except VersionError as error:
                self._refuse(urn, source, error)
                return resource_pb2.ReadResourceResponse(urn=urn, result=resource_pb2.FAIL)
        goal = Goal(
            urn=urn,
            type=request.type,
            name=request.name,
            custom=True,
            inputs=decode(request.properties),
            parent=request.parent,
            provider=request.provider,
            version=request.version,
            dependencies=tuple(sorted(request.dependencies)),
            additional_secret_outputs=tuple(request.additionalSecretOutputs),
            plugin_download_url=request.pluginDownloadURL.rstrip("/"),
            source=source,
        )
        try:
            state = self._executor.read(goal, request.id)
        except (SkippedError, StepFailedError):
            return resource_pb2.ReadResourceResponse(urn=goal.urn, result=resource_pb2.FAIL)
        except KingdomError as error:
            self._end(error)
            return resource_pb2.ReadResourceResponse(urn=goal.urn, result=resource_pb2.FAIL)
        self._tracker.track(state.urn, request.parent, custom=True, created=_is_known(state.id))
        return resource_pb2.ReadResourceResponse(urn=state.urn, id=state.id, properties=encode(state.outputs))

    def Invoke(self, request: resource_pb2.ResourceInvokeRequest) -> resource_pb2.ResourceInvokeResponse:
        deployment = self._deployment
        try:
            request = deployment.transforms.invoke(request)
            check_version(request.version)
            package = package_of(request.tok)
            reference = request.provider or self._executor.default_providers.reference(
                package, request.version, request.pluginDownloadURL.rstrip("/")
            )
            args = request.args if package == BUILTIN else _arguments(request.args)
            preview = deployment.preview and not deployment.calls.was_made(request.tok, args)
            provider = deployment.registry.get(reference)
            if self._tracker.has_absent(request.dependsOn):
                return resource_pb2.ResourceInvokeResponse(unknown=True)
            result = provider.Invoke(
                provider_pb2.InvokeRequest(tok=request.tok, args=args, preview=preview), None
            )
        except (SkippedError, StepFailedError):
            # The reason is reported already, and nothing can be returned: end the program.
            deployment.fail(request.tok)
            raise StoppedError from None
        except ProviderError as error:
            raise self._failed(
                request, error.message, f"invocation of {request.tok} returned an error: {error}"
            ) from None
        except (CallbackError, DefaultProviderDisabledError, VersionError) as error:
            raise self._failed(request, str(error), str(error)) from None
        except KingdomError as error:
            raise self._failed(request, error.message, error.message, error.remedy) from None
        if not deployment.registry.models_function(reference, request.tok):
            self._note_generated(request.tok)
            deployment.calls.record(request.tok, args)
        response = resource_pb2.ResourceInvokeResponse(failures=result.failures)
        getattr(response, "return").CopyFrom(getattr(result, "return"))
        return response

    def _failed(
        self, request: resource_pb2.ResourceInvokeRequest, message: str, reason: str, remedy: str = ""
    ) -> CallFailedError:
        """Return the error of a function call; it is recorded by the text that the SDK has for it."""
        error = KingdomError(f"{self._where(request)}{request.tok}: {message}", remedy=remedy)
        self.failed_calls[f"invoke of {request.tok} failed: {reason}"] = error
        return CallFailedError(reason, error)

    def _where(self, request: resource_pb2.ResourceInvokeRequest | resource_pb2.ResourceCallRequest) -> str:
        """Return the source position of a call as a prefix.

        Synchronous calls come without one, and so do those that a component of an SDK makes, such as a Helm
        chart: then it is the declaration of the components of that package that have no children yet.
        """
        place = source_text(request.sourcePosition, self._root)
        place = place or current_position(self._program, self._main, self._root)
        return f"{place or self._component_of(request.tok)}: ".removeprefix(": ")

    def _component_of(self, token: str) -> str:
        """Return the declarations of the components of the package of `token` that have no children yet.

        Their registration may still be in progress: wait for it a moment.
        """
        deadline = time.monotonic() + _REGISTRATION_SECONDS
        while True:
            goals = list(self._deployment.registered.values())
            parents = {goal.parent for goal in goals}
            found = [
                goal.source
                for goal in goals
                if not goal.custom
                and goal.type != ROOT_STACK_TYPE
                and goal.urn not in parents
                and _package(goal.type) == _package(token)
            ]
            if found or time.monotonic() > deadline:
                return " or ".join(found)
            time.sleep(0.02)

    def _note_generated(self, token: str) -> None:
        with self._lock:
            if token in self._generated:
                return
            self._generated.add(token)
        self._deployment.log(
            Severity.INFO,
            f"{token} has no model: its result is generated from the type that the SDK declares",
        )

    def Call(self, request: resource_pb2.ResourceCallRequest) -> Any:
        raise KingdomError(
            f"{self._where(request)}{request.tok} is a method of a resource, which kingdom does not support"
        )

    def RegisterPackage(self, request: resource_pb2.RegisterPackageRequest) -> Any:
        raise KingdomError(
            f"the package {request.name} is parameterized, which kingdom does not support",
            remedy="Supported packages: cloudflare, gcp, kubernetes, mongodbatlas and random.",
        )

    def SignalAndWaitForShutdown(self, request: empty_pb2.Empty) -> empty_pb2.Empty:
        """Finish the operation after a successful program, while its delete hooks can still be called."""
        try:
            self._executor.finish()
        except KingdomError as error:
            self._end(error)
        return empty_pb2.Empty()


def _arguments(args: struct_pb2.Struct) -> struct_pb2.Struct:
    """Return the arguments of a function as providers receive them.

    Unknown ones, which a transform may have set in a preview, are left out. References to resources are ids,
    because the providers do not accept references (``provider.Invoke`` in
    ``pkg/resource/plugin/provider_plugin.go``).
    """
    return encode(without_references(without_unknowns(decode(args))))


def _package(token: str) -> str:
    return token.partition(":")[0]


def _is_known(id_: str) -> bool:
    from rehearsal.pulumi.properties import UNKNOWN_SENTINEL

    return bool(id_) and id_ != UNKNOWN_SENTINEL


_SEVERITIES: Final = {
    engine_pb2.DEBUG: Severity.DEBUG,
    engine_pb2.INFO: Severity.INFO,
    engine_pb2.WARNING: Severity.WARNING,
    engine_pb2.ERROR: Severity.ERROR,
}


class Engine:
    """Engine service of the protocol: the program's log and its root resource."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._root = ""

    def Log(self, request: engine_pb2.LogRequest) -> empty_pb2.Empty:
        if request.severity != engine_pb2.DEBUG:
            self._deployment.log(_SEVERITIES[request.severity], request.message.strip(), request.urn)
        return empty_pb2.Empty()

    def GetRootResource(self, request: Any) -> engine_pb2.GetRootResourceResponse:
        return engine_pb2.GetRootResourceResponse(urn=self._root)

    def SetRootResource(self, request: engine_pb2.SetRootResourceRequest) -> Any:
        self._root = request.urn
        return engine_pb2.SetRootResourceResponse()

    def RequirePulumiVersion(
        self, request: engine_pb2.RequirePulumiVersionRequest
    ) -> engine_pb2.RequirePulumiVersionResponse:
        """Raise VersionRangeError in the program unless the mirrored version of the CLI is in the range."""
        cli_version.require(request.pulumi_version_range)
        return engine_pb2.RequirePulumiVersionResponse()
