"""Latent space models of weighted networks in Stan."""

from lsm_stan.datasets import load_celegans
from lsm_stan.errors import InferenceError, InputError, LsmStanError, ToolchainError
from lsm_stan.fit import Fit
from lsm_stan.inference import LatentSpaceModel
from lsm_stan.methods import METHODS
from lsm_stan.network import Network
from lsm_stan.readers import read_network
from lsm_stan.simulation import simulate

__version__ = "0.1.0"

__all__ = [
    "METHODS",
    "Fit",
    "InferenceError",
    "InputError",
    "LatentSpaceModel",
    "LsmStanError",
    "Network",
    "ToolchainError",
    "load_celegans",
    "read_network",
    "simulate",
]
