"""Dyads not seen: holding them out, predicting and scoring them, and choosing a model so."""
