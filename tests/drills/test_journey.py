"""The documented journey to an order, and the edge of the platform of one machine as clients see it."""

from __future__ import annotations

import base64
import binascii
import json
import re
import shlex
import subprocess
from contextlib import suppress
from typing import Any
from uuid import uuid4

import httpx
import psutil
import pytest

from infra.edge.rulesets import HIDDEN
from infra.workload.gateway import AFFINITY_COOKIE
from tests.support.client import is_serving
from tests.support.projects import ROOT, Project, wait_for
from tools.demo import PASSWORD, connect

pytestmark = pytest.mark.drill

SERVICE_PAGE = ROOT / "docs" / "service.md"


def shell(project: Project, *command: str) -> str:
    """The output of a command in the project's folder, with this environment's commands on PATH."""
    environment = project.environment()
    environment["PATH"] = f"{project.root / '.venv' / 'bin'}:{environment['PATH']}"
    done = subprocess.run(
        command, cwd=project.root, env=environment, capture_output=True, text=True, check=False, timeout=180
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def signed_in(client: httpx.Client, email: str) -> dict[str, str]:
    """The authorization header of a new session; creates the account if there is none.

    The password is the demo's, which may have created the account before.
    """
    credentials = {"email": email, "password": PASSWORD}
    response = client.post("/v1/sessions", json=credentials)
    if response.status_code == 401:
        created = client.post("/v1/accounts", json={**credentials, "name": "Ada"})
        assert created.status_code == 202, created.text
        response = client.post("/v1/sessions", json=credentials)
    assert response.status_code == 201, response.text
    return {"authorization": f"Bearer {response.json()['token']}"}


def posted(client: httpx.Client, path: str, session: dict[str, str], body: dict[str, Any]) -> Any:
    headers = {**session, "idempotency-key": uuid4().hex}
    response = client.post(path, json=body, headers=headers)
    assert response.status_code == 201, response.text
    return response.json()


def test_make_demo_prints_accounts_and_an_order_and_changes_nothing_again(platform: Project) -> None:
    wait_for("the service works", lambda: is_serving(platform))
    (recipe,) = re.findall(
        r"\$\(BIN\)/(python -m tools\.demo)$", (ROOT / "Makefile").read_text(), re.MULTILINE
    )
    first, again = (shell(platform, *shlex.split(recipe)) for _ in range(2))
    assert first == again
    assert re.search(r"^order +creator-month until \d{4}-\d\d-\d\d, \d+ cents left$", first, re.MULTILINE)
    assert f"{platform.url}/docs" in first


def test_the_documented_commands_lead_from_a_sign_up_to_an_order(platform: Project) -> None:
    wait_for("the service works", lambda: is_serving(platform))
    (command,) = re.findall(r"^\.venv/bin/(kingdom exec .*?) *#", SERVICE_PAGE.read_text(), re.MULTILINE)
    section = SERVICE_PAGE.read_text().partition("## From sign-up")[2].partition("\n## ")[0]
    payment, order = re.findall(r"with `(\{.*?\})`", section)
    with connect(platform.url, platform.root) as client:
        signed_in(client, "root@example.com")
        shell(platform, *shlex.split(command))
        administrator = signed_in(client, "root@example.com")
        customer = signed_in(client, f"{uuid4().hex}@example.com")
        account = client.get("/v1/accounts/me", headers=customer).json()
        posted(client, f"/v1/accounts/{account['id']}/payments", administrator, json.loads(payment))
        bought = posted(client, "/v1/orders", customer, json.loads(order))
        paid = client.get("/v1/accounts/me", headers=customer).json()
    assert bought["product"] == json.loads(order)["product"]
    assert 0 <= paid["balance"] < json.loads(payment)["amount"]


def test_the_edge_port_alone_changes_every_url(platform: Project) -> None:
    with platform.client() as client:
        problem = client.get("/v1/accounts/me").json()
        document = client.get("/openapi.json").json()
    outputs = json.loads(shell(platform, "kingdom", "outputs", "--json"))
    found = [problem["type"], *(server["url"] for server in document["servers"]), outputs["url"]]
    assert all(url.startswith(platform.url) for url in found), found


def test_clients_see_neither_the_load_nor_the_address_of_a_pod(platform: Project) -> None:
    pods = [psutil.Process(each.pid) for each in platform.status().processes if each.pid]
    listening = [
        each for pod in pods for each in pod.net_connections("tcp") if each.status == psutil.CONN_LISTEN
    ]
    addresses = {f":{each.laddr.port}" for each in listening} - {f":{platform.port}"}
    assert addresses
    with platform.client() as client:
        first = client.get("/v1/products")
        responses = [first, client.get("/v1/accounts/me"), client.get("/v1/none"), client.get("/metrics")]
        responses += [client.request("BREW", "/v1/feed"), client.post("/v1/sessions", content=b"{")]
    assert first.headers["set-cookie"].startswith(f"{AFFINITY_COOKIE}=")
    for response in responses:
        assert not set(HIDDEN) & set(response.headers), response.headers
        visible = " ".join(value + decoded(value) for value in response.headers.values())
        assert not [address for address in addresses if address in visible], response.headers


def decoded(value: str) -> str:
    """Decode the words of a header value from Base64."""
    found = ""
    for word in re.findall(r"[A-Za-z0-9+/_-]{8,}", value):
        with suppress(binascii.Error):
            found += base64.b64decode(word + "=" * (-len(word) % 4)).decode("latin-1")
    return found
