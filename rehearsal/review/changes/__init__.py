"""Changes in a plan: effects, capacity, costs, load forecast, values and settings; and the plan's digest."""
