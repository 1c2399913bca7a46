"""Run the policy pack as a process and call it over Pulumi's ``Analyzer`` protocol.

The process (`pack_process`) prints a port; then come ``ConfigureStack``, ``GetAnalyzerInfo`` and
``Configure`` with the reconciled configuration, as ``pkg/engine/update.go`` sends them, and only then is
anything evaluated.
"""

from __future__ import annotations

import atexit
import contextlib
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from policies.api import (
    LEVELS,
    ConfigurationError,
    PolicySettings,
    PolicyShape,
    problems_with,
    reconcile,
)
from rehearsal.policy.pack_files import PolicyConfigError, PolicyPackError
from rehearsal.policy.pack_info import PackInfo, pack_info
from rehearsal.policy.pack_output import FirstLine, Tail, drain
from rehearsal.policy.pack_process import PackContext, PackProcess
from rehearsal.policy.pack_start import Activity, Hang, await_line

if TYPE_CHECKING:
    import grpc
    from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

# Seconds that a pack may be idle, and of processor time that it may use, before it prints its port. An SDK
# import takes one or two of the latter.
START_TIMEOUT: Final = 60.0
# Seconds for one call. A policy that loops must not block a deployment indefinitely.
CALL_TIMEOUT: Final = 60.0
_MAX_MESSAGE: Final = 400 * 1024 * 1024  # what the SDK's own server accepts

T = TypeVar("T")


class PolicyPack:
    """A running pack, created with :meth:`start`. Thread-safe; close it after use."""

    def __init__(
        self,
        process: PackProcess,
        *,
        stack: Mapping[str, Any],
        config: Mapping[str, Any],
        config_source: str,
        start_timeout: float,
    ) -> None:
        self.path = process.path
        self._process = process
        self._stack = stack
        self._config = config
        self._config_source = config_source
        self._start_timeout = start_timeout
        self._lock = threading.RLock()
        self._channel: grpc.Channel | None = None
        self._stub: analyzer_pb2_grpc.AnalyzerStub | None = None
        self._info: PackInfo | None = None
        self._failure: PolicyPackError | None = None
        self._port = FirstLine()
        self._errors = Tail()
        self._output = Tail()
        pipes = process.process
        drain(pipes.stdout, lambda line: self._port.offer(line) or self._output.add(line), self._port.end)
        drain(pipes.stderr, self._errors.add, self._errors.end)
        atexit.register(self.close)

    @classmethod
    def start(
        cls,
        path: Path,
        *,
        project: str,
        stack: str,
        dry_run: bool,
        config: Mapping[str, Any] | None = None,
        config_source: str = "--policy-pack-config",
        stack_config: Mapping[str, str] | None = None,
        organization: str = "organization",
        tags: Mapping[str, str] | None = None,
        engine_address: str = "127.0.0.1:0",
        start_timeout: float = START_TIMEOUT,
    ) -> PolicyPack:
        """Start the pack at `path` and return at once; the first call waits until it has started.

        `config` has the form of a ``--policy-pack-config`` file and is checked before anything is evaluated;
        `stack_config` maps full keys (``kingdom:network``) to values as the CLI passes them: strings, JSON
        for objects. Raises PolicyPackError without a pack at `path`.
        """
        context = PackContext(project, stack, dry_run, dict(stack_config or {}), organization)
        return cls.of(
            PackProcess.start(path, context, engine_address),
            context,
            config=config,
            config_source=config_source,
            tags=tags,
            start_timeout=start_timeout,
        )

    @classmethod
    def of(
        cls,
        process: PackProcess,
        context: PackContext,
        *,
        config: Mapping[str, Any] | None = None,
        config_source: str = "--policy-pack-config",
        tags: Mapping[str, str] | None = None,
        start_timeout: float = START_TIMEOUT,
    ) -> PolicyPack:
        """Return the pack whose process was started with `context`, in this process or its parent."""
        described = {
            "project": context.project,
            "stack": context.stack,
            "organization": context.organization,
            "dry_run": context.dry_run,
            "tags": dict(tags or {}),
            "config": dict(context.config),
        }
        return cls(
            process,
            stack=described,
            config=config or {},
            config_source=config_source,
            start_timeout=start_timeout,
        )

    def __enter__(self) -> PolicyPack:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        return self._process.process.pid

    @property
    def info(self) -> PackInfo:
        """Return the description of the pack. Waits for the start; raises PolicyPackError."""
        self._ready()
        assert self._info is not None
        return self._info

    @property
    def remediates(self) -> bool:
        """Whether any policy has the level "remediate": no other policy rewrites inputs.

        Waits for the start; raises PolicyPackError.
        """
        return any(policy.level == "remediate" for policy in self.info.policies)

    @property
    def label(self) -> str:
        """Return name and version, as printed with the findings."""
        return f"{self.info.name} {self.info.version}"

    def analyze(self, request: analyzer_pb2.AnalyzeRequest) -> list[analyzer_pb2.AnalyzeDiagnostic]:
        """Return the findings on one resource's inputs, with the resource's URN and the pack's version."""
        stub = self._ready()
        response = self._call(lambda: stub.Analyze(request, timeout=CALL_TIMEOUT), request.urn)
        return self._stamped(response, request.urn)

    def analyze_stack(
        self, request: analyzer_pb2.AnalyzeStackRequest
    ) -> list[analyzer_pb2.AnalyzeDiagnostic]:
        """Return the findings on the whole state; an empty URN means the stack itself."""
        stub = self._ready()
        response = self._call(lambda: stub.AnalyzeStack(request, timeout=CALL_TIMEOUT), "the stack")
        return self._stamped(response, "")

    def remediate(self, request: analyzer_pb2.AnalyzeRequest) -> list[analyzer_pb2.Remediation]:
        """Return the rewrites of one resource's inputs in order.

        Each starts from the result of the previous one.
        """
        stub = self._ready()
        response = self._call(lambda: stub.Remediate(request, timeout=CALL_TIMEOUT), request.urn)
        for remediation in response.remediations:
            remediation.policyPackVersion = self.info.version
        return list(response.remediations)

    def close(self) -> None:
        """End the process. May be called repeatedly, and during the start."""
        with self._lock:
            if not self._process.cut():
                return
            if self._channel is not None:
                self._channel.close()
        self._process.end()
        atexit.unregister(self.close)

    def _stamped(
        self, response: analyzer_pb2.AnalyzeResponse, urn: str
    ) -> list[analyzer_pb2.AnalyzeDiagnostic]:
        for diagnostic in response.diagnostics:
            diagnostic.urn = diagnostic.urn or urn
            # The SDK reports its own version everywhere; the pack's is in the manifest.
            reported = f"'{self.info.name}@v{diagnostic.policyPackVersion}'"
            actual = f"'{self.info.name}@v{self.info.version}'"
            diagnostic.message = diagnostic.message.replace(reported, actual)
            diagnostic.policyPackVersion = self.info.version
        return list(response.diagnostics)

    def _ready(self) -> analyzer_pb2_grpc.AnalyzerStub:
        with self._lock:
            if self._failure is not None:
                raise self._failure
            if self._stub is not None:
                return self._stub
            try:
                self._stub = self._connect()
            except PolicyPackError as error:
                self._failure = error
                self.close()
                raise
            return self._stub

    def _connect(self) -> analyzer_pb2_grpc.AnalyzerStub:
        # Imported here, so that the process starts before the seconds these imports take.
        import grpc
        from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

        if not self._process.open:
            raise PolicyPackError(f"the policy pack {self.path} was closed already")
        port = self._await_port()
        limits = [("grpc.max_receive_message_length", _MAX_MESSAGE), ("grpc.max_send_message_length", -1)]
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=limits)
        stub = analyzer_pb2_grpc.AnalyzerStub(self._channel)
        request = analyzer_pb2.AnalyzerStackConfigureRequest(**self._stack)
        with contextlib.suppress(_UnimplementedError):
            self._call(lambda: stub.ConfigureStack(request, timeout=CALL_TIMEOUT), "its configuration")
        from google.protobuf import empty_pb2

        described = self._call(
            lambda: stub.GetAnalyzerInfo(empty_pb2.Empty(), timeout=CALL_TIMEOUT), "its policies"
        )
        settings = self._settings(described)
        self._info = pack_info(described, self._process.manifest, settings)
        configure = analyzer_pb2.ConfigureAnalyzerRequest()
        for name, setting in settings.items():
            entry = configure.policyConfig[name]
            entry.enforcementLevel = LEVELS.index(setting.level)  # pyrefly: ignore
            if setting.properties:
                entry.properties.update(setting.properties)
        self._call(lambda: stub.Configure(configure, timeout=CALL_TIMEOUT), "its configuration")
        return stub

    def _settings(self, described: analyzer_pb2.AnalyzerInfo) -> dict[str, PolicySettings]:
        from google.protobuf import json_format

        shapes = [
            PolicyShape(
                policy.name,
                LEVELS[policy.enforcementLevel],
                json_format.MessageToDict(policy.configSchema.properties),
                tuple(policy.configSchema.required),
            )
            for policy in described.policies
        ]
        initial = {
            name: {
                "enforcementLevel": LEVELS[value.enforcementLevel],
                **json_format.MessageToDict(value.properties),
            }
            for name, value in described.initialConfig.items()
        }
        problems = problems_with(shapes, self._config)
        try:
            if problems:
                raise ConfigurationError(self._config_source, problems)
            return reconcile(shapes, initial, self._config)
        except ConfigurationError as error:
            raise PolicyConfigError(
                f"the policy configuration in {error.source} is wrong:",
                details=error.problems,
                remedy="Nothing was evaluated.",
            ) from None

    def _await_port(self) -> int:
        line = await_line(self._port.wait, lambda: Activity.of(self.pid), self._start_timeout)
        if isinstance(line, Hang):
            raise PolicyPackError(
                f"the policy pack {self.path} {line.reason}{self._reported()}", remedy=line.remedy
            )
        if line == "":
            self._errors.wait_for_end(2)
            code = self._process.exit_code()
            known = "" if code is None else f" (exit code {code})"
            raise PolicyPackError(
                f"the policy pack {self.path} ended before it was up{known}: {self._cause()}"
            )
        if not line.strip().isdecimal():
            raise PolicyPackError(
                f"the policy pack {self.path} printed {line.strip()[:80]!r} where its port belongs: "
                "something prints to stdout while the pack is imported",
                remedy="Print to stderr, or use pulumi.log.",
            )
        return int(line)

    def _call(self, call: Callable[[], T], about: str) -> T:
        import grpc

        try:
            return call()
        except ValueError:  # the channel was closed by another thread
            raise PolicyPackError(
                f"the policy pack {self.path} was closed while it evaluated {about}"
            ) from None
        except grpc.RpcError as error:
            code = error.code()
            if code is grpc.StatusCode.UNIMPLEMENTED:
                raise _UnimplementedError(str(error)) from None
            if code is grpc.StatusCode.DEADLINE_EXCEEDED:
                raise PolicyPackError(
                    f"the policy pack {self.path} did not return a result on {about} within "
                    f"{CALL_TIMEOUT:.0f} s: a policy loops{self._reported()}",
                    remedy="Fix the policy, or disable it in the policy configuration.",
                ) from None
            if code is grpc.StatusCode.UNAVAILABLE:
                self._errors.wait_for_end(2)
                raise PolicyPackError(
                    f"the policy pack {self.path} ended while it evaluated {about}: {self._cause()}"
                ) from None
            details = str(error.details()).removeprefix("Exception calling application: ")
            where = self._errors.position(self.path, details)
            raise PolicyPackError(
                f"the policy pack {self.path} failed while it evaluated {about}{where}: {details}",
                remedy="A policy must not raise: fix it, or disable it in the policy configuration.",
            ) from None

    def _cause(self) -> str:
        where = self._errors.position(self.path, "")
        return (self._errors.last_error() or "no reason was printed") + where

    def _reported(self) -> str:
        lines = self._errors.lines()[-3:]
        return "; its last output: " + " / ".join(lines) if lines else ""


class _UnimplementedError(PolicyPackError):
    """An old SDK does not implement a method; as in the CLI, the call is skipped."""
