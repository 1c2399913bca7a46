"""The load generator: schedule, accounts, operations, dispatch, and the record of every request."""
