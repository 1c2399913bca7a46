"""Audits of a rehearsed state, one module per requirement."""
