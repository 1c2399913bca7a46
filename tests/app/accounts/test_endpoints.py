"""Changing an account: for whoever has seen its latest state."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.app.conftest import Person
from tests.app.test_application import problem


def rename(person: Person, name: str, tag: str | None = None) -> httpx.Response:
    headers = {"if-match": tag} if tag else {}
    return person.client.put("/v1/accounts/me/profile", json={"name": name}, headers=headers)


def test_a_change_is_seen_by_the_next_read(ada: Person) -> None:
    before = ada.client.get("/v1/accounts/me")
    changed = rename(ada, "Countess", before.headers["etag"])
    assert (changed.status_code, changed.json()["name"]) == (200, "Countess")
    after = ada.client.get("/v1/accounts/me", headers={"if-none-match": before.headers["etag"]})
    assert (after.status_code, after.json()) == (200, changed.json())
    same = ada.client.get("/v1/accounts/me", headers={"if-none-match": after.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")


@pytest.mark.parametrize("tag", ['"other"', "other", 'W/"weak"'])
def test_a_change_for_another_state_is_refused(ada: Person, tag: str) -> None:
    problem(rename(ada, "Countess", tag), 412, "precondition-failed")
    assert ada.client.get("/v1/accounts/me").json()["name"] == "Ada"


def test_a_weak_tag_of_the_right_state_is_refused_too(ada: Person) -> None:
    tag = ada.client.get("/v1/accounts/me").headers["etag"]
    problem(rename(ada, "Countess", f"W/{tag}"), 412, "precondition-failed")
    assert rename(ada, "Countess", f'"other", {tag}').status_code == 200
    assert rename(ada, "Lady", "*").status_code == 200


def test_of_two_that_saw_the_same_state_one_is_told(ada: Person) -> None:
    tag = ada.client.get("/v1/accounts/me").headers["etag"]
    with ThreadPoolExecutor(8) as clients:
        asking = [clients.submit(rename, ada, f"Name {number}", tag) for number in range(8)]
        statuses = [each.result().status_code for each in asking]
    # A busy pod may have had no room for some; nobody was told of a change that another undid.
    assert statuses.count(200) == 1
    assert set(statuses) <= {200, 412, 503}


def test_without_a_condition_the_last_one_counts(ada: Person) -> None:
    assert rename(ada, "Lady").status_code == 200
    assert rename(ada, "Countess").json()["name"] == "Countess"
