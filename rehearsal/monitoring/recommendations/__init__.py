"""Recommendations: changes of a stack file, derived from recorded signals."""
