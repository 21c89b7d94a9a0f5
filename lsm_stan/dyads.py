"""Log rates of pairs of nodes, and log probabilities of their weights, in NumPy.

What the Stan program adds up, dyad by dyad and draw by draw: for scores, checks and predictions.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

from lsm_stan.errors import InputError
from lsm_stan.models import ModelSpec
from lsm_stan.network import Network
from lsm_stan.parameters import Parameters

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

#: How many numbers a temporary array of coordinates may have: 32 MB.
CHUNK = 4_000_000


def log_mean(
    spec: ModelSpec, parameters: Parameters, sender: ArrayLike, receiver: ArrayLike
) -> FloatArray:
    """Return log μ of ordered pairs: their log rates, for ``bernoulli`` their log odds.

    Parameters
    ----------
    spec
        The model.
    parameters
        With any leading axes; see :mod:`lsm_stan.parameters`.
    sender, receiver
        ``(D,)`` node indices, from 0.

    Returns
    -------
    numpy.ndarray
        ``(..., D)``. Memory beyond it is bounded.
    """
    sender, receiver = np.asarray(sender), np.asarray(receiver)
    z = parameters["z"]
    role = parameters["role"] if spec.roles else np.zeros(())
    sends, receives = z + role, z - role
    result = np.empty((*z.shape[:-2], len(sender)))
    for part in _chunks(len(sender), max(1, z.size // z.shape[-2])):
        s, r = sender[part], receiver[part]
        if spec.form == "inner":
            value = np.einsum("...k,...k->...", sends[..., s, :], receives[..., r, :])
        else:
            difference = sends[..., s, :] - receives[..., r, :]
            squared = np.einsum("...k,...k->...", difference, difference) + spec.softening**2
            if spec.form == "inverse":
                with np.errstate(divide="ignore"):
                    value = -0.5 * np.log(squared)
            else:
                value = -np.sqrt(squared) if spec.form == "exponential" else -squared
        if spec.intercept:
            value = value + parameters["intercept"][..., None]
        if spec.effects:
            value = value + parameters["sender_effect"][..., s]
            value = value + parameters["receiver_effect"][..., r]
        result[..., part] = value
    return result


def log_likelihood(
    spec: ModelSpec,
    parameters: Parameters,
    sender: ArrayLike,
    receiver: ArrayLike,
    weight: ArrayLike,
    reverse: ArrayLike | None = None,
) -> FloatArray:
    """Return the log probability of the weights of dyads.

    Parameters
    ----------
    spec
        The model.
    parameters
        With any leading axes.
    sender, receiver
        ``(D,)`` node indices, from 0, of pairs of different nodes.
    weight
        ``(D,)`` weights whose probability is asked for.
    reverse
        ``(D,)`` weights of the reverse dyads, -1 where not known, in which the probability is
        conditional; by default no weight is known. Only ``dyadic`` looks at it: elsewhere the
        two directions are independent, given the parameters.

    Returns
    -------
    numpy.ndarray
        ``(..., D)``.

    Raises
    ------
    InputError
        If a pair is a node with itself: the diagonal says nothing of the parameters.
    """
    sender, receiver, weight = np.asarray(sender), np.asarray(receiver), np.asarray(weight)
    if np.any(sender == receiver):
        raise InputError("the likelihood is of pairs of different nodes; there is a self-loop")
    log_mu = log_mean(spec, parameters, sender, receiver)
    if spec.likelihood == "bernoulli":
        return np.asarray(weight * log_mu - np.logaddexp(0.0, log_mu))
    if spec.likelihood == "poisson":
        return np.asarray(weight * log_mu - np.exp(log_mu) - gammaln(weight + 1))
    size, log_mu = frailty(spec, parameters, sender, receiver, reverse, log_mu)
    # with u = mu / size: u^y / (1 + u)^(y + size)
    log_u = log_mu - np.log(size)
    return np.asarray(
        gammaln(weight + size)
        - gammaln(size)
        - gammaln(weight + 1)
        + weight * log_u
        - (weight + size) * np.logaddexp(0.0, log_u)
    )


def frailty(
    spec: ModelSpec,
    parameters: Parameters,
    sender: ArrayLike,
    receiver: ArrayLike,
    reverse: ArrayLike | None,
    log_mu: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Return size and log mean of the negative binomial of dyads, given the reverse weights.

    Given the weight y' of the reverse dyad, of mean μ', a frailty of size φ that both share is
    gamma(φ + y', φ + μ'): the weight is negative binomial of size φ + y' and mean
    μ (φ + y') / (φ + μ').

    Parameters
    ----------
    spec
        A model with a frailty.
    parameters, sender, receiver, reverse
        As in :func:`log_likelihood`.
    log_mu
        ``(..., D)`` from :func:`log_mean`.
    """
    phi = parameters["phi"][..., None]
    if spec.likelihood != "dyadic" or reverse is None:
        return np.broadcast_to(phi, log_mu.shape), log_mu
    known = np.asarray(reverse) >= 0
    seen = np.where(known, reverse, 0)
    back = np.where(known, np.exp(log_mean(spec, parameters, receiver, sender)), 0.0)
    size = phi + seen
    return size, log_mu + np.log(size) - np.log(phi + back)


def network_log_likelihood(
    spec: ModelSpec, parameters: Parameters, network: Network
) -> Iterator[tuple[IntArray, IntArray, FloatArray]]:
    """Yield the log likelihood of every observed dyad of a network, some rows at a time.

    Their sum is the log likelihood, the diagonal left out: in ``dyadic`` a pair's second
    direction is conditional on its first.

    Yields
    ------
    sender, receiver : numpy.ndarray
        ``(D,)`` node indices.
    log_likelihood : numpy.ndarray
        ``(..., D)``.
    """
    n = network.n_nodes
    for rows in _chunks(n, n * max(1, parameters["z"].size // n)):
        sender, receiver = np.divmod(np.arange(rows.start * n, rows.stop * n), n)
        kept = sender != receiver if network.directed else sender < receiver
        sender, receiver = sender[kept], receiver[kept]
        weight = network.weight_of(sender, receiver)
        observed = weight >= 0
        sender, receiver, weight = sender[observed], receiver[observed], weight[observed]
        reverse = np.where(sender > receiver, network.weight_of(receiver, sender), -1)
        yield sender, receiver, log_likelihood(spec, parameters, sender, receiver, weight, reverse)


def _chunks(total: int, numbers_each: int) -> Iterator[slice]:
    size = max(1, CHUNK // numbers_each)
    for start in range(0, total, size):
        yield slice(start, min(start + size, total))
