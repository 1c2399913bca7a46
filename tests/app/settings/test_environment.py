"""Variables and files: defaults, bounds, and the problem of each invalid value."""

from __future__ import annotations

from enum import StrEnum
from ipaddress import ip_network
from pathlib import Path

import pytest

from app.settings.environment import Environment, SettingsError, is_loopback


class Level(StrEnum):
    LOW = "low"
    HIGH = "high"


def problems(source: Environment) -> list[str]:
    """Return the problems that the source has collected."""
    with pytest.raises(SettingsError) as caught:
        source.finish()
    return caught.value.problems


def test_valid_values_have_no_problems(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(" secret\n")
    source = Environment(
        {
            "TEXT": "a",
            "URL": "https://api.example.com",
            "LEVEL": "high",
            "FLAG": "true",
            "NUMBER": "0.5",
            "INTEGER": "10",
            "ORIGINS": "https://a.example.com, http://localhost:3000",
            "NETWORKS": "10.0.0.0/8, fd00::/8",
            "FOLDER": str(tmp_path),
            "FILE": str(tmp_path / "key"),
        }
    )
    assert source.text("TEXT") == "a"
    assert source.url("URL", secure="https", plain="http") == "https://api.example.com"
    assert source.choice("LEVEL", Level, Level.LOW) is Level.HIGH
    assert source.flag("FLAG", False) is True
    assert source.number("NUMBER", 1.0, minimum=0.5, maximum=1.0) == 0.5
    assert source.integer("INTEGER", 1, minimum=1, maximum=10) == 10
    assert source.origins("ORIGINS") == {"https://a.example.com", "http://localhost:3000"}
    assert source.networks("NETWORKS", ()) == (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
    assert source.secret(source.folder("FOLDER"), "key") == "secret"
    assert source.optional_file("FILE") == tmp_path / "key"
    source.finish()


def test_absent_optional_values_have_their_defaults() -> None:
    source = Environment({})
    assert source.choice("LEVEL", Level, Level.LOW) is Level.LOW
    assert source.flag("FLAG", True) is True
    assert source.number("NUMBER", 0.5, minimum=1, maximum=2) == 0.5
    assert source.integer("INTEGER", 3, minimum=1, maximum=2) == 3
    assert source.origins("ORIGINS") == frozenset()
    assert source.networks("NETWORKS", (ip_network("10.0.0.0/8"),)) == (ip_network("10.0.0.0/8"),)
    assert source.optional_file("FILE") is None
    source.finish()


@pytest.mark.parametrize("value", ["0.4", "1.1", "nan", "much"])
def test_number_outside_its_bounds_is_a_problem(value: str) -> None:
    source = Environment({"NUMBER": value})
    assert source.number("NUMBER", 0.7, minimum=0.5, maximum=1.0) == 0.7
    assert problems(source) == [f"NUMBER is {value!r}; it must be a number from 0.5 to 1"]


@pytest.mark.parametrize("value", ["0", "11", "1.0", "-1", "٣"])
def test_integer_outside_its_bounds_is_a_problem(value: str) -> None:
    source = Environment({"INTEGER": value})
    assert source.integer("INTEGER", 5, minimum=1, maximum=10) == 5
    assert problems(source) == [f"INTEGER is {value!r}; it must be an integer from 1 to 10"]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("ftp://a.example.com", "URL is not a https:// URL"),
        ("https://", "URL is not a https:// URL"),
        ("http://a.example.com", "URL has no TLS; use https:// (only loopback addresses may omit it)"),
        ("http://127.0.0.1:8080", None),
    ],
)
def test_url_has_tls_outside_of_loopback_addresses(value: str, problem: str | None) -> None:
    source = Environment({"URL": value})
    assert source.url("URL", secure="https", plain="http") == value
    if problem is None:
        source.finish()
    else:
        assert problems(source) == [problem]


@pytest.mark.parametrize("origin", ["http://a.example.com", "https://a.example.com/", "a.example.com"])
def test_origin_is_a_scheme_and_a_host(origin: str) -> None:
    source = Environment({"ORIGINS": origin})
    source.origins("ORIGINS")
    assert problems(source) == [
        f"ORIGINS has {origin!r}, which is not an origin such as https://app.example.com"
    ]


def test_a_misspelled_variable_is_suggested() -> None:
    source = Environment({"KINGDOM_ENVIROMENT": "prod"})
    assert source.text("KINGDOM_ENVIRONMENT") == ""
    assert problems(source) == ["KINGDOM_ENVIRONMENT is not set (is KINGDOM_ENVIROMENT misspelled?)"]


def test_each_invalid_value_is_a_problem_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff")
    source = Environment(
        {
            "LEVEL": "middle",
            "FLAG": "yes",
            "NETWORKS": "10.0.0.1/8",
            "FOLDER": str(tmp_path / "none"),
            "EMPTY": "",
        }
    )
    source.choice("LEVEL", Level, Level.LOW)
    source.flag("FLAG", False)
    source.networks("NETWORKS", ())
    source.folder("FOLDER")
    source.text("EMPTY")
    source.file(tmp_path, "absent")
    source.secret(tmp_path, "empty")
    source.secret(tmp_path, "binary")
    found = problems(source)
    starts = ["LEVEL is 'middle'", "FLAG is 'yes'", "NETWORKS: 10.0.0.1/8", "FOLDER is ", "EMPTY is empty"]
    starts += [
        f"{tmp_path}/absent is missing",
        f"{tmp_path}/empty is empty",
        f"{tmp_path}/binary cannot be read",
    ]
    assert [text.startswith(start) for text, start in zip(found, starts, strict=True)] == [True] * 8


@pytest.mark.parametrize(
    ("netloc", "expected"),
    [
        ("localhost:27017", True),
        ("user@127.0.0.1,[::1]:27018", True),
        ("127.0.0.1,db.example.com", False),
        ("localhost@db.example.com", False),
    ],
)
def test_every_host_of_a_url_must_be_a_loopback_address(netloc: str, expected: bool) -> None:
    assert is_loopback(netloc) is expected
