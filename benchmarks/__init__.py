"""Benchmarks: `make bench` runs them all and prints one table. Ratios are measured side by side in one run."""
