"""The messages of Terraform's plugin protocol, versions 5 and 6, that the comparison sends and receives.

Only the fields that are used are declared; protobuf skips the others. Numbers are those of
``tfplugin5.proto`` and ``tfplugin6.proto`` of terraform-plugin-go 0.31.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

# The method names that differ between the two versions of the protocol.
METHODS: Final[dict[int, dict[str, str]]] = {
    5: {
        "schema": "GetSchema",
        "validate": "ValidateResourceTypeConfig",
        "configure": "Configure",
        "plan": "PlanResourceChange",
        "apply": "ApplyResourceChange",
        "read": "ReadResource",
    },
    6: {
        "schema": "GetProviderSchema",
        "validate": "ValidateResourceConfig",
        "configure": "ConfigureProvider",
        "plan": "PlanResourceChange",
        "apply": "ApplyResourceChange",
        "read": "ReadResource",
    },
}

_MESSAGES: Final = """
DynamicValue: 1 msgpack bytes, 2 json bytes
Step: 1 attribute_name string, 2 element_key_string string, 3 element_key_int int64
AttributePath: 1 steps Step*
Diagnostic: 1 severity int32, 2 summary string, 3 detail string, 4 attribute AttributePath
Object: 1 attributes Attribute*, 3 nesting int32
Attribute: 1 name string, 2 type bytes, 10 nested_type Object, 4 required bool, 5 optional bool,
 6 computed bool, 7 sensitive bool, 9 deprecated bool
NestedBlock: 1 type_name string, 2 block Block, 3 nesting int32, 4 min_items int64, 5 max_items int64
Block: 2 attributes Attribute*, 3 block_types NestedBlock*
Schema: 1 version int64, 2 block Block
SchemaEntry: 1 key string, 2 value Schema
schemaRequest:
schemaResponse: 1 provider Schema, 2 resource_schemas SchemaEntry*, 4 diagnostics Diagnostic*
validateRequest: 1 type_name string, 2 config DynamicValue
validateResponse: 1 diagnostics Diagnostic*
configureRequest: 1 terraform_version string, 2 config DynamicValue
configureResponse: 1 diagnostics Diagnostic*
planRequest: 1 type_name string, 2 prior_state DynamicValue, 3 proposed_new_state DynamicValue,
 4 config DynamicValue, 5 prior_private bytes
planResponse: 1 planned_state DynamicValue, 2 requires_replace AttributePath*, 3 planned_private bytes,
 4 diagnostics Diagnostic*
applyRequest: 1 type_name string, 2 prior_state DynamicValue, 3 planned_state DynamicValue,
 4 config DynamicValue, 5 planned_private bytes
applyResponse: 1 new_state DynamicValue, 2 private bytes, 3 diagnostics Diagnostic*
readRequest: 1 type_name string, 2 current_state DynamicValue, 3 private bytes
readResponse: 1 new_state DynamicValue, 2 diagnostics Diagnostic*, 3 private bytes
"""
_FIELD: Final = descriptor_pb2.FieldDescriptorProto
_SCALARS: Final = {
    "bool": _FIELD.TYPE_BOOL,
    "bytes": _FIELD.TYPE_BYTES,
    "int32": _FIELD.TYPE_INT32,
    "int64": _FIELD.TYPE_INT64,
    "string": _FIELD.TYPE_STRING,
}
_PACKAGE: Final = "kingdom.tfplugin"


def _load() -> dict[str, Any]:
    """Build a class for each line of the table; a type with an asterisk is repeated."""
    file = descriptor_pb2.FileDescriptorProto(
        name="kingdom_tfplugin.proto", package=_PACKAGE, syntax="proto3"
    )
    for line in _MESSAGES.strip().replace("\n ", " ").splitlines():
        name, _, fields = line.partition(":")
        message = file.message_type.add(name=name)
        for text in filter(None, fields.strip().split(", ")):
            number, field, kind = text.split()
            added = message.field.add(name=field, number=int(number), label=3 if kind.endswith("*") else 1)
            kind = kind.rstrip("*")
            if kind in _SCALARS:
                added.type = _SCALARS[kind]
            else:
                added.type = _FIELD.TYPE_MESSAGE
                added.type_name = f".{_PACKAGE}.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        message.name: message_factory.GetMessageClass(
            pool.FindMessageTypeByName(f"{_PACKAGE}.{message.name}")
        )
        for message in file.message_type
    }


messages: Final = _load()
