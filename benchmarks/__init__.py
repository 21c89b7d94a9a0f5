"""Benchmarks: this package and others on one model, one machine, in one run.

``python -m benchmarks`` from the top of the repository runs them all; see `benchmarks.__main__`.
"""
