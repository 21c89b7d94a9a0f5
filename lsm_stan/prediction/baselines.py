"""Baseline predictors, without positions: what a model has to beat.

``constant`` expects the same of all dyads, ``degrees`` a product of a factor of the sender and one
of the receiver. Weights are Poisson, with means m a_i b_j, or negative binomial (``-nb``), of a
size fitted to the observed dyads at those means. In a network whose weights are all 0 or 1 they
are Bernoulli, with odds m a_i b_j: the others would leave probability to weights that none has.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit
from scipy.stats import bernoulli, nbinom, poisson

from lsm_stan.model.family import ModelSpec
from lsm_stan.model.likelihood import chunks
from lsm_stan.network.network import Network
from lsm_stan.prediction.scores import Prediction
from lsm_stan.prediction.smooth_sums import stand_in
from lsm_stan.typing import FloatArray, IntArray

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
    network : Network
        N nodes.

    Returns
    -------
    mean : float
        m, the mean weight of an observed dyad.
    sender, receiver : ndarray of shape (N,)
        Factors a and b.

    Examples
    --------
    >>> network = Network.from_edges(["a", "a"], ["b", "c"], [3, 3])
    >>> mean, sender, receiver = degree_factors(network)
    >>> mean, int(sender.argmax()), int(receiver.argmin())
    (1.0, 0, 0)
    """
    n, loops = network.n_nodes, network.sender == network.receiver
    loop_weight = np.zeros(n)
    loop_weight[network.sender[loops]] = network.weight[loops]
    out, into = network.out_strength() - loop_weight, network.in_strength() - loop_weight
    first, second = network.hidden_sender, network.hidden_receiver
    if not network.directed:
        first, second = np.concatenate([first, second]), np.concatenate([second, first])
    observed = n * (n - 1) - len(first)
    mean = float(out.sum() / observed)
    a = np.ones(n)
    b = np.ones(n)

    def update(total: FloatArray, ends: FloatArray, near: IntArray, far: IntArray) -> FloatArray:
        exposure = ends.sum() - ends - np.bincount(near, ends[far], minlength=n)
        return np.asarray((1 + total) / (1 + mean * exposure))

    for _ in range(ROUNDS):
        a = update(out, b, first, second)
        b = update(into, a, second, first)
    return mean, a, b


def degree_odds(network: Network) -> tuple[float, FloatArray, FloatArray]:
    """Fit log odds m + s_i + r_j of an edge to the observed dyads.

    The result is the mode under the priors that the family's intercept and effects have at theirs:
    what a logistic model with effects says without positions (Holland & Leinhardt's p1 without
    reciprocity, JASA 76, 1981). In an undirected network s and r are the same.

    Parameters
    ----------
    network : Network
        N nodes; an edge is a weight above 0.

    Returns
    -------
    intercept : float
        m.
    sender, receiver : ndarray of shape (N,)
        Effects s and r.
    """
    n, between = network.n_nodes, network.sender != network.receiver
    share = 1.0 if network.directed else 0.5  # of an ordered dyad: pairs are walked both ways
    precision = np.full(1 + n * (2 if network.directed else 1), ModelSpec.sigma_fixed**-2.0)
    precision[0] = ModelSpec.intercept_scale**-2.0
    of_sender, of_receiver = slice(1, 1 + n), slice(-n, None)  # one and the same if undirected

    def totals(i: IntArray, j: IntArray, value: FloatArray) -> FloatArray:
        """Return the sums of dyads' values by the parameters that they depend on."""
        total = np.zeros(len(precision))
        total[0] = value.sum()
        total[of_sender] += np.bincount(i, value, minlength=n)
        total[of_receiver] += np.bincount(j, value, minlength=n)
        return total

    edges = network.sender[between], network.receiver[between]
    hidden = network.hidden_sender, network.hidden_receiver
    degrees = totals(*edges, np.ones(len(edges[0])))
    scale = (precision + degrees) ** -0.5  # about what the data say of each, for few steps

    def loss(scaled: FloatArray) -> tuple[float, FloatArray]:
        theta = scale * scaled
        m, s, r = theta[0], theta[of_sender], theta[of_receiver]
        value = 0.5 * theta @ (precision * theta) - degrees @ theta
        gradient = precision * theta - degrees
        # of all pairs, and less those of a node with itself
        itself = m + s + r
        senders, receivers = stand_in(s), stand_in(r)
        terms = np.logaddexp(0.0, m + senders.points[:, None] + receivers.points)
        value += share * (senders.weights @ terms @ receivers.weights)
        value -= share * np.logaddexp(0.0, itself).sum()
        for of_nodes, ends, others in ((of_sender, s, receivers), (of_receiver, r, senders)):
            for part in chunks(n, len(others.points)):
                p = expit(m + ends[part, None] + others.points) @ others.weights
                gradient[of_nodes][part] += share * (p - expit(itself[part]))
                gradient[0] += 0.5 * share * (p - expit(itself[part])).sum()
        log_odds = m + s[hidden[0]] + r[hidden[1]]
        value -= np.logaddexp(0.0, log_odds).sum()
        gradient -= totals(*hidden, expit(log_odds))
        return float(value), scale * gradient

    start = np.zeros(len(precision))
    theta = scale * minimize(loss, start, jac=True, method="L-BFGS-B").x
    return float(theta[0]), theta[of_sender], theta[of_receiver]


def predict_baselines(
    network: Network, sender: IntArray, receiver: IntArray, weight: IntArray
) -> dict[str, Prediction]:
    """Predict dyads from the observed ones, by every baseline.

    Parameters
    ----------
    network : Network
        What was observed.
    sender, receiver : ndarray of int64 of shape (D,)
        Node indices, from 0, of the dyads.
    weight : ndarray of int64 of shape (D,)
        Weights that the dyads have.

    Returns
    -------
    dict of str to Prediction
        ``constant`` and ``degrees``; unless no weight, observed or predicted, is above 1, also
        ``constant-nb`` and ``degrees-nb``.
    """
    mean, a, b = degree_factors(network)
    between = network.sender != network.receiver
    if max(network.weight[between].max(initial=0), weight.max(initial=0)) <= 1:
        intercept, s, r = degree_odds(network)
        log_odds = intercept + s[sender] + r[receiver]
        shares = {"constant": np.full(len(weight), mean), "degrees": expit(log_odds)}
        return {
            name: Prediction(*np.asarray(bernoulli.logpmf([weight, np.zeros_like(weight)], share)))
            for name, share in shares.items()
        }
    ones = np.ones(network.n_nodes)
    predictions = {}
    for name, (first, second) in {"constant": (ones, ones), "degrees": (a, b)}.items():
        mu = mean * first[sender] * second[receiver]
        predictions[name] = Prediction(np.asarray(poisson.logpmf(weight, mu)), -mu)
        size = _fitted_size(network, mean * first, second)
        predictions[f"{name}-nb"] = negative_binomial(mu, size, weight)
    return predictions


def negative_binomial(mu: FloatArray, size: float, weight: IntArray) -> Prediction:
    """Return the prediction of negative binomial weights of given means and size.

    Parameters
    ----------
    mu : ndarray of shape (D,)
        Means.
    size : float
        The size: the variance is ``mu + mu**2 / size``.
    weight : ndarray of int64 of shape (D,)
        Weights that the dyads have.

    Returns
    -------
    Prediction
    """
    share = size / (size + mu)
    return Prediction(np.asarray(nbinom.logpmf(weight, size, share)), size * np.log(share))


def _fitted_size(network: Network, first: FloatArray, second: FloatArray) -> float:
    """Return the negative binomial's size of largest likelihood, at means first_i second_j."""
    if not first.any():
        return 1.0  # without edges all sizes are alike
    edge_mu = first[network.sender] * second[network.receiver]
    hidden = first[network.hidden_sender] * second[network.hidden_receiver]
    loops = network.sender == network.receiver
    share = 1.0 if network.directed else 0.5  # of an ordered dyad
    senders, receivers = stand_in(np.log(first)), stand_in(np.log(second))
    all_mu = np.exp(senders.points[:, None] + receivers.points)

    def loss(log_size: float) -> float:
        size = float(np.exp(log_size))
        # as if all dyads were empty, then the observed edges as they are
        total = float(senders.weights @ np.log1p(all_mu / size) @ receivers.weights)
        total = share * size * (total - float(np.log1p(first * second / size).sum()))
        total -= size * float(np.log1p(hidden / size).sum())
        mu, weight = edge_mu[~loops], network.weight[~loops]
        total -= float(np.sum(nbinom.logpmf(weight, size, size / (size + mu))))
        return total - size * float(np.log1p(mu / size).sum())

    return float(np.exp(minimize_scalar(loss, bounds=LOG_SIZE, method="bounded").x))
