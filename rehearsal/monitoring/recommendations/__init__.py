"""Recommendations: changes of a stack file that follow from what was recorded."""
