"""Cache benchmarks: reads of a cached key, and a herd of readers of one missing key."""
