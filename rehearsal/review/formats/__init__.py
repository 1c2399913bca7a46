"""Output formats of a review: Markdown comment, JSON, JUnit, SARIF."""
