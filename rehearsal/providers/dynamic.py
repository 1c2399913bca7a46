"""Dynamic providers: resources whose provider is Python code of the program itself.

The SDK serves that code in a process of its own (``python -m pulumi.dynamic``), which the CLI starts as the
plugin `pulumi-python`. Unlike simulated providers, this code can change real systems in an update.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import sysconfig
import threading
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, Final

import grpc
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from rehearsal.providers.errors import ProviderError
from rehearsal.pulumi.properties import Secret, contains_secret, decode, encode, unwrap

PACKAGE: Final = "pulumi-python"
_OUTPUT_SECONDS: Final = 2.0  # max wait for the output of a process that has ended
_FRAME: Final = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+), in ')  # of a traceback
# Receives a line that the process prints.
Listener = Callable[[str], None]
# The pipe closes even when this process is killed, which ends the child; see `rehearsal.policy.pack`.
_BOOT: Final = """
import os, runpy, sys, threading
lifeline = int(sys.argv.pop(1))
# Whole lines are written, so that those of parallel calls stay apart.
for file in (sys.stdout, sys.stderr):
    file.reconfigure(line_buffering=True, write_through=False)
def watch():
    os.read(lifeline, 1)
    sys.stdout.flush()
    os._exit(70)
threading.Thread(target=watch, daemon=True).start()
leave = sys.exit
def refuse(status=None):
    if threading.current_thread() is threading.main_thread():
        leave(status)
    raise RuntimeError(f"the provider called sys.exit({status!r})")
sys.exit = refuse  # gRPC does not respond to a request whose thread ends in this way
runpy.run_module("pulumi.dynamic", run_name="__main__", alter_sys=True)
"""


class DynamicProvider:
    """Forwards the provider protocol to that process, which starts on the first request. Thread-safe.

    `folder` is that of the program, whose modules the process can import; None for the working directory.
    `listener` receives each line that the process prints, from another thread; by default the lines are
    printed to standard error.
    """

    def __init__(self, folder: Path | None = None, listener: Listener | None = None) -> None:
        self.listener: Listener = listener or _print
        self._folder = folder
        self._lock = threading.Lock()
        self._end: Callable[[], object] | None = None  # ends the process
        self._stub: provider_pb2_grpc.ResourceProviderStub | None = None
        self._config = provider_pb2.ConfigureRequest()

    def CheckConfig(
        self, request: provider_pb2.CheckRequest, context: Any = None
    ) -> provider_pb2.CheckResponse:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: provider_pb2.DiffRequest, context: Any = None) -> provider_pb2.DiffResponse:
        # The SDK's server has no such method: engines then compare the configuration themselves.
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_UNKNOWN)

    def Configure(
        self, request: provider_pb2.ConfigureRequest, context: Any = None
    ) -> provider_pb2.ConfigureResponse:
        self._config = provider_pb2.ConfigureRequest(args=_plain(request.args), variables=request.variables)
        return provider_pb2.ConfigureResponse(acceptSecrets=False)

    def Cancel(self, request: Any, context: Any = None) -> empty_pb2.Empty:
        return empty_pb2.Empty()

    def Check(self, request: provider_pb2.CheckRequest, context: Any = None) -> provider_pb2.CheckResponse:
        response = self._call("Check", request, ("olds", "news"))
        _annotate(response.inputs, request.news)
        return response

    def Diff(self, request: provider_pb2.DiffRequest, context: Any = None) -> provider_pb2.DiffResponse:
        return self._call("Diff", request, ("olds", "old_inputs", "news"))

    def Create(self, request: provider_pb2.CreateRequest, context: Any = None) -> provider_pb2.CreateResponse:
        if request.preview:  # dynamic providers have no preview mode: all computed outputs are unknown
            return provider_pb2.CreateResponse()
        response = self._call("Create", request, ("properties",))
        _annotate(response.properties, request.properties)
        return response

    def Update(self, request: provider_pb2.UpdateRequest, context: Any = None) -> provider_pb2.UpdateResponse:
        if request.preview:
            return provider_pb2.UpdateResponse()
        response = self._call("Update", request, ("olds", "old_inputs", "news"))
        _annotate(response.properties, request.news)
        return response

    def Read(self, request: provider_pb2.ReadRequest, context: Any = None) -> provider_pb2.ReadResponse:
        response = self._call("Read", request, ("properties", "inputs"))
        if response.HasField("inputs"):  # the SDK's server returns none: the recorded ones stay
            _annotate(response.inputs, request.inputs)
        _annotate(response.properties, request.properties)
        return response

    def Delete(self, request: provider_pb2.DeleteRequest, context: Any = None) -> empty_pb2.Empty:
        return self._call("Delete", request, ("properties", "old_inputs"))

    def _call(self, method: str, request: Any, structs: tuple[str, ...]) -> Any:
        plain = type(request)()
        plain.CopyFrom(request)
        for name in structs:
            if request.HasField(name):
                getattr(plain, name).CopyFrom(_plain(getattr(request, name)))
        try:
            return getattr(self._connected(request.urn), method)(plain)
        except grpc.RpcError as error:
            raise ProviderError(error.code(), _failure(str(error.details()) or str(error))) from None

    def close(self) -> None:
        """End the process, if it was started, after its output has been received."""
        with self._lock:
            self._stop()

    def _stop(self) -> None:
        if self._end is not None:
            self._end()
        self._end = self._stub = None

    def _connected(self, urn: str) -> provider_pb2_grpc.ResourceProviderStub:
        """Return the client of the process, which starts for the stack and the project of `urn`."""
        with self._lock:
            if self._stub is None:
                process = _Process(urn, self._folder, self.listener)
                # Ends it at the latest with this process: the listener refers to the users of this provider.
                self._end = weakref.finalize(self, process.stop)
                try:
                    channel = grpc.insecure_channel(f"127.0.0.1:{process.port()}")
                    self._stub = provider_pb2_grpc.ResourceProviderStub(channel)
                    self._stub.Configure(self._config)
                except BaseException:
                    self._stop()
                    raise
            return self._stub


def _failure(trace: str) -> str:
    """Return the message of a failed call: the exception, and the innermost line outside of packages."""
    lines = [line.strip() for line in trace.splitlines() if line.strip()] or ["no reason is known"]
    frames = [found for line in lines if (found := _FRAME.match(line)) and not _is_library(found["file"])]
    where = f" in {frames[-1]['file']}, line {frames[-1]['line']}" if frames else ""
    return f"the dynamic provider failed{where}: {lines[-1]}"


def _is_library(file: str) -> bool:
    return "site-packages" in file or file.startswith((sysconfig.get_path("stdlib"), "<frozen"))


class _Process:
    """The process of the dynamic providers of the stack and the project of `urn`.

    A key of the configuration without a namespace belongs to the project.
    """

    def __init__(self, urn: str, folder: Path | None, listener: Listener) -> None:
        self._listener = listener
        self._readers: list[threading.Thread] = []
        theirs, self._lifeline = os.pipe()
        stack, project, *_ = urn.removeprefix("urn:pulumi:").split("::")
        environment: Mapping[str, str] = {
            **os.environ,
            "PULUMI_STACK": stack,
            "PULUMI_PROJECT": project,
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        }
        try:
            self._child = subprocess.Popen(
                [sys.executable, "-c", _BOOT, str(theirs)],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=(theirs,),
                start_new_session=True,
            )
        finally:
            os.close(theirs)
        assert self._child.stderr is not None
        self._read(self._child.stderr)

    def port(self) -> int:
        """Return the port that the process prints first. Raises ProviderError."""
        assert self._child.stdout is not None
        with contextlib.suppress(ValueError):
            port = int(self._child.stdout.readline())
            self._read(self._child.stdout)
            return port
        self._child.stdout.close()
        raise ProviderError(grpc.StatusCode.INTERNAL, "the process of the dynamic providers did not start")

    def _read(self, output: IO[bytes]) -> None:
        """Pass the lines of `output` to the listener: a full pipe would stop the process."""

        def read() -> None:
            with output:
                for line in output:
                    if text := line.decode(errors="replace").rstrip("\r\n"):
                        self._listener(text)

        self._readers.append(threading.Thread(target=read, daemon=True))
        self._readers[-1].start()

    def stop(self) -> None:
        """End the process and wait for its output, unless a child process of its own holds the pipe."""
        if self._lifeline < 0:
            return
        os.close(self._lifeline)
        self._lifeline = -1
        self._child.wait()
        for reader in self._readers:
            reader.join(_OUTPUT_SECONDS)


def _print(line: str) -> None:
    print(line, file=sys.stderr)


def _plain(struct: Any) -> Any:
    return encode(unwrap(decode(struct)))


def _annotate(found: struct_pb2.Struct, given: struct_pb2.Struct) -> None:
    """Make values of `found` secret where `given` has a secret at the same key or below it.

    The code of dynamic providers receives and returns values without secrets. This is ``annotateSecrets`` of
    ``pkg/resource/plugin/provider_plugin.go``: a list with a secret is one secret as a whole.
    """
    if contains_secret(inputs := decode(given)):
        found.CopyFrom(encode(_annotated(decode(found), inputs)))


def _annotated(found: Any, given: Any) -> Any:
    if isinstance(found, dict) and isinstance(given, dict):
        return {key: _annotated(item, given[key]) if key in given else item for key, item in found.items()}
    return Secret(found) if contains_secret(given) and not isinstance(found, Secret) else found
