"""Names of credentials, and values that only refer to one."""

from __future__ import annotations

import pytest

from policies.model.credentials.names import is_code, is_reference, may_set_secret, names_secret, sets_secret


@pytest.mark.parametrize("name", ["DB_PASSWORD", "clientSecret", "spring.datasource.password", "storepass"])
def test_names_of_credentials_in_each_spelling(name: str) -> None:
    assert names_secret(name)


@pytest.mark.parametrize(
    "name", ["PASSWORD_FILE", "secretName", "TOKEN_TTL", "USE_PASSWORD", "bypass", "MODE"]
)
def test_names_of_files_kinds_and_switches_are_not_credentials(name: str) -> None:
    assert not names_secret(name)


@pytest.mark.parametrize("value", ["$(PW)", "a${PW}", "/run/pw", "<password>", "true", "", '""', "****"])
def test_references_and_switches_are_not_literal_values(value: str) -> None:
    assert is_reference(value)


def test_a_written_value_is_not_a_reference() -> None:
    assert not is_reference("hunter2")


@pytest.mark.parametrize(
    "value", ["os.environ['P']", "app.settings.password", "password", "[a]", "getpass()"]
)
def test_expressions_of_source_code_are_not_literal_values(value: str) -> None:
    assert is_code("password", value)


def test_a_written_value_is_not_an_expression() -> None:
    assert not is_code("password", "hunter2")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BASIC_AUTH", "admin:s3cretX"),
        ("BASIC_AUTH", "a@b.example:123456"),
        ("HTTP_BASIC_AUTH", "admin:s3cretX"),
        ("ELASTIC_AUTH", "elastic:s3cretX"),
        ("AUTHORIZATION", "Basic dTpw"),
        ("AUTH_HEADER", "Bearer abc123"),
        ("auth-header", "Authorization: Bearer abc123"),
        ("PROXY_AUTHORIZATION", "Basic dTpwYXNz"),
        ("TOKENS", "a1b2c3,d4e5f6"),
        ("SESSION_KEYS", "a1b2c3"),
        ("apiKeys", "a1b2c3"),
        ("COOKIE_SECRETS", "a1b2c3"),
        ("PASSWORDS", "a1b2c3"),
        ("Jwt__Key", "a1b2c3"),
        ("DBPass", "a1b2c3"),
        ("OAuthToken", "a1b2c3"),
        ("PASSWORD_KEY", "a1b2c3"),
        ("OPENAI_KEY", "a1b2c3"),
        ("SUPABASE_SERVICE_ROLE_KEY", "a1b2c3"),
        ("WORDPRESS_NONCE_SALT", "a1b2c3"),
        ("htpasswd", "admin:s3cretX"),
    ],
)
def test_headers_pairs_and_lists_of_credentials(name: str, value: str) -> None:
    assert sets_secret(name, value)
    assert may_set_secret(name)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BASIC_AUTH", "true"),
        ("BASIC_AUTH", "admin:$(PASSWORD)"),
        ("BASIC_AUTH", "admin:$2y$05$abcdefgh"),
        ("BASIC_AUTH_REALM", "a:bcd"),
        ("AUTH", "ldap"),
        ("AUTH", "app.auth:Backend"),
        ("PROXY_AUTH", "proxy:8080"),
        ("AUTH_URL", "https://a.example"),
        ("AUTHORIZATION", "Bearer $(TOKEN)"),
        ("AUTHORIZATION", "Bearer token"),
        ("AUTHORIZATION", "Bearer <token>"),
        ("AUTHORIZATION", "RBAC"),
        ("AUTH_HEADER", "X-Auth"),
        ("MAX_TOKENS", "131072"),
        ("server-tokens", "build"),
        ("basic-auth-secret", "monitoring/basic-auth"),
        ("TOKENS", "131072"),
        ("completionTokens", "a"),
        ("IMAGE_PULL_SECRETS", "registry"),
        ("PUBLIC_KEYS", "a1b2c3"),
        ("API_KEYS_FILE", "a1b2c3"),
        ("TEST_PASS_RATE", "0.9"),
        ("s3AccessKeyIDName", "AWS_ACCESS_KEY_ID"),
        ("passphraseKey", "passphrase"),
        ("admin.passwordKey", "admin-password"),
        ("TOKEN_WEIGHT", "a"),
        ("PASS", "0.95"),
        ("REGISTRY_AUTH_HTPASSWD_REALM", "Registry Realm"),
        ("htpasswd", "admin:$2y$05$abcdefgh"),
        ("password_sha256_hex", "0f1e2d3c"),
    ],
)
def test_modes_references_and_counts_are_not_credentials(name: str, value: str) -> None:
    assert not sets_secret(name, value)
