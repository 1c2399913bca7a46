"""MongoDB access: metrics of pools and commands, slow-query log, indexes, query cache, transactions."""
