"""Log rates of pairs of nodes, and log probabilities of their weights, in NumPy.

What the Stan program adds up, dyad by dyad and draw by draw: for scores, checks and predictions.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.distance import cdist
from scipy.special import expit, gammaln

from lsm_stan.errors import InputError
from lsm_stan.model.family import ModelSpec
from lsm_stan.model.parameters import Parameters
from lsm_stan.network.network import Network
from lsm_stan.network.pairs import dyad_blocks
from lsm_stan.typing import FloatArray, IntArray

#: How many numbers a temporary array of coordinates may have: 32 MB.
CHUNK = 4_000_000

#: The same of what is gone through draw by draw: little enough for a processor's cache.
CACHED = 50_000


def log_mean(
    spec: ModelSpec, parameters: Parameters, sender: ArrayLike, receiver: ArrayLike
) -> FloatArray:
    """Return log μ of ordered pairs: their log rates, for ``bernoulli`` their log odds.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    parameters : dict of str to ndarray
        Parameters with any leading axes; see :mod:`lsm_stan.model.parameters`.
    sender, receiver : array_like of int of shape (D,)
        0-based node indices.

    Returns
    -------
    ndarray of shape (..., D)
        Log means, in nats. Memory beyond it is bounded.

    Examples
    --------
    >>> import numpy as np
    >>> from lsm_stan import find_model
    >>> from lsm_stan.model.likelihood import log_mean
    >>> z = np.array([[0.0, 0.0], [3.0, 4.0]])
    >>> rate = np.exp(log_mean(find_model("tutorial"), {"z": z}, [0], [1]))
    >>> print(rate.round(3))  # one over the distance
    [0.2]
    """
    sender, receiver = np.asarray(sender), np.asarray(receiver)
    z = parameters["z"]
    role = parameters["role"] if spec.roles else np.zeros(())
    sends, receives = z + role, z - role
    result = np.empty((*z.shape[:-2], len(sender)))
    for part in chunks(len(sender), max(1, z.size // z.shape[-2])):
        s, r = sender[part], receiver[part]
        if spec.form == "inner":
            value = np.einsum("...k,...k->...", sends[..., s, :], receives[..., r, :])
        else:
            difference = sends[..., s, :] - receives[..., r, :]
            value = log_form(spec, np.einsum("...k,...k->...", difference, difference))
        _add_terms(spec, parameters, s, r, value)
        result[..., part] = value
    return result


def log_mean_block(
    spec: ModelSpec, draw: Parameters, sender: IntArray, receiver: IntArray
) -> FloatArray:
    """Return a block of the matrix of log μ, of one draw.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    draw : dict of str to ndarray
        Parameters without leading axes.
    sender : ndarray of int64 of shape (R,)
        0-based node indices of the rows.
    receiver : ndarray of int64 of shape (C,)
        0-based node indices of the columns.

    Returns
    -------
    ndarray of shape (R, C)
        Log means, in nats; -inf for a node with itself.
    """
    z = draw["z"]
    role = draw["role"] if spec.roles else np.zeros(())
    sends, receives = (z + role)[sender], (z - role)[receiver]
    if spec.form == "inner":
        value = sends @ receives.T
    else:
        value = log_form(spec, cdist(sends, receives, "sqeuclidean"))
    _add_terms(spec, draw, sender[:, None], receiver, value)
    value[sender[:, None] == receiver] = -np.inf
    return np.asarray(value)


def _add_terms(
    spec: ModelSpec, parameters: Parameters, sender: IntArray, receiver: IntArray, value: FloatArray
) -> None:
    """Add what log μ has besides the positions to ``(..., D)`` values, in place.

    Or to an ``(R, C)`` block of one draw's, of senders ``(R, 1)`` and receivers ``(C,)``.
    """
    if spec.intercept:
        value += parameters["intercept"][..., None]
    if spec.effects:
        value += parameters["sender_effect"][..., sender]
        value += parameters["receiver_effect"][..., receiver]
    if spec.covariates is not None:
        ends = np.broadcast_arrays(sender, receiver)
        values = spec.covariates.values(*(end.reshape(-1) for end in ends))
        coefficients = spec.covariates.coefficients(parameters.get("beta"))
        added = coefficients @ values.T
        value += added.reshape(*coefficients.shape[:-1], *ends[0].shape)


def mean_weight(spec: ModelSpec, log_mu: FloatArray) -> FloatArray:
    """Return expected weights from log μ: for ``bernoulli`` the probabilities of an edge.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    log_mu : ndarray of shape (...)
        What :func:`log_mean` returns.

    Returns
    -------
    ndarray of shape (...)
    """
    return np.asarray(expit(log_mu) if spec.likelihood == "bernoulli" else np.exp(log_mu))


def expected_strengths(
    spec: ModelSpec, parameters: Parameters, nodes: IntArray, sets: IntArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """Return the expected out- and in-strengths of nodes.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    parameters : dict of str to ndarray
        Parameters with any leading axes.
    nodes : ndarray of int64 of shape (M,)
        0-based node indices.
    sets : ndarray of int64 of shape (N,), or None, default None
        The set of each node, where there are no dyads within a set.

    Returns
    -------
    sent, received : ndarray of shape (..., M)
        Sums of expected weights; O(M N) time a draw, memory bounded.
    """
    *batch, n_nodes, _ = parameters["z"].shape
    every = np.arange(n_nodes)

    def rates(draw: Parameters, sender: IntArray, receiver: IntArray) -> FloatArray:
        block = mean_weight(spec, log_mean_block(spec, draw, sender, receiver))
        return block if sets is None else block * (sets[sender][:, None] != sets[receiver])

    sent = np.zeros((*batch, len(nodes)))
    received = sent if spec.symmetric else np.zeros_like(sent)
    for index in np.ndindex(*batch):
        draw = {name: values[index] for name, values in parameters.items()}
        for part in chunks(len(nodes), n_nodes, CACHED):
            sent[(*index, part)] = rates(draw, nodes[part], every).sum(axis=1)
            if not spec.symmetric:
                received[(*index, part)] = rates(draw, every, nodes[part]).sum(axis=0)
    return sent, received


def log_form(spec: ModelSpec, squared: FloatArray) -> FloatArray:
    """Return log f of squared distances.

    Parameters
    ----------
    spec : ModelSpec
        A model of another form than the inner product.
    squared : ndarray of shape (...)
        Squares of distances.

    Returns
    -------
    ndarray of shape (...)
        In nats; infinite at distance 0 of the inverse form.
    """
    softened = squared + spec.softening**2
    if spec.form == "inverse":
        with np.errstate(divide="ignore"):
            return np.asarray(-0.5 * np.log(softened))
    return np.asarray(-np.sqrt(softened) if spec.form == "exponential" else -softened)


def pair_log_likelihood(
    spec: ModelSpec, parameters: Parameters, network: Network, pairs: IntArray
) -> FloatArray:
    """Return the log likelihood of unordered pairs, both cells of a directed pair together.

    Over all pairs they sum to the log likelihood of the network, the diagonal left out: in
    ``dyadic`` a pair's second direction is conditional on its first.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    parameters : dict of str to ndarray
        Parameters with any leading axes.
    network : Network
        N nodes.
    pairs : ndarray of int64 of shape (P, 2)
        0-based indices of different nodes.

    Returns
    -------
    ndarray of shape (..., P)
        Log probabilities, in nats; a hidden dyad adds nothing.
    """
    i, j = pairs.T
    there, back = network.weight_of(i, j), network.weight_of(j, i)
    of_there = log_likelihood(spec, parameters, i, j, np.maximum(there, 0))
    total = np.where(there >= 0, of_there, 0.0)
    if network.directed:
        of_back = log_likelihood(spec, parameters, j, i, np.maximum(back, 0), there)
        total += np.where(back >= 0, of_back, 0.0)
    return total


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
    spec : ModelSpec
        The model.
    parameters : dict of str to ndarray
        Parameters with any leading axes.
    sender, receiver : array_like of int of shape (D,)
        0-based indices of different nodes.
    weight : array_like of int of shape (D,)
        Weights whose probability is asked for.
    reverse : array_like of int of shape (D,), optional
        Weights of the reverse dyads, -1 where not known, on which the probability is
        conditional; by default no weight is known. Only ``dyadic`` looks at it: elsewhere the
        two directions are independent, given the parameters.

    Returns
    -------
    ndarray of shape (..., D)
        Log probabilities, in nats.

    Raises
    ------
    InputError
        If a pair is a node with itself: the diagonal says nothing about the parameters.
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
    # with u = mu / size: (size)_y / y! u^y / (1 + u)^(y + size)
    log_u = log_mu - np.log(size)
    return np.asarray(
        log_rising(size, weight)
        - gammaln(weight + 1)
        + weight * log_mu
        - (weight + size) * np.logaddexp(0.0, log_u)
    )


def log_rising(size: FloatArray, count: ArrayLike) -> FloatArray:
    """Return the log of the rising factorial of size, less count log(size).

    Where size is large, the difference of two log gamma functions loses its digits. There it is
    that of two of Stirling's series, with what they have in common taken off; where size is much
    larger than count, the series of the sum over k < count of log(1 + k / size).

    Parameters
    ----------
    size : ndarray of shape (...)
        Sizes, above 0.
    count : array_like of shape (...)
        Counts; the shapes broadcast.

    Returns
    -------
    ndarray of shape (...)
        In nats.
    """
    count = np.asarray(count)
    first = 0.5 * count * (count - 1.0)
    second = first * (2 * count - 1) / 3
    series = (first - (0.5 * second - first**2 / (3 * size)) / size) / size
    stirling = (
        (size + count - 0.5) * np.log1p(count / size)
        - count
        + (1 / (size + count) - 1 / size) / 12
        - ((size + count) ** -3.0 - size**-3.0) / 360
    )
    with np.errstate(invalid="ignore"):
        exact = gammaln(size + count) - gammaln(size) - count * np.log(size)
    branches = [size > 1e4 * count, size > 1e3]
    return np.asarray(np.select(branches, [series, stirling], exact))


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
    spec : ModelSpec
        A model with a frailty.
    parameters : dict of str to ndarray
        As in :func:`log_likelihood`.
    sender, receiver : array_like of int of shape (D,)
        As in :func:`log_likelihood`.
    reverse : array_like of int of shape (D,) or None
        As in :func:`log_likelihood`.
    log_mu : ndarray of shape (..., D)
        What :func:`log_mean` returns.

    Returns
    -------
    size, log_mean : ndarray of shape (..., D)
        Size, without unit, and log mean, in nats; they broadcast against `log_mu`.
    """
    phi = parameters["phi"][..., None]
    if spec.likelihood != "dyadic" or reverse is None:
        return np.broadcast_to(phi, log_mu.shape), log_mu
    known = np.asarray(reverse) >= 0
    seen = np.where(known, reverse, 0)
    back = np.where(known, np.exp(log_mean(spec, parameters, receiver, sender)), 0.0)
    size = phi + seen
    return size, log_mu + np.log(size) - np.log(phi + back)


def conditional_log_likelihood(
    spec: ModelSpec, parameters: Parameters, network: Network
) -> Iterator[tuple[IntArray, IntArray, FloatArray]]:
    """Yield the log probability of every observed dyad, given all others; some at a time.

    That is, given the weight of the reverse dyad, where it was observed. In ``dyadic`` these do
    not sum to the log likelihood; see :func:`pair_log_likelihood`.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    parameters : dict of str to ndarray
        Parameters with any leading axes.
    network : Network
        N nodes.

    Yields
    ------
    sender, receiver : ndarray of int64 of shape (D,)
        0-based node indices, in the order of edges.
    log_likelihood : ndarray of shape (..., D)
        Log probabilities, in nats.
    """
    numbers_a_dyad = max(1, parameters["z"].size // network.n_nodes)
    for sender, receiver in dyad_blocks(network, max(1, CHUNK // numbers_a_dyad)):
        weight = network.weight_of(sender, receiver)
        observed = weight >= 0
        if not observed.any():
            continue
        sender, receiver, weight = sender[observed], receiver[observed], weight[observed]
        reverse = network.weight_of(receiver, sender)
        yield sender, receiver, log_likelihood(spec, parameters, sender, receiver, weight, reverse)


def chunks(total: int, numbers_each: int, most: int | None = None) -> Iterator[slice]:
    """Yield slices of items that together hold a bounded number of numbers.

    Parameters
    ----------
    total : int
        How many items there are.
    numbers_each : int
        How many numbers an item holds.
    most : int, optional
        How many numbers a slice holds at most, but for a single item; :data:`CHUNK` by default.

    Yields
    ------
    slice
    """
    size = max(1, (most or CHUNK) // numbers_each)
    for start in range(0, total, size):
        yield slice(start, min(start + size, total))
