"""Drills: fault injection on the real platform and on a minimal one."""
