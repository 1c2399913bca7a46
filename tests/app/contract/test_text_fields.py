"""Every text that a request can contain: control and direction characters are refused, or named below."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlencode

import jsonschema_rs
import msgspec
import pytest

from app.application import PUBLIC
from app.http import examples
from app.http.problems import Problem
from app.http.requests import Upload, read_query
from app.http.routing import Endpoint
from app.http.text import CODE, END, LINE, PROSE
from app.ids import new_id
from tests.app.contract.operations import DOCUMENT, OPERATIONS

CONTROLS: Final = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))]
DIRECTIONS: Final = [chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))]
SEPARATORS: Final = ["\u2028", "\u2029"]
HIDDEN: Final = [*CONTROLS, *DIRECTIONS, *SEPARATORS]
SURROGATES: Final = [r"\ud800", r"\udfff", r"\udc00\ud800"]

# Passwords are hashed: never stored, shown or logged.
PASSWORDS: Final = {
    "SignUp.password",
    "SignIn.password",
    "NewPassword.current",
    "NewPassword.new",
    "Reset.password",
    "Closing.password",
}
# Texts of several lines.
LINES: Final = {"NewContent.prompt"}
LINE_BREAKS: Final = frozenset("\t\n\r")
# Compared with a value of the service, and otherwise ignored: never stored, returned or logged. Header fields
# have no control characters.
COMPARED_HEADERS: Final = {"If-Match", "If-None-Match", "Range", "Last-Event-ID"}

OPTIONAL: Final[dict[str, dict[str, Any]]] = {"SignIn": {"device_token": "A" * 43}}
QUERIES: Final[dict[str, dict[str, str]]] = {
    "PageQuery": {"limit": "20", "cursor": f"1-{new_id()}"},
    "DaysQuery": {"last": "2026-01-31", "days": "3"},
    "SignedQuery": {"expires": "1800000000", "signature": "A" * 43},
}
PATHS: Final = {"name": "320.webp"}  # every other one is an identifier

ENDPOINTS: Final = [endpoint for part in PUBLIC for endpoint in part.endpoints]
WITH_BODY: Final = [each for each in ENDPOINTS if each.body is not None and each.body is not Upload]
WITH_QUERY: Final = [each for each in ENDPOINTS if each.query is not None]
WITH_PATH: Final = [each for each in ENDPOINTS if each.path_parameters]


def named(endpoint: Endpoint) -> str:
    return f"{endpoint.method} {endpoint.path}"


def texts(schema: dict[str, Any], value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of all members that are texts by their schema, and that the example `value` has too."""
    if "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    for each in schema.get("anyOf", ()):
        if each != {"type": "null"}:
            yield from texts(each, value, path)
    if schema.get("type") == "string" or "enum" in schema:
        assert isinstance(value, str), f"the example has no text at {path}"
        yield path
    for name, member in schema.get("properties", {}).items():
        # Of several items of a list, one has all members.
        if name in value:
            yield from texts(member, value[name], (*path, name))
    for number, item in enumerate(value if schema.get("type") == "array" else ()):
        yield from texts(schema["items"], item, (*path, number))


def described(schema: dict[str, Any]) -> set[str]:
    """Names of all members that are texts, at any depth."""
    if "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    inner = [*schema.get("anyOf", ()), *([schema["items"]] if "items" in schema else [])]
    found = {name for each in inner for name in described(each)}
    for name, member in schema.get("properties", {}).items():
        found |= {name} if is_text(member) else described(member)
    return found


def is_text(schema: dict[str, Any]) -> bool:
    if "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema.get("type") == "string" or "enum" in schema or any(map(is_text, schema.get("anyOf", ())))


def with_text(body: Any, path: tuple[Any, ...], added: str) -> bytes:
    """The JSON of a body with `added` (spelled as in JSON) at the end of the text at `path`."""
    changed = json.loads(json.dumps(body))
    inner = changed
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] += "<added>"
    return json.dumps(changed).replace("<added>", added).encode()


def spelled(character: str) -> str:
    return json.dumps(character)[1:-1]


def body_schema(endpoint: Endpoint) -> dict[str, Any]:
    return OPERATIONS[named(endpoint)]["requestBody"]["content"]["application/json"]["schema"]


def example(endpoint: Endpoint) -> dict[str, Any]:
    assert endpoint.body is not None
    name = endpoint.body.__name__
    return examples.BODIES[name] | OPTIONAL.get(name, {})


def accepts(endpoint: Endpoint, body: bytes) -> bool:
    assert endpoint._decoder is not None
    try:
        endpoint._decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True


@pytest.mark.parametrize("endpoint", WITH_BODY, ids=named)
def test_texts_of_bodies_refuse_control_and_direction_characters(endpoint: Endpoint) -> None:
    body, schema = example(endpoint), body_schema(endpoint)
    assert accepts(endpoint, json.dumps(body).encode()), "the example is valid"
    found = list(texts(schema, body))
    assert {path[-1] for path in found if isinstance(path[-1], str)} >= described(schema)
    for path in found:
        assert endpoint.body is not None
        name = f"{endpoint.body.__name__}.{path[-1]}"
        allowed = set(HIDDEN) if name in PASSWORDS else LINE_BREAKS if name in LINES else set[str]()
        accepted = {each for each in HIDDEN if accepts(endpoint, with_text(body, path, spelled(each)))}
        assert accepted == allowed, name
        for surrogate in SURROGATES:
            assert not accepts(endpoint, with_text(body, path, surrogate)), (name, surrogate)


@pytest.mark.parametrize("endpoint", WITH_QUERY, ids=named)
def test_query_parameters_refuse_control_and_direction_characters(endpoint: Endpoint) -> None:
    assert endpoint.query is not None
    values = QUERIES[endpoint.query.__name__]
    documented = {each["name"] for each in OPERATIONS[named(endpoint)]["parameters"] if each["in"] == "query"}
    assert documented == set(values)
    read_query(endpoint.query, urlencode(values).encode())
    for name, value in values.items():
        for hidden in (*HIDDEN, "\ud800"):
            query = urlencode(values | {name: value + hidden}, errors="surrogatepass").encode()
            with pytest.raises(Problem):
                read_query(endpoint.query, query)


@pytest.mark.parametrize("endpoint", WITH_PATH, ids=named)
def test_path_parameters_refuse_control_and_direction_characters(endpoint: Endpoint) -> None:
    for name, kind in endpoint.path_parameters.items():
        value = PATHS.get(name, new_id())
        assert msgspec.convert(value, kind) == value
        for hidden in (*HIDDEN, "\ufffd"):
            with pytest.raises(msgspec.ValidationError):
                msgspec.convert(value + hidden, kind)
    assert endpoint._path_checks is not None, "the patterns are those of the types"


def test_headers_have_a_pattern_or_are_compared() -> None:
    for name, operation in OPERATIONS.items():
        for parameter in operation["parameters"]:
            if parameter["in"] == "header" and parameter["name"] not in COMPARED_HEADERS:
                pattern = parameter["schema"]["pattern"]
                assert re.search(pattern, "A" * 36), name
                for hidden in HIDDEN:
                    # A line break at the end of a header field is not part of it.
                    assert hidden == "\n" or not re.search(pattern, "A" * 36 + hidden), (name, hidden)


def patterns(value: Any) -> Iterator[str]:
    """All patterns of a document."""
    if isinstance(value, dict):
        for key, each in value.items():
            if key == "pattern" and isinstance(each, str):
                yield each
            else:
                yield from patterns(each)
    elif isinstance(value, list):
        for each in value:
            yield from patterns(each)


@pytest.mark.parametrize("pattern", sorted(set(patterns(DOCUMENT))))
def test_patterns_mean_the_same_in_ecma_262_and_in_python(pattern: str) -> None:
    assert not re.search(r"\\U|\\A|\\Z|\(\?", pattern), "not in ECMA 262"
    validator = jsonschema_rs.Draft202012Validator({"type": "string", "pattern": pattern})
    # In Python, `$` also matches before a line break at the end.
    own = re.compile(pattern.removesuffix("$") + END if pattern.endswith("$") else pattern)
    samples = [
        new_id(),
        f"1-{new_id()}",
        "A" * 43,
        "ada@example.com",
        "320.webp",
        "Ada \U0001f642",
        "\u05d0 x",
    ]
    for sample in samples:
        for each in (sample, *(sample + hidden for hidden in (*HIDDEN, "\u200d", "\U0001f642"))):
            assert validator.is_valid(each) == bool(own.search(each)), ascii(each)


@pytest.mark.parametrize(
    ("pattern", "allowed", "refused"),
    [
        (
            LINE,
            ["", "/content/[id]", "Ada \U0001f642", "\u5c4f\u5e55"],
            ["a\n", "\u0000", "a\u202eb", "\u200fa"],
        ),
        (PROSE, ["", "a\nb\tc", "\u05d0\u200f"], ["\u0000", "a\u202eb", "a\u2028b"]),
        (CODE, ["", "a.b-c_d~!"], ["a b", "a\n", "\u00e9", "\u0000"]),
    ],
)
def test_pattern_of_a_text(pattern: str, allowed: list[str], refused: list[str]) -> None:
    assert all(re.search(pattern, each) for each in allowed)
    assert not any(re.search(pattern, each) for each in refused)
