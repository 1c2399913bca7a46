"""What can be bought, what was bought, and what came in."""
