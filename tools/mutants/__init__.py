"""Mutation testing: change one condition at a time and run the tests that mirror the module."""
