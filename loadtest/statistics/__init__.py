"""Statistics of measured windows: rank tests and regressions."""
