"""Functions of `ConfigFile`, `ConfigGroup`, `kustomize.Directory` and `helm.v3.Chart`.

They convert local files to objects, which the SDK registers as resources. Sources:
``provider/pkg/provider/invoke_decode_yaml.go`` and ``invoke_helm_template.go`` of pulumi-kubernetes.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import grpc
import yaml

from rehearsal.policy.yaml_documents import TooLargeError, documents
from rehearsal.providers.base import Function
from rehearsal.providers.errors import ProviderError
from rehearsal.providers.kubernetes.kinds import CLUSTER_SCOPED
from rehearsal.providers.outputs import Place

_SECONDS: Final = 60.0  # timeout of `kustomize build` and `helm template`


def decode_yaml(args: dict[str, Any], place: Place) -> dict[str, Any]:
    """Return the objects in ``text``, with ``defaultNamespace`` as default."""
    return {"result": list(_objects(str(args.get("text") or ""), args.get("defaultNamespace")))}


def kustomize(args: dict[str, Any], place: Place) -> dict[str, Any]:
    """Return the objects that `kustomize build` renders from ``directory``."""
    folder = str(args.get("directory") or "")
    if not Path(folder).is_dir():
        raise _refused(f"kustomize: {folder!r} is not a local folder; kingdom does not read from the network")
    if shutil.which("kustomize"):
        command = ["kustomize", "build", folder]
    elif shutil.which("kubectl"):
        command = ["kubectl", "kustomize", folder]
    else:
        raise _refused("kustomize needs `kustomize` or `kubectl` on PATH, and neither is installed")
    return {"result": list(_objects(_rendered(command), None))}


def helm_template(args: dict[str, Any], place: Place) -> dict[str, Any]:
    """Return the objects that `helm template` renders; ``jsonOpts`` are the options of the SDK's `Chart`."""
    options = json.loads(str(args.get("jsonOpts") or "{}"))
    chart = str(options.get("path") or options.get("chart") or "")
    if options.get("repo") or (options.get("fetch_opts") or {}).get("repo") or not Path(chart).exists():
        raise _refused(
            f"helm: the chart {chart!r} is not a local folder or file; kingdom downloads no charts."
            " Fetch the chart into a local folder and use LocalChartOpts"
        )
    if not shutil.which("helm"):
        raise _refused("rendering a Helm chart needs `helm` on PATH, which is not installed")
    release = str(options.get("release_name") or options.get("releaseName") or "release")
    command = ["helm", "template", release, chart, "--values", "-"]
    command += ["--namespace", str(options.get("namespace") or "default")]
    if not options.get("skip_crd_rendering"):
        command.append("--include-crds")
    for version in options.get("api_versions") or ():
        command += ["--api-versions", str(version)]
    if options.get("kube_version"):
        command += ["--kube-version", str(options["kube_version"])]
    if options.get("include_test_hook_resources") is not True:
        command.append("--skip-tests")
    text = _rendered(command, json.dumps(options.get("values") or {}))
    return {"result": list(_objects(text, options.get("namespace")))}


FUNCTIONS: Final[Mapping[str, Function]] = {
    "kubernetes:yaml:decode": decode_yaml,
    "kubernetes:kustomize:directory": kustomize,
    "kubernetes:helm:template": helm_template,
}


def _objects(text: str, namespace: Any) -> Iterator[dict[str, Any]]:
    """Yield the objects in `text`. The SDK expands lists, and documents without a kind are left out.

    Plain scalars are those of the real provider, YAML 1.1 without dates and numbers to base 60.
    """
    try:
        for document in documents(text):
            value = document.value
            if document.bad_number_line:
                raise _refused(f"not valid JSON in line {document.bad_number_line}: infinity or not a number")
            if value is None:
                continue
            if not isinstance(value, dict):
                raise _refused("a document is not a Kubernetes object: it must be a mapping")
            if not _text(value.get("kind")) or not _text(value.get("apiVersion")):
                continue
            if namespace and value["kind"] not in CLUSTER_SCOPED:
                metadata = value.get("metadata")
                if not isinstance(metadata, dict):
                    value["metadata"] = {"namespace": namespace}
                elif not metadata.get("namespace"):
                    metadata["namespace"] = namespace
            yield value
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        raise _refused(f"not valid YAML{where}: {getattr(error, 'problem', error)}") from None
    except TooLargeError:
        raise _refused("a document is nested too deeply, or has too many values") from None
    except ValueError as error:
        raise _refused(f"not valid YAML: {error}") from None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _rendered(command: list[str], text: str = "") -> str:
    try:
        done = subprocess.run(
            command, input=text, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _refused(f"{command[0]} failed: {error}") from None
    if done.returncode:
        raise _refused(f"{command[0]} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def _refused(reason: str) -> ProviderError:
    return ProviderError(grpc.StatusCode.INVALID_ARGUMENT, reason)
