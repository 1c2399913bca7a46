"""Benchmarks, each beside a named peer or floor; `make bench` runs them all.

A module here without a leading underscore that exposes `BENCHMARKS` is found by itself:

    BENCHMARKS = [Benchmark(name="cache-hit", peer="cashews", unit="µs", target="≤ 0.2", run=hit)]
"""
