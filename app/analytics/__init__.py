"""What people do with the app: events that it tells of, and what they add up to."""
