"""Monitoring on one machine: the recorder, alerts, recommendations and reports."""
