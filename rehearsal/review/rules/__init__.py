"""Rules that a change weakens, and whether a code owner approved it."""
