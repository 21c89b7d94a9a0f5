"""Benchmarks: this package and others on one model, one machine, in one run.

``python -m benchmarks FOLDER`` runs them all.
"""
