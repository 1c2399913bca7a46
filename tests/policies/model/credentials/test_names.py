"""Names of credentials, and values that only refer to one."""

from __future__ import annotations

import pytest

from policies.model.credentials.names import is_code, is_reference, names_secret


@pytest.mark.parametrize("name", ["DB_PASSWORD", "clientSecret", "spring.datasource.password", "storepass"])
def test_names_of_credentials_in_each_spelling(name: str) -> None:
    assert names_secret(name)


@pytest.mark.parametrize(
    "name", ["PASSWORD_FILE", "secretName", "TOKEN_TTL", "USE_PASSWORD", "bypass", "MODE"]
)
def test_names_of_places_kinds_and_switches(name: str) -> None:
    assert not names_secret(name)


@pytest.mark.parametrize("value", ["$(PW)", "a${PW}", "/run/pw", "<password>", "true", "", '""', "****"])
def test_references_and_switches(value: str) -> None:
    assert is_reference(value)


def test_a_written_value_is_not_a_reference() -> None:
    assert not is_reference("hunter2")


@pytest.mark.parametrize(
    "value", ["os.environ['P']", "app.settings.password", "password", "[a]", "getpass()"]
)
def test_expressions_of_a_program(value: str) -> None:
    assert is_code("password", value)


def test_a_written_value_is_not_an_expression() -> None:
    assert not is_code("password", "hunter2")
