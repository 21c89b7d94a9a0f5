"""Expectations of functions of one normal number: by a rule of Gauss and Hermite."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from scipy.special import psi

from lsm_stan.model.likelihood import log_rising
from lsm_stan.model.normal_pairs import Gradient
from lsm_stan.model.parameters import Parameters
from lsm_stan.typing import FloatArray

#: Nodes of the rule.
HERMITE = 40


def rising(weight: FloatArray, mean: Parameters, variance: Parameters, total: Gradient) -> float:
    """Return the expected log rising factorials of phi, less ``y log(phi)``.

    Parameters
    ----------
    weight : ndarray of shape (T,)
        The weights that share a frailty, added up, y.
    mean, variance : dict of str to ndarray
        As in :meth:`lsm_stan.model.expected_likelihood.ExpectedLikelihood.at`.
    total : Gradient
        What the derivatives are added to.

    Returns
    -------
    float
        Summed over the weights; by the Gauss-Hermite rule.
    """
    counts, times = np.unique(weight, return_counts=True)
    sd = math.sqrt(variance["log_phi"].item())
    nodes, shares = normal_rule()
    phi = np.exp(mean["log_phi"].item() + sd * nodes)
    slope = phi * (psi(phi + counts[:, None]) - psi(phi)) - counts[:, None]
    total.mean["log_phi"] += times @ slope @ shares
    total.variance["log_phi"] += times @ slope @ (shares * nodes) / (2 * sd)
    return float(times @ log_rising(phi, counts[:, None]) @ shares)


@cache
def normal_rule() -> tuple[FloatArray, FloatArray]:
    """Return the nodes and shares of the Gauss-Hermite rule of a standard normal variable.

    Returns
    -------
    nodes, shares : ndarray of shape (M,)
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(HERMITE)
    return nodes, weights / weights.sum()
