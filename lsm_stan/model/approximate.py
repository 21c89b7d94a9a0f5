r"""The log likelihood of a network in time that grows little faster than its nodes.

Poisson models need the sum of the means of all dyads, which is one of f(d) with the nodes' effects
as charges (:mod:`lsm_stan.model.kernel_sums`). Negative binomial and Bernoulli models need that of
log(1 + u), with u the mean in units of the dispersion, or the odds. Where u is small it is a
polynomial in u, and each power of u is such a sum again, of a power of f: e^-d² and e^-d become
narrower, and stay what they are. Nodes with pairs whose u may be large are visited one by one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.polynomial import Chebyshev, Polynomial
from scipy.spatial.distance import cdist
from scipy.special import digamma, expit, gammaln

from lsm_stan.errors import InferenceError, InputError
from lsm_stan.model.family import ModelSpec
from lsm_stan.model.kernel_sums import check_sums, kernel_sums
from lsm_stan.model.likelihood import chunks, log_form, log_rising
from lsm_stan.model.parameters import Parameters
from lsm_stan.network.network import Network
from lsm_stan.typing import FloatArray, IntArray

#: Largest u at which log(1 + u) is a polynomial, and its largest degree.
LARGEST, DEGREES = 1.0, 10

#: Share of the nodes, and number in any case, that are visited one by one at most.
VISITED, SOME_VISITED = 0.02, 50

#: Part of the tolerance that each approximation may use up.
PART = 0.02

#: Pairs that are visited at once.
BLOCK = 200_000


@dataclass(frozen=True, eq=False)
class PairSums:
    """Sums of g(u) over ordered pairs of different nodes: u for Poisson models, else log(1 + u).

    Attributes
    ----------
    value : ndarray of shape (M,)
        Over what each node sends.
    sent, received : ndarray of shape (M,)
        Derivatives in the logarithm of all u that a node sends, or receives.
    slope : ndarray of shape (M, K)
        Derivatives in the positions, of all that a node sends and receives.
    """

    value: FloatArray
    sent: FloatArray
    received: FloatArray
    slope: FloatArray


def check_served(spec: ModelSpec, dim: int) -> None:
    """Refuse models without an approximate sum, and libraries that are missing.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    dim : int
        K, the number of dimensions.

    Raises
    ------
    InputError
        If it is one, or one is.
    """
    others = spec.extensions
    if spec.form == "inverse" and spec.likelihood != "poisson":
        others = ["form inverse but of Poisson", *others]
    if spec.likelihood == "dyadic":
        others = ["likelihood dyadic", *others]
    if others:
        raise InputError(
            f"sum is 'approximate', which there is not for {others[0]} (model {spec.label!r}); take"
            " sum = 'exact'"
        )
    check_sums(spec, dim)


def log_likelihood_and_gradient(
    spec: ModelSpec, parameters: Parameters, network: Network, *, tolerance: float, threads: int = 1
) -> tuple[float, dict[str, FloatArray]]:
    """Return the log likelihood of a network, and its gradient, with an approximate sum.

    Parameters
    ----------
    spec : ModelSpec
        A model that :func:`check_served` passes.
    parameters : dict of str to ndarray
        Parameters without leading axes.
    network : Network
        N nodes and their weighted edges.
    tolerance : float
        Relative error of the sum that is aimed at.
    threads : int, default 1
        How many threads the libraries may use.

    Returns
    -------
    log_likelihood : float
        In nats, with every constant but the diagonal's.
    gradient : dict of str to ndarray
        Derivatives in ``z``, ``intercept``, ``sender_effect``, ``receiver_effect`` and
        ``log_phi``, whether or not the model has them.

    Raises
    ------
    InferenceError
        If too many pairs have large rates for an approximate sum.
    """
    z, (n_nodes, dim) = parameters["z"], parameters["z"].shape
    sends, receives = charges(spec, parameters)
    size = float(parameters["phi"]) if spec.dispersed else 1.0
    share = 1.0 if network.directed else 0.5  # an undirected pair is one dyad
    sums = approximate_sums(spec, z, sends, receives, tolerance=tolerance, threads=threads)
    weight = -share * size
    value = weight * float(sums.value.sum())
    of_size = value
    sent, received, slope = weight * sums.sent, weight * sums.received, weight * sums.slope

    different = network.sender != network.receiver
    i = np.concatenate([network.sender[different], network.hidden_sender])
    j = np.concatenate([network.receiver[different], network.hidden_receiver])
    y = np.concatenate([network.weight[different], np.zeros(network.n_hidden)])
    seen = np.arange(len(y)) < np.count_nonzero(different)
    apart = z[i] - z[j]
    squared = np.einsum("ek,ek->e", apart, apart)
    log_u = np.log(sends[i]) + np.log(receives[j]) + log_form(spec, squared)
    of_dyad = np.where(seen, y * log_u - gammaln(y + 1), 0.0)
    by_log_u = y.copy()
    unseen = size * _g(spec, log_u[~seen]), size * _log_slope(spec, log_u[~seen])
    of_dyad[~seen], by_log_u[~seen] = unseen
    of_size += float(unseen[0].sum())
    if spec.likelihood == "nb":
        of_dyad += np.where(seen, log_rising(np.full(len(y), size), y) + y * math.log(size), 0.0)
        of_dyad -= y * np.logaddexp(0.0, log_u)
        by_log_u -= y * expit(log_u)
        of_size += size * float(np.sum(digamma(size + y) - digamma(size)))
    value += float(of_dyad.sum())
    sent += np.bincount(i, by_log_u, n_nodes)
    received += np.bincount(j, by_log_u, n_nodes)
    pull = -(by_log_u * _steepness(spec, squared))[:, None] * apart
    for axis in range(dim):
        slope[:, axis] += np.bincount(i, pull[:, axis], n_nodes)
        slope[:, axis] -= np.bincount(j, pull[:, axis], n_nodes)
    level = sent.sum()
    return value, {
        "z": slope,
        "intercept": np.asarray(level),
        "sender_effect": sent,
        "receiver_effect": received,
        "log_phi": np.asarray(of_size - level),
    }


def charges(spec: ModelSpec, parameters: Parameters) -> tuple[FloatArray, FloatArray]:
    """Return what nodes send and receive: u is their product and f.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    parameters : dict of str to ndarray
        Parameters without leading axes.

    Returns
    -------
    sends, receives : ndarray of shape (N,)
    """
    level = float(parameters["intercept"]) if spec.intercept else 0.0
    if spec.dispersed:
        level -= math.log(float(parameters["phi"]))
    none = np.zeros(len(parameters["z"]))
    first, second = (
        np.exp(level / 2 + (parameters[name] if spec.effects else none))
        for name in ("sender_effect", "receiver_effect")
    )
    return first, second


def approximate_sums(
    spec: ModelSpec,
    z: FloatArray,
    sends: FloatArray,
    receives: FloatArray,
    *,
    tolerance: float,
    threads: int = 1,
) -> PairSums:
    """Return the sums over all pairs, node by node, approximately.

    Parameters
    ----------
    spec : ModelSpec
        A model that :func:`check_served` passes.
    z : ndarray of shape (N, K)
        Positions.
    sends, receives : ndarray of shape (N,)
        As :func:`charges` returns them.
    tolerance : float
        Relative error that is aimed at.
    threads : int, default 1
        As in :func:`log_likelihood_and_gradient`.

    Returns
    -------
    PairSums
        Those of all nodes.

    Raises
    ------
    InferenceError
        As in :func:`log_likelihood_and_gradient`.
    """
    n_nodes, dim = z.shape
    hubs, largest = _hubs(spec, sends, receives)
    value, sent, received = np.zeros((3, n_nodes))
    slope = np.zeros((n_nodes, dim))
    others = np.ones(n_nodes)
    others[hubs] = 0.0
    same = np.array_equal(sends, receives)
    a, b = sends * others, receives * others
    for power, share in enumerate(_polynomial(spec, largest, tolerance), start=1):
        each, back = a**power, b**power
        sums = kernel_sums(spec, power, z, PART * tolerance, threads)
        potential, field = sums(back[None] if same else np.stack([back, each]))
        of_sent, of_received = each * potential[0], back * potential[-1]
        value += share * of_sent
        sent += power * share * of_sent
        received += power * share * of_received
        slope += share * (each[:, None] * field[0] + back[:, None] * field[-1])
    for part, out, into, steep in _visits(spec, z, sends, receives, hubs):
        into *= others  # those of hubs are among those that hubs send
        g_out, g_in = _g_of(spec, out), _g_of(spec, into)
        t_out, t_in = _slope_of(spec, out), _slope_of(spec, into)
        value[part] += g_out.sum(axis=1)
        value += g_in.sum(axis=0)
        sent[part] += t_out.sum(axis=1)
        sent += t_in.sum(axis=0)
        received[part] += t_in.sum(axis=1)
        received += t_out.sum(axis=0)
        pull = (t_out + t_in) * steep
        slope[part] += pull @ z - pull.sum(axis=1)[:, None] * z[part]
        slope += pull.T @ z[part] - pull.sum(axis=0)[:, None] * z
    return PairSums(value, sent, received, slope)


def exact_sums(
    spec: ModelSpec, z: FloatArray, sends: FloatArray, receives: FloatArray, nodes: IntArray
) -> PairSums:
    """Return the sums of some nodes, each by a visit to all others.

    Parameters
    ----------
    spec : ModelSpec
        As in :func:`approximate_sums`.
    z : ndarray of shape (N, K)
        Positions.
    sends, receives : ndarray of shape (N,)
        As in :func:`approximate_sums`.
    nodes : ndarray of int64 of shape (M,)
        Node indices, from 0.

    Returns
    -------
    PairSums
        Those of these nodes.
    """
    parts = []
    for part, out, into, steep in _visits(spec, z, sends, receives, nodes):
        t_out, t_in = _slope_of(spec, out), _slope_of(spec, into)
        pull = (t_out + t_in) * steep
        slope = pull @ z - pull.sum(axis=1)[:, None] * z[part]
        parts.append((_g_of(spec, out).sum(axis=1), t_out.sum(axis=1), t_in.sum(axis=1), slope))
    value, sent, received, slope = (np.concatenate(each) for each in zip(*parts, strict=True))
    return PairSums(value, sent, received, slope)


def _visits(
    spec: ModelSpec, z: FloatArray, sends: FloatArray, receives: FloatArray, nodes: IntArray
) -> Iterator[tuple[IntArray, FloatArray, FloatArray, FloatArray]]:
    """Yield some nodes, u that they send and receive, and how steeply log f falls."""
    for each in chunks(len(nodes), len(z), BLOCK):
        part = nodes[each]
        squared = cdist(z[part], z, "sqeuclidean")
        squared[np.arange(len(part)), part] = 1.0
        f = np.exp(log_form(spec, squared))
        f[np.arange(len(part)), part] = 0.0
        out, into = sends[part, None] * f * receives, receives[part, None] * f * sends
        yield part, out, into, _steepness(spec, squared)


def _hubs(spec: ModelSpec, sends: FloatArray, receives: FloatArray) -> tuple[IntArray, float]:
    """Return the nodes that are visited one by one, and the largest u between the others."""
    if spec.likelihood == "poisson":
        return np.zeros(0, dtype=np.int64), 0.0
    closest = math.exp(-spec.softening)
    # limits of both, in proportion to what is usual, with a largest u as their product
    usual = float(np.median(sends)) / float(np.median(receives))
    limit = math.sqrt(LARGEST / closest)
    above = (sends > limit * math.sqrt(usual)) | (receives > limit / math.sqrt(usual))
    hubs = np.flatnonzero(above)
    if len(hubs) > max(SOME_VISITED, VISITED * len(sends)):
        raise InferenceError(
            f"{len(hubs):,} of {len(sends):,} nodes have expected weights that are not small, which"
            " an approximate sum of this likelihood needs; take sum = 'exact', or a Poisson model"
        )
    rest = ~above
    largest = float(sends[rest].max(initial=0.0) * receives[rest].max(initial=0.0) * closest)
    return hubs, max(largest, 1e-12)


def _polynomial(spec: ModelSpec, largest: float, tolerance: float) -> tuple[float, ...]:
    """Return the coefficients of u, u², ... in g, up to a largest u."""
    if spec.likelihood == "poisson":
        return (1.0,)
    # of few sizes, so that it does not change with every step of a search
    return _of_log1p(2.0 ** math.ceil(math.log2(largest)), PART * tolerance)


@lru_cache(maxsize=64)
def _of_log1p(largest: float, precision: float) -> tuple[float, ...]:
    at = np.linspace(0.0, largest, 400)[1:]
    wanted = np.log1p(at) / at
    for degree in range(DEGREES):
        ratio = Chebyshev.interpolate(lambda u: np.log1p(u) / u, degree, (0.0, largest))
        if np.abs(ratio(at) / wanted - 1).max() < precision:
            break
    return tuple(ratio.convert(kind=Polynomial).coef)


def _steepness(spec: ModelSpec, squared: FloatArray) -> FloatArray:
    """Return h with the gradient of log f in one end -h times the difference from the other."""
    if spec.form == "squared":
        return np.full_like(squared, 2.0)
    if spec.form == "exponential":
        return np.asarray(1 / np.sqrt(squared + spec.softening**2))
    return np.asarray(1 / squared)


def _g(spec: ModelSpec, log_u: FloatArray) -> FloatArray:
    return np.asarray(np.exp(log_u) if spec.likelihood == "poisson" else np.logaddexp(0.0, log_u))


def _log_slope(spec: ModelSpec, log_u: FloatArray) -> FloatArray:
    return np.asarray(np.exp(log_u) if spec.likelihood == "poisson" else expit(log_u))


def _g_of(spec: ModelSpec, u: FloatArray) -> FloatArray:
    return u if spec.likelihood == "poisson" else np.asarray(np.log1p(u))


def _slope_of(spec: ModelSpec, u: FloatArray) -> FloatArray:
    return u if spec.likelihood == "poisson" else np.asarray(u / (1 + u))
