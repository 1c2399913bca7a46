"""Forecast of a declared stack under load: replicas, response times, first limit and cost over time."""
