"""A policy pack without findings, because every project has a pack."""

from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy

PolicyPack(
    "little",
    [ResourceValidationPolicy("any", "Anything.", lambda args, report: None, EnforcementLevel.MANDATORY)],
)
