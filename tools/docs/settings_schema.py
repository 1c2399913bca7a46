"""`stacks/schema.json`: a stack file as JSON Schema, so that an editor completes and corrects it."""

import json
from typing import Any

from infra.settings import Settings
from policies.rules import RULES
from tests.repository._tree import ROOT

# Keys that the Pulumi CLI writes into a stack file.
OF_THE_CLI = ("secretsprovider", "encryptedkey", "encryptionsalt")
MACHINE = {
    "description": "Run the stack as processes on this machine.",
    "type": "object",
    "properties": {
        "edgePort": {"description": "port of the edge", "type": "integer", "minimum": 1, "maximum": 65535},
        "webApp": {"description": "folder of a built web app, served below /app/", "type": "string"},
    },
    "additionalProperties": False,
}


def settings_schema() -> str:
    """The schema as the text of its file."""
    program = Settings.model_json_schema(by_alias=True)
    config: dict[str, Any] = {}
    required: list[str] = []
    for name, section in program["properties"].items():
        if name.endswith(":"):  # a namespace besides `kingdom:`; each setting has a key
            model = program["$defs"][section["$ref"].rsplit("/", 1)[-1]]
            config |= {f"{name}{key}": value for key, value in model["properties"].items()}
            required += [f"{name}{key}" for key in model["required"]]
        else:
            config[f"kingdom:{name}"] = section
            required.append(f"kingdom:{name}")
    config["rehearsal:machine"] = MACHINE
    config["policies:config"] = {
        "description": "Policy pack configuration of this environment.",
        "type": "object",
        "propertyNames": {"enum": ["all", *sorted(rule.name for rule in RULES)]},
    }
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Settings of a stack",
        "description": "Written by `make docs` from the program's own types.",
        "type": "object",
        "required": ["config"],
        "additionalProperties": False,
        "properties": {
            **{key: {"type": "string"} for key in OF_THE_CLI},
            "config": {
                "type": "object",
                "required": required,
                "properties": config,
                # Other namespaces, such as `gcp:`, accept any key.
                "patternProperties": {"^(?!kingdom:|rehearsal:)[a-z][a-z0-9-]*:": True},
                "additionalProperties": False,
            },
        },
        "$defs": program["$defs"],
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


PLACE = ROOT / "stacks" / "schema.json"
