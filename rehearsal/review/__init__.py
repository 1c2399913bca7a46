"""What a change would do to every stack, for whoever reviews it: plan, findings, capacity and costs."""
