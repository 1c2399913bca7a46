"""Review a change: its plan for every stack, the findings, capacity and costs."""
