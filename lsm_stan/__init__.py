"""Latent space models of weighted networks in Stan."""

from lsm_stan.comparison import compare
from lsm_stan.datasets import load_celegans
from lsm_stan.errors import InferenceError, InputError, LsmStanError, ToolchainError
from lsm_stan.fit import Fit
from lsm_stan.inference import LatentSpaceModel
from lsm_stan.methods import METHODS
from lsm_stan.network import Network
from lsm_stan.ppc import predictive_checks
from lsm_stan.prior_check import check_priors
from lsm_stan.readers import read_network
from lsm_stan.report import make_report, write_report
from lsm_stan.simulation import simulate
from lsm_stan.verdict import judge, judge_model

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
    "check_priors",
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
