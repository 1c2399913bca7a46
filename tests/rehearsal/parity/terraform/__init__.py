"""Terraform providers as references: over their own protocol, and through the Terraform CLI."""
