"""Walks a rehearsed state and tells what must not be in it: one module for each promise."""
