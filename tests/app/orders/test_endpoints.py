"""Orders and payments over HTTP: charged once, never more than the balance."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import httpx
import pytest

from app import clock
from app.accounts.service import plan_of
from app.auth.roles import Plan
from tests.app.conftest import Person
from tests.app.test_application import problem
from tests.support.backends import Platform


def buy(person: Person, product: str, key: str | None = None) -> httpx.Response:
    headers = {"idempotency-key": key or str(uuid4())}
    return person.client.post("/v1/orders", json={"product": product}, headers=headers)


def balance(person: Person) -> int:
    return person.client.get("/v1/accounts/me").json()["balance"]


def test_purchase_charges_the_price_and_sets_the_plan(ada: Person, administrator: Person) -> None:
    administrator.pay_in(ada, 1_000)
    placed = buy(ada, "creator-month")
    assert placed.status_code == 201
    order = placed.json()
    assert (order["price"], order["plan"], order["currency"]) == (900, "creator", "EUR")
    assert ada.client.get(placed.headers["location"]).json() == order
    account = ada.client.get("/v1/accounts/me").json()
    assert (account["balance"], account["plan"], account["plan_until"]) == (
        100,
        "creator",
        order["plan_until"],
    )
    assert ada.client.get("/v1/orders").json()["items"] == [order]


def session_plan(person: Person) -> str:
    """Return the plan in the access token."""
    payload = person.client.headers["authorization"].split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=="))["plan"]


def test_the_next_session_has_the_plan(ada: Person, administrator: Person) -> None:
    administrator.pay_in(ada, 4_900)
    assert buy(ada, "studio-month").status_code == 201
    assert session_plan(ada) == "free"
    ada.sign_in()
    assert session_plan(ada) == "studio"


def test_plan_expires_at_its_end() -> None:
    now = clock.now()
    assert plan_of({"subscription": {"plan": "studio", "until": now + timedelta(seconds=5)}}) is Plan.STUDIO
    assert plan_of({"subscription": {"plan": "studio", "until": now - timedelta(seconds=5)}}) is Plan.FREE
    assert plan_of({}) is Plan.FREE


def test_same_plan_is_extended_and_a_lower_one_is_rejected(ada: Person, administrator: Person) -> None:
    administrator.pay_in(ada, 20_000)
    first, second = buy(ada, "creator-month").json(), buy(ada, "creator-month").json()
    assert second["plan_until"][:10] > first["plan_until"][:10]
    assert buy(ada, "studio-month").status_code == 201
    problem(buy(ada, "creator-year"), 409, "conflict")
    assert balance(ada) == 20_000 - 900 - 900 - 4_900


def test_insufficient_balance_buys_nothing(ada: Person, administrator: Person) -> None:
    administrator.pay_in(ada, 899)
    problem(buy(ada, "creator-month"), 402, "insufficient-balance")
    assert balance(ada) == 899
    assert ada.client.get("/v1/orders").json()["items"] == []
    assert ada.client.get("/v1/accounts/me").json()["plan"] == "free"


def test_repeated_purchase_is_paid_once(ada: Person, administrator: Person) -> None:
    administrator.pay_in(ada, 10_000)
    key = str(uuid4())
    with ThreadPoolExecutor(8) as clients:
        asking = [clients.submit(buy, ada, "creator-month", key) for _ in range(8)]
        responses = [each.result() for each in asking]
    assert {response.status_code for response in responses} == {201}
    assert len({response.json()["id"] for response in responses}) == 1
    assert balance(ada) == 9_100
    again = buy(ada, "creator-month", key)
    assert again.headers["idempotency-replayed"] == "true"
    problem(buy(ada, "studio-month", key), 422, "idempotency-key-reused")
    assert balance(ada) == 9_100


def test_concurrent_purchases_never_overdraw_the_balance(ada: Person, administrator: Person) -> None:
    administrator.pay_in(ada, 3 * 900 + 500)
    with ThreadPoolExecutor(8) as clients:
        asking = [clients.submit(buy, ada, "creator-month") for _ in range(8)]
        responses = [each.result() for each in asking]
    statuses = sorted(response.status_code for response in responses)
    assert statuses == [201] * 3 + [402] * 5
    assert balance(ada) == 500
    assert len(ada.client.get("/v1/orders").json()["items"]) == 3


def test_purchase_requires_an_idempotency_key(ada: Person) -> None:
    refused = ada.client.post("/v1/orders", json={"product": "creator-month"})
    assert problem(refused, 422, "invalid")["errors"] == [{"at": "Idempotency-Key", "detail": "is missing"}]


def test_only_administrators_record_payments_and_each_counts_once(ada: Person, administrator: Person) -> None:
    path = f"/v1/accounts/{ada.account['id']}/payments"
    named = {"idempotency-key": str(uuid4())}
    problem(ada.client.post(path, json={"amount": 500}, headers=named), 403, "forbidden")
    first = administrator.client.post(path, json={"amount": 500}, headers=named)
    again = administrator.client.post(path, json={"amount": 500}, headers=named)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert balance(ada) == 500
    problem(
        administrator.client.post(path, json={"amount": 501}, headers=named), 422, "idempotency-key-reused"
    )
    missing = f"/v1/accounts/{uuid4().hex[:8]}-0000-7000-8000-000000000000/payments"
    fresh = {"idempotency-key": str(uuid4())}
    problem(administrator.client.post(missing, json={"amount": 1}, headers=fresh), 404, "not-found")


@pytest.mark.parametrize("amount", [0, -5, 1_000_001, 1.5, "9"])
def test_invalid_amounts_are_rejected(ada: Person, administrator: Person, amount: object) -> None:
    path = f"/v1/accounts/{ada.account['id']}/payments"
    named = {"idempotency-key": str(uuid4())}
    problem(administrator.client.post(path, json={"amount": amount}, headers=named), 422, "invalid")


def test_order_of_another_account_is_not_found(ada: Person, eve: Person, administrator: Person) -> None:
    administrator.pay_in(ada, 900)
    order = buy(ada, "creator-month").json()
    problem(eve.client.get(f"/v1/orders/{order['id']}"), 404, "not-found")
    assert eve.client.get("/v1/orders").json()["items"] == []


def test_revenue_is_the_sum_of_orders(ada: Person, administrator: Person, analyst: Person) -> None:
    before = analyst.client.get("/v1/analytics/revenue").json()
    administrator.pay_in(ada, 10_000)
    assert buy(ada, "creator-month").status_code == 201
    assert buy(ada, "creator-year").status_code == 201
    after = analyst.client.get("/v1/analytics/revenue").json()
    assert after["amount"] - before["amount"] == 9_900
    assert after["orders"] - before["orders"] == 2
    assert sum(item["amount"] for item in after["items"]) == after["amount"]
    problem(ada.client.get("/v1/analytics/revenue"), 403, "forbidden")


def test_revenue_and_payments_are_exported_as_metrics(
    platform: Platform, ada: Person, administrator: Person
) -> None:
    def revenue() -> float:
        lines = httpx.get(f"{platform.url}/metrics").text.splitlines()
        name = 'kingdom_revenue_cents_total{product="creator-month"}'
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))

    administrator.pay_in(ada, 900)
    before = revenue()
    assert buy(ada, "creator-month").status_code == 201
    assert revenue() == before + 900


def test_catalog_is_public_and_cacheable(client: httpx.Client) -> None:
    response = client.get("/v1/products")
    assert response.headers["cache-control"] == "public, max-age=300"
    assert {item["product"]: item["price"] for item in response.json()["items"]} == {
        "creator-month": 900,
        "creator-year": 9_000,
        "studio-month": 4_900,
        "studio-year": 49_000,
    }
