"""Credentials in command lines: which argument has one, and of which option, subcommand or name."""

from __future__ import annotations

from policies.model.credentials.commands import (
    MAX_COMMAND,
    assigned,
    client_passwords,
    sets_password,
    subcommand_passwords,
)


def test_options_of_clients_are_named_with_their_argument() -> None:
    line = ["sh", "-c", "sleep 1; mysql -uroot -ps3cretX db && redis-cli -a s3cretY ping"]
    assert list(client_passwords(line)) == [(2, "mysql -p"), (2, "redis-cli -a")]
    assert list(client_passwords(["mysqladmin", "ping", "-ps3cretX"])) == [(2, "mysqladmin -p")]


def test_an_option_applies_to_the_client_of_its_own_command() -> None:
    assert not list(client_passwords(["sh", "-c", "mysql -uroot; mkdir -pv a"]))
    assert not list(client_passwords(["server", "-ps3cretX"]))


def test_subcommands_are_named_with_the_argument_of_their_password() -> None:
    assert list(subcommand_passwords(["redis-cli", "-h", "db", "AUTH", "app", "s3cretX"])) == [(5, "AUTH")]
    assert list(subcommand_passwords(["redis-cli", "AUTH", "s3cretX"])) == [(2, "AUTH")]
    assert list(subcommand_passwords(["sh", "-c", "rabbitmqctl add_user a s3cretX"])) == [(2, "rabbitmqctl")]


def test_text_beyond_the_maximum_length_is_not_searched() -> None:
    text = "x" * MAX_COMMAND
    assert not list(subcommand_passwords([f"{text} redis-cli AUTH s3cretX"]))
    assert list(subcommand_passwords([text, "redis-cli AUTH s3cretX"])) == [(1, "AUTH")]


def test_assignments_and_long_options() -> None:
    assert assigned("A=b PGPASSWORD=s3cretX psql --token s3cretY -storepass s3cretZ") == {
        "PGPASSWORD",
        "token",
        "storepass",
    }
    assert assigned("PGPASSWORD=$PW psql --token-file /run/t") == set()


def test_passwords_in_statements_of_sql() -> None:
    assert sets_password("CREATE USER a IDENTIFIED BY s3cretX")
    assert sets_password(r"CREATE USER a IDENTIFIED BY \"s3cretX\"")
    assert not sets_password("CREATE USER a IDENTIFIED BY '${PW}'")
    assert not sets_password("objects are identified by name")
