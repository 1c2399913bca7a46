"""Audits of a rehearsed state: one module for each property that must hold."""
