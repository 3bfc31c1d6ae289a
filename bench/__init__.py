"""Benchmarks: ratios of programs that are measured in turn in one run. See README.md."""
