"""Processes of the benchmarks: this project's in its own environment, the peers in theirs."""

CALLERS = 50  # of a queue or limiter at a time, as requests of one process are
SLOTS = 10  # jobs that a worker runs at a time: SAQ's default
ACCOUNTS = 200  # that call a limiter
KEYS = [f"key{number}" for number in range(1_000)]  # in a cache
VALUE = bytes(600)  # under each
LIMIT = 10_000  # requests an hour, of each of the three rules of a decision
