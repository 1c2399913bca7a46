"""Failure drills: a fault injected under load, and a history of operations that is checked afterwards."""
