"""Checks of objects as the API server makes them (`pkg/apis/*/validation`), by the kind of object."""
