"""Trends, findings and reports over the platform's signals, and the `monitor` role that computes them."""
