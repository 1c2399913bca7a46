"""A pack that forbids nothing: it is there because there always is one."""

from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy

PolicyPack(
    "little",
    [ResourceValidationPolicy("any", "Anything.", lambda args, report: None, EnforcementLevel.MANDATORY)],
)
