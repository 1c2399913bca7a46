"""HTTP client of one API server, configured by a kubeconfig; retains the server's warnings."""

from __future__ import annotations

import base64
import json
import os
import re
import ssl
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TypeVar

import httpx
import yaml

MANAGER: Final = "kingdom-tests"
_WARNING: Final = re.compile(r'299 \S+ "((?:[^"\\]|\\.)*)"')
_T = TypeVar("_T")
Object = Mapping[str, Any]


class ApiError(Exception):
    """The API server rejected a request."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


@dataclass(frozen=True)
class ApiResponse:
    """The returned object and the warnings of the response."""

    value: dict[str, Any]
    warnings: tuple[str, ...]


class Api:
    """Client of one API server, used as a context manager."""

    def __init__(self, server: str, *, verify: ssl.SSLContext | bool, token: str = "") -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(base_url=server, verify=verify, headers=headers, timeout=30.0)
        self._resource_names: dict[tuple[str, str], tuple[str, bool]] = {}

    def __enter__(self) -> Api:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    @classmethod
    def from_kubeconfig(cls, path: Path) -> Api:
        """The current context's server and user: certificate, token, token file, or an `exec` plug-in."""
        config = yaml.safe_load(path.read_text())

        def named(section: str, name: str, key: str) -> dict[str, Any]:
            return next(item[key] for item in config[section] if item["name"] == name)

        context = named("contexts", config["current-context"], "context")
        cluster = named("clusters", context["cluster"], "cluster")
        user = named("users", context["user"], "user")
        if "exec" in user:
            user = {**user, **_credential(user["exec"])}
        token = user.get("token") or (Path(user["tokenFile"]).read_text() if "tokenFile" in user else "")
        trusted = _content(cluster, "certificate-authority")
        verify = ssl.create_default_context(cadata=trusted.decode() if trusted else None)
        if cluster.get("insecure-skip-tls-verify"):
            verify.check_hostname, verify.verify_mode = False, ssl.CERT_NONE
        certificate, key = _content(user, "client-certificate"), _content(user, "client-key")
        if certificate and key:
            with tempfile.NamedTemporaryFile() as file:  # the ssl module takes certificates as files only
                file.write(certificate + b"\n" + key)
                file.flush()
                verify.load_cert_chain(file.name)
        return cls(cluster["server"], verify=verify, token=token.strip())

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = "application/json",
        **query: str,
    ) -> ApiResponse:
        """Send one request. Raises ApiError with the server's message."""
        content = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": content_type} if content is not None else {}
        response = self._http.request(method, path, content=content, headers=headers, params=query)
        if response.is_error:
            try:
                message = str(response.json()["message"])
            except (ValueError, KeyError, TypeError):
                message = response.text
            raise ApiError(response.status_code, message)
        warned = tuple(
            text for header in response.headers.get_list("warning") for text in _WARNING.findall(header)
        )
        value = (
            response.json() if "json" in response.headers.get("content-type", "") else {"text": response.text}
        )
        return ApiResponse(value, warned)

    def get(self, path: str, **query: str) -> dict[str, Any]:
        return self.request("GET", path, **query).value

    def items(self, path: str, **query: str) -> list[dict[str, Any]]:
        return self.get(path, **query)["items"]

    def apply(self, manifest: Object, *, dry_run: bool = False) -> ApiResponse:
        """Server-side apply, strict about unknown and duplicate fields."""
        query = {"fieldManager": MANAGER, "fieldValidation": "Strict"} | _dry(dry_run)
        path = self.path_of(manifest, named=True)
        return self.request("PATCH", path, manifest, content_type="application/apply-patch+yaml", **query)

    def create(self, manifest: Object, *, dry_run: bool = False) -> ApiResponse:
        query = {"fieldManager": MANAGER, "fieldValidation": "Strict"} | _dry(dry_run)
        return self.request("POST", self.path_of(manifest, named=False), manifest, **query)

    def merge(self, path: str, change: Object) -> ApiResponse:
        return self.request("PATCH", path, change, content_type="application/merge-patch+json")

    def delete(self, manifest: Object) -> None:
        try:
            self.request("DELETE", self.path_of(manifest, named=True))
        except ApiError as error:
            if error.code != httpx.codes.NOT_FOUND:
                raise

    def exists(self, manifest: Object) -> bool:
        try:
            self.get(self.path_of(manifest, named=True))
        except ApiError as error:
            if error.code == httpx.codes.NOT_FOUND:
                return False
            raise
        return True

    def path_of(self, manifest: Object, *, named: bool) -> str:
        """Return the API path of an object, from the server's discovery API."""
        version, kind = manifest["apiVersion"], manifest["kind"]
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if (version, kind) not in self._resource_names:
            for found in self.get(root)["resources"]:
                if "/" not in found["name"]:
                    self._resource_names[version, found["kind"]] = (found["name"], found["namespaced"])
        if (version, kind) not in self._resource_names:
            raise ApiError(httpx.codes.NOT_FOUND, f"the server has no kind {kind} in {version}")
        plural, namespaced = self._resource_names[version, kind]
        metadata = manifest["metadata"]
        within = f"/namespaces/{metadata['namespace']}" if namespaced else ""
        return f"{root}{within}/{plural}" + (f"/{metadata['name']}" if named else "")


def wait_for(what: str, condition: Callable[[], _T | None], *, seconds: float = 60.0) -> _T:
    """Return the first true result of `condition`. Raises AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s"
        time.sleep(0.2)


def _dry(dry_run: bool) -> dict[str, str]:
    return {"dryRun": "All"} if dry_run else {}


def _content(section: Mapping[str, Any], name: str) -> bytes:
    if f"{name}-data" in section:
        return base64.b64decode(section[f"{name}-data"])
    return Path(section[name]).read_bytes() if name in section else b""


def _credential(plugin: Mapping[str, Any]) -> dict[str, Any]:
    environment = {item["name"]: item["value"] for item in plugin.get("env") or ()}
    done = subprocess.run(
        [plugin["command"], *(plugin.get("args") or ())],
        env={**os.environ, **environment},
        capture_output=True,
        check=True,
        timeout=60,
    )
    status = json.loads(done.stdout)["status"]
    found = {"token": status.get("token", "")}
    for key, name in (("clientCertificateData", "client-certificate"), ("clientKeyData", "client-key")):
        if key in status:
            found[f"{name}-data"] = base64.b64encode(status[key].encode()).decode()
    return found
