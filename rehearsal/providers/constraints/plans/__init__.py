"""Refusals of the providers' own code: of plans, and of the creation of a resource."""
