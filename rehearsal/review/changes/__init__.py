"""The contents of a plan: effects, capacity, costs, values, settings and their digest."""
