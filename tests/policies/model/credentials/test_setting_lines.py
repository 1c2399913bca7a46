"""Tests of the settings in the lines of a file."""

from __future__ import annotations

import re

from policies.model.credentials.setting_lines import MAX_FILE, secret_settings


def test_secrets_of_all_forms_of_a_setting_are_found_with_their_values() -> None:
    text = "\n".join(
        (
            "db_password = 'hunter2hunter2',",
            "  api_key: 9f8a7b6c5d4e3f2a1b0c",
            'export SMTP_PASSWORD="correct-horse";',
            "log_level = debug",
            "password_file = /run/secrets/db",
        )
    )
    assert [(name, value) for _, name, value in secret_settings(text)] == [
        ("db_password", "hunter2hunter2"),
        ("api_key", "9f8a7b6c5d4e3f2a1b0c"),
        ("SMTP_PASSWORD", "correct-horse"),
    ]


def test_another_form_of_a_setting_is_a_pattern() -> None:
    directive = re.compile(r"^(?P<name>requirepass) (?P<value>\S+)$", re.MULTILINE)
    ((found, name, value),) = secret_settings("port 6379\nrequirepass hunter2hunter2", directive)
    assert (found.start("name"), name, value) == (10, "requirepass", "hunter2hunter2")


def test_settings_beyond_the_characters_that_are_read_are_not_found() -> None:
    assert list(secret_settings("\n" * MAX_FILE + "db_password = hunter2hunter2")) == []
