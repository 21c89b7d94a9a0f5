"""Latent space models of weighted networks in Stan."""

__version__ = "0.1.0"
