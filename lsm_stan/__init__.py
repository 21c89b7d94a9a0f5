"""Latent space models of weighted networks in Stan."""

from lsm_stan.criticism.comparison import compare
from lsm_stan.criticism.ppc import predictive_checks
from lsm_stan.criticism.verdict import judge, judge_model
from lsm_stan.errors import InferenceError, InputError, LsmStanError, ToolchainError
from lsm_stan.inference.fit import Fit
from lsm_stan.inference.latent_space_model import LatentSpaceModel
from lsm_stan.inference.methods import METHODS
from lsm_stan.model.simulation import simulate
from lsm_stan.network.datasets import load_celegans
from lsm_stan.network.network import Network
from lsm_stan.network.readers import read_network
from lsm_stan.report.report import make_report, write_report

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
    "compare",
    "judge",
    "judge_model",
    "load_celegans",
    "make_report",
    "predictive_checks",
    "read_network",
    "simulate",
    "write_report",
]
