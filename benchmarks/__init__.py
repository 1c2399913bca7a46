"""Benchmarks, each compared with a named peer or a lower bound; `make bench` runs them all.

Modules without a leading underscore that define `BENCHMARKS` are discovered:

    BENCHMARKS = [Benchmark(name="cache-hit", peer="cashews", unit="µs", target="≤ 0.2", run=hit)]
"""
