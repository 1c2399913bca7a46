"""Processes of the benchmarks: this project's in its own environment, the peers in theirs."""

CALLERS = 50  # concurrent callers of a queue or limiter
SLOTS = 10  # concurrent jobs of a worker: SAQ's default
ACCOUNTS = 200  # accounts that call a limiter
KEYS = [f"key{number}" for number in range(1_000)]  # keys in a cache
VALUE = bytes(600)  # value of each key
LIMIT = 10_000  # requests per hour, for each of the three rules of a decision
