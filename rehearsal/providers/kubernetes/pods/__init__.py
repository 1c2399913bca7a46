"""Checks of a pod's specification as the API server makes them."""
