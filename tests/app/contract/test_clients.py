"""Clients that are generated from the OpenAPI document work with the service."""

from __future__ import annotations

import base64
import importlib
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import pytest

from app.application import PUBLIC
from app.http import examples, openapi
from app.http.requests import Upload
from tests.support.backends import ROOT, Platform

# A PNG of one pixel.
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
ENDPOINTS = [endpoint for part in PUBLIC for endpoint in part.endpoints]


def document() -> dict[str, Any]:
    return openapi.document(ENDPOINTS, base="/", version="1")


def test_names_of_types_and_operations_are_valid_identifiers() -> None:
    found = document()
    names = list(found["components"]["schemas"])
    assert all(name.isidentifier() and name[0].isupper() for name in names)
    operations = [each for methods in found["paths"].values() for each in methods.values()]
    ids = [operation["operationId"] for operation in operations]
    assert len(set(ids)) == len(ids)
    assert all(identifier.isidentifier() for identifier in ids)
    assert "(?!" not in json.dumps(found), "patterns are those of every language"


def test_operations_are_sorted_by_tag() -> None:
    found = document()
    order = [tag["name"] for tag in found["tags"]]
    assert order[:3] == ["accounts", "sessions", "contents"]
    tags = [next(iter(methods.values()))["tags"][0] for methods in found["paths"].values()]
    assert tags == sorted(tags, key=order.index)
    assert "Getting started" in found["info"]["description"]


def test_responses_are_described_and_body_examples_are_valid() -> None:
    found = document()
    for methods in found["paths"].values():
        for operation in methods.values():
            for status, response in operation["responses"].items():
                if status.startswith("2"):
                    assert len(response["description"]) > len("Done."), operation["operationId"]
    for endpoint in ENDPOINTS:
        if endpoint.body is not None and endpoint.body is not Upload:
            msgspec.convert(examples.BODIES[endpoint.body.__name__], endpoint.body)


def test_generated_python_client_works(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "openapi.json").write_bytes(httpx.get(f"{platform.url}/openapi.json").content)
    command = [str(Path(sys.executable).parent / "openapi-python-client"), "generate", "--path"]
    command += [str(tmp_path / "openapi.json"), "--output-path", str(tmp_path / "made"), "--meta", "none"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "will not be generated" not in done.stdout + done.stderr, "every operation is generated"
    for endpoint in ENDPOINTS:
        name = f"{endpoint.tag}_{endpoint.handler.__name__}.py"
        assert (tmp_path / "made" / "api" / endpoint.tag / name).exists()
    monkeypatch.syspath_prepend(str(tmp_path))

    def operation(tag: str, name: str) -> Any:
        return importlib.import_module(f"made.api.{tag}.{tag}_{name}")

    client = importlib.import_module("made").Client(base_url=platform.url)
    models = importlib.import_module("made.models")
    email = f"{uuid4().hex}@example.com"
    body = models.SignUp(email=email, password="correct horse battery", name="Ada")
    accepted = operation("accounts", "sign_up").sync(client=client, body=body)
    assert accepted.confirmation == models.Confirmation.NONE
    body = models.SignIn(email=email, password="correct horse battery")
    signed = operation("sessions", "sign_in").sync(client=client, body=body)
    assert signed.account.email == email
    session = importlib.import_module("made").AuthenticatedClient(base_url=platform.url, token=signed.token)
    made = operation("contents", "create").sync_detailed(
        client=session, body=models.NewContent(prompt="from a generated client")
    )
    assert (made.status_code, made.parsed.state) == (202, models.ContentState.QUEUED)
    image = importlib.import_module("made.types").File(payload=io.BytesIO(PIXEL))
    uploaded = operation("media", "upload").sync_detailed(client=session, body=image)
    assert uploaded.status_code == 202
    assert uploaded.parsed.state == models.MediaState.PROCESSING
    for each in (client, session):
        each.get_httpx_client().close()


@pytest.fixture
def typescript(tmp_path: Path) -> Path:
    """The folder of the TypeScript generator and compiler; skips where they are not installed."""
    tools = ROOT / "mobile" / "node_modules" / ".bin"
    if shutil.which("node") is None or not (tools / "openapi-typescript").exists():
        pytest.skip("needs Node.js and mobile/node_modules: make mobile-test installs them")
    return tools


def write_types(tools: Path, document: str, folder: Path) -> Path:
    """The generated TypeScript types of an OpenAPI document."""
    (folder / "openapi.json").write_text(document)
    made = folder / "schema.ts"
    command = [
        str(tools / "openapi-typescript"),
        str(folder / "openapi.json"),
        "--default-non-nullable=false",
    ]
    subprocess.run([*command, "--output", str(made)], check=True, capture_output=True)
    return made


def test_mobile_client_types_are_up_to_date(typescript: Path, tmp_path: Path) -> None:
    text = write_types(typescript, json.dumps(document()), tmp_path).read_text()
    assert text == (ROOT / "mobile" / "src" / "api" / "schema.ts").read_text()
    for endpoint in ENDPOINTS:
        assert f"{endpoint.tag}_{endpoint.handler.__name__}" in text


def test_generated_typescript_client_works(platform: Platform, typescript: Path, tmp_path: Path) -> None:
    write_types(typescript, httpx.get(f"{platform.url}/openapi.json").text, tmp_path)
    shutil.copy(Path(__file__).with_name("client.ts"), tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "node_modules").symlink_to(ROOT / "mobile" / "node_modules")
    options = ["--strict", "--target", "es2022", "--module", "nodenext", "--skipLibCheck", "--types", "node"]
    compiled = run([str(typescript / "tsc"), *options, "client.ts"], tmp_path)
    assert compiled.returncode == 0, compiled.stdout
    email = f"{uuid4().hex}@example.com"
    called = run(["node", "client.js", platform.url, email, "correct horse battery"], tmp_path)
    assert called.returncode == 0, called.stderr
    assert json.loads(called.stdout) == {
        "confirmation": "none",
        "account": email,
        "created": [202, "queued"],
        "prompt": "from a generated client",
        "uploaded": [202, "processing"],
        "anonymous": 401,
    }


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
