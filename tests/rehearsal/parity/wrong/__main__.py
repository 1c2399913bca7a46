"""A program whose resources all have invalid inputs; WRONG_PACKAGE limits it to one package."""

from __future__ import annotations

import os

import pulumi

from tests.rehearsal.providers.invalid_inputs import WRONG

for index, wrong in enumerate(WRONG):
    if wrong.token.startswith(os.environ.get("WRONG_PACKAGE", "")):
        pulumi.CustomResource(wrong.token, f"wrong-{index}", dict(wrong.inputs))
