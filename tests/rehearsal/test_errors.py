"""Errors that a user can cause."""

from __future__ import annotations

import pytest

from rehearsal.errors import WRONG_SETTINGS, InputError, KingdomError, StateError


def test_text_lists_details_and_ends_with_the_remedy() -> None:
    error = KingdomError("two problems", remedy="Fix both.", details=["one", "two"])
    assert str(error) == "two problems\n  - one\n  - two\n  Fix both."
    assert error.to_json() == {"error": "two problems", "details": ["one", "two"], "remedy": "Fix both."}
    assert str(KingdomError("one problem")) == "one problem"


@pytest.mark.parametrize(("kind", "code"), [(KingdomError, 1), (InputError, 2), (StateError, 2)])
def test_exit_code_follows_the_table_of_the_command_line(kind: type[KingdomError], code: int) -> None:
    assert kind("x").exit_code == code


def test_report_on_settings_names_its_file() -> None:
    match = WRONG_SETTINGS.search('stack "prod": 2 settings are wrong in stacks/Pulumi.prod.yaml, line 3')
    assert match is not None
    assert match["file"] == "stacks/Pulumi.prod.yaml"
