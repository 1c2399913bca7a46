"""Statistics of measured windows: rank tests, regressions, change points."""
