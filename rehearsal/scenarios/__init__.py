"""Load scenarios: users over time, the operations they send, and the journeys these come from."""
