"""Mutation tests of hardening settings: a disabled setting is detected by a policy, an audit or a test."""
