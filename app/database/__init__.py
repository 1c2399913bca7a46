"""What the service knows about its database: pools, commands, slow queries, indexes, transactions."""
