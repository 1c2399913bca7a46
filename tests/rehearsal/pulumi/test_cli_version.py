"""Ranges of versions of the Pulumi CLI: what satisfies them, and what is not a range."""

from __future__ import annotations

import pytest

from rehearsal.pulumi.cli_version import MIRRORED, VersionRangeError, require, satisfies


@pytest.mark.parametrize(
    ("text", "satisfied"),
    [
        (">=3.0.0", True),
        (">= 3.0.0", True),
        ("3.2.1", True),
        ("==3.2.1", True),
        ("!=3.2.1", False),
        ("!3.2.0", True),
        ("<3.2.1", False),
        ("<=3.2.1", True),
        (">3.2.1-rc.1", True),
        (">3.2.1+build", False),
        (">=3.0.0 <3.2.0", False),
        (">=3.0.0  !3.2.0", True),
        ("<3.0.0 || >=3.2.0", True),
        ("<3.0.0 || >3.2.1", False),
        ("3.x", True),
        ("3.x.x", False),
        ("3.2.x", True),
        ("!3.2.x", False),
        (">3.x", False),
        (">=4.x", False),
        ("<=3.2.x", True),
        ("<3.2.x", False),
        (">2.9.x", True),
    ],
)
def test_version_satisfies_a_range(text: str, satisfied: bool) -> None:
    """The results are those of ``ParseRange`` for 3.2.1, where ``3.x.x`` means less than 3.1.0."""
    assert satisfies(text, "3.2.1") is satisfied


def test_pre_releases_precede_their_release_and_numbers_precede_texts() -> None:
    ordered = ["3.0.0-1", "3.0.0-2", "3.0.0-10", "3.0.0-a", "3.0.0-a.1", "3.0.0-b", "3.0.0", "3.0.1-0"]
    for index, version in enumerate(ordered):
        above = [satisfies(f">{other}", version) for other in ordered]
        assert above == [True] * index + [False] * (len(ordered) - index)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("abc", 'could not get a version from "abc"'),
        ("3", "a version is missing"),
        ("|| 3.0.0", "a version is missing"),
        ("3.0.0 ||", "a version is missing"),
        ("<4.0", '"4.0" is not a version with three numbers'),
        ("03.0.0", "is not a version with three numbers"),
        ("^3.0.0", '"^" in "^3.0.0" is not an operator'),
    ],
)
def test_text_that_is_not_a_range_is_an_error(text: str, reason: str) -> None:
    with pytest.raises(VersionRangeError) as raised:
        satisfies(text, "3.2.1")
    assert reason in str(raised.value)


def test_mirrored_version_of_the_cli_is_compared() -> None:
    require("")
    require(f"={MIRRORED}")
    with pytest.raises(
        VersionRangeError, match=rf'{MIRRORED}, which does not satisfy the version range ">=4\.0\.0"'
    ):
        require(">=4.0.0")
