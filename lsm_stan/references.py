"""Reference predictors, without positions: what a model has to beat.

``constant``: one mean weight for all dyads. ``degrees``: sender × receiver, m a_i b_j, the
degree-corrected null. Each with Poisson weights, and with negative binomial ones (``-nb``), whose
size is fitted to the observed dyads at those means.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.stats import nbinom, poisson

from lsm_stan.dyads import CHUNK
from lsm_stan.errors import InputError
from lsm_stan.network import Network
from lsm_stan.pairs import dyad_blocks
from lsm_stan.scores import Prediction

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

#: Rounds of the degrees' coordinate ascent; it halves what is missing in each, or better.
ROUNDS = 60

#: Bounds of the log size of the negative binomial.
LOG_SIZE = (-10.0, 10.0)


def degree_factors(network: Network) -> tuple[float, FloatArray, FloatArray]:
    """Fit means m a_i b_j to the observed dyads.

    The factors have gamma(1, 1) priors, so that a node without edges does not rule them out;
    each is at its conditional posterior mean given the others.

    Parameters
    ----------
    network
        N nodes.

    Returns
    -------
    mean : float
        m, the mean weight of an observed dyad.
    sender, receiver : numpy.ndarray
        ``(N,)`` factors a and b.
    """
    n, loops = network.n_nodes, network.sender == network.receiver
    own = np.zeros(n)
    own[network.sender[loops]] = network.weight[loops]
    out, into = network.out_strength() - own, network.in_strength() - own
    one, other = network.hidden_sender, network.hidden_receiver
    if not network.directed:
        one, other = np.concatenate([one, other]), np.concatenate([other, one])
    observed = n * (n - 1) - len(one)
    if not observed:
        raise InputError(f"{network.title or 'network'}: every dyad is hidden; none is left")
    mean = float(out.sum() / observed)
    a = np.ones(n)
    b = np.ones(n)

    def update(
        total: FloatArray, ends: FloatArray, own: IntArray, across: NDArray[np.int64]
    ) -> FloatArray:
        exposure = ends.sum() - ends - np.bincount(own, ends[across], minlength=n)
        return np.asarray((1 + total) / (1 + mean * exposure))

    for _ in range(ROUNDS):
        a = update(out, b, one, other)
        b = update(into, a, other, one)
    return mean, a, b


def predict_references(
    network: Network, sender: IntArray, receiver: IntArray, weight: IntArray
) -> dict[str, Prediction]:
    """Predict dyads from the observed ones, by every reference.

    Parameters
    ----------
    network
        What was observed.
    sender, receiver, weight
        ``(D,)`` node indices, from 0, and the weights that were found there.

    Returns
    -------
    dict
        ``constant``, ``constant-nb``, ``degrees`` and ``degrees-nb``.
    """
    mean, a, b = degree_factors(network)
    ones = np.ones(network.n_nodes)
    found = {}
    for name, (first, second) in {"constant": (ones, ones), "degrees": (a, b)}.items():
        mu = mean * first[sender] * second[receiver]
        found[name] = Prediction(np.asarray(poisson.logpmf(weight, mu)), -np.expm1(-mu))
        size = _fitted_size(network, mean * first, second)
        found[f"{name}-nb"] = negative_binomial(mu, size, weight)
    return found


def negative_binomial(mu: FloatArray, size: float, weight: IntArray) -> Prediction:
    """Return the prediction of negative binomial weights of given means and size."""
    share = size / (size + mu)
    return Prediction(
        np.asarray(nbinom.logpmf(weight, size, share)), -np.expm1(size * np.log(share))
    )


def _fitted_size(network: Network, first: FloatArray, second: FloatArray) -> float:
    """Return the negative binomial's size of largest likelihood, at means first_i second_j."""
    edge_mu = first[network.sender] * second[network.receiver]
    loops = network.sender == network.receiver

    def loss(log_size: float) -> float:
        size = float(np.exp(log_size))
        # as if all dyads were empty, then the observed edges as they are
        total = 0.0
        for sender, receiver in dyad_blocks(network, CHUNK):
            total += size * float(np.log1p(first[sender] * second[receiver] / size).sum())
        hidden = first[network.hidden_sender] * second[network.hidden_receiver]
        total -= size * float(np.log1p(hidden / size).sum())
        mu, weight = edge_mu[~loops], network.weight[~loops]
        total -= float(np.sum(nbinom.logpmf(weight, size, size / (size + mu))))
        return total - size * float(np.log1p(mu / size).sum())

    return float(np.exp(minimize_scalar(loss, bounds=LOG_SIZE, method="bounded").x))
