r"""The expected log likelihood of independent normal positions and effects, with its gradient.

With :math:`\mu_{ij} = e^{\eta_{ij}} f(d_{ij})` and its mean :math:`\bar\mu_{ij}`, which is closed
(:mod:`lsm_stan.model.expectations`), the expectation is exact for ``poisson``,

.. math:: \sum_{edges} y\,E\log\mu - \sum_{dyads} \bar\mu - \sum_{edges} \log y!,

and for ``nb`` and ``bernoulli`` a lower bound of it: by Jensen's inequality

.. math:: E\,(y + \varphi)\log(1 + \mu/\varphi)
          \le y\log(1 + \bar\mu\,E\varphi^{-1}) + E\varphi\,\log(1 + \bar\mu/E\varphi)

where :math:`\log\varphi` is normal and independent of the rest (``bernoulli``: :math:`\varphi = 1`
and no y). That is what variational inference with a frailty for each dyad arrives at, too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from scipy.special import gammaln, psi

from lsm_stan.model.expectations import expected_form, expected_minus_log_form
from lsm_stan.model.family import ModelSpec
from lsm_stan.model.likelihood import log_rising
from lsm_stan.model.normal_pairs import Gradient, Pairs, at_nodes, blocks_of_pairs, of_covariance
from lsm_stan.model.parameters import Parameters
from lsm_stan.network.network import Network
from lsm_stan.typing import FloatArray, IntArray

#: Pairs that are kept from one evaluation to the next, at most: some 300 MB.
KEPT = 4_000_000

#: Nodes of the Gauss-Hermite rules of one normal variable.
HERMITE = 40


class ExpectedLikelihood:
    """The expected log likelihood of a network, or its lower bound.

    Parameters
    ----------
    spec : ModelSpec
        The model: a distance form, no roles, covariates or clusters, not ``dyadic``.
    network : Network
        The network.
    jitter : float
        Added to the squared distance of a node to itself.
    """

    def __init__(self, spec: ModelSpec, network: Network, jitter: float) -> None:
        self.spec, self.network = spec, network
        n = network.n_nodes
        loop = network.sender == network.receiver
        self.weight = network.weight[~loop].astype(float)
        self.edges = Pairs(network.sender[~loop], network.receiver[~loop], n)
        self.hidden = Pairs(network.hidden_sender, network.hidden_receiver, n)
        self.constant = -float(gammaln(self.weight + 1).sum())
        if spec.diagonal:
            of_node = at_nodes(network.sender[loop], network.weight[loop], n)
            log_rate = -0.5 * np.log(jitter)
            log_p = of_node * log_rate - np.exp(log_rate) - gammaln(of_node + 1)
            self.constant += float(log_p.sum())

    @property
    def exact(self) -> bool:
        """Whether it is the expectation itself, no lower bound."""
        return self.spec.likelihood == "poisson"

    def at(
        self,
        mean: Parameters,
        spread: FloatArray,
        variance: Parameters,
        *,
        means_only: bool = False,
    ) -> tuple[float, Gradient]:
        """Evaluate it.

        Parameters
        ----------
        mean : dict of str to ndarray
            Means: ``z`` of shape (N, K); and where the model has them ``intercept`` and
            ``log_phi`` of shape (1,), ``effect`` of shape (N, C).
        spread : ndarray of shape (N, N) or (N,)
            Covariance of the nodes in each coordinate, or variances of independent ones.
        variance : dict of str to ndarray
            Variances of the parameters other than positions, all independent.
        means_only : bool, default False
            Whether to leave out the derivatives in `spread`, which take a third of the time.

        Returns
        -------
        value : float
            In nats.
        gradient : Gradient
        """
        spec = self.spec
        total = Gradient.of_zeros(mean, spread[:0] if means_only else spread, variance)
        charges = Charges.of_normals(spec, mean, variance)
        value = self.constant + self._edge_sum(charges, mean["z"], spread, total)
        for pairs in self._blocks():
            value -= self._dyads(pairs, charges, mean["z"], spread, total, 1.0)
        if len(self.hidden.first):
            value -= self._dyads(self.hidden, charges, mean["z"], spread, total, -1.0)
        if spec.dispersed:
            value += rising(self.weight, mean, variance, total)
        charges.add_to(total)
        if total.spread.size and spread.ndim == 2:
            total.spread = of_covariance(total.spread)
        return value, total

    def _blocks(self) -> Iterable[Pairs]:
        n = self.network.n_nodes
        return self._kept if n * (n - 1) // 2 <= KEPT else blocks_of_pairs(n)

    @cached_property
    def _kept(self) -> list[Pairs]:
        return list(blocks_of_pairs(self.network.n_nodes))

    def _edge_sum(
        self, charges: Charges, positions: FloatArray, spread: FloatArray, total: Gradient
    ) -> float:
        """Return what edges have besides other dyads, and add its derivatives."""
        edges, weight = self.edges, self.weight
        difference, square = edges.apart(positions)
        variance, dim = edges.variances(spread), difference.shape[1]
        cost = expected_minus_log_form(self.spec.form, square, variance, dim)
        by_square, by_variance = -weight * cost.by_square, -weight * cost.by_variance
        value = charges.linear(edges, weight, total) - float(weight @ cost.value)
        if self.spec.dispersed:
            form = expected_form(self.spec.form, square, variance, dim)
            slope = charges.inverse * charges.of(edges.first, edges.second)
            value -= float(weight @ np.log1p(slope * form.value))
            slope = -weight * slope / (1 + slope * form.value)
            by_square += slope * form.by_square
            by_variance += slope * form.by_variance
            gained = slope * form.value
            charges.count(edges.first, edges.second, gained)
            charges.by_inverse += float(gained.sum()) / charges.inverse
        edges.add_to(total, difference, by_square, by_variance)
        return value

    def _dyads(
        self,
        pairs: Pairs,
        charges: Charges,
        positions: FloatArray,
        spread: FloatArray,
        total: Gradient,
        sign: float,
    ) -> float:
        """Return what dyads cost, edge or not, and take its derivatives off.

        Where the sign is 1 it is both dyads of a pair; else those listed, taken out again.
        """
        difference, square = pairs.apart(positions)
        variance, dim = pairs.variances(spread), difference.shape[1]
        form = expected_form(self.spec.form, square, variance, dim)
        ends = [(pairs.first, pairs.second)]
        if self.network.directed and sign > 0:
            if self.spec.symmetric:
                sign = 2.0
            else:
                ends.append((pairs.second, pairs.first))
        value, slope = 0.0, np.zeros(len(square))
        for sender, receiver in ends:
            charge = sign * charges.of(sender, receiver)
            cost = charge * form.value
            if self.exact:
                value += float(cost.sum())
            else:
                size = charges.size
                share = 1 / (1 + cost / (sign * size))
                logs = -sign * float(np.log(share).sum())
                value += size * logs
                charge, cost = charge * share, cost * share
                charges.by_size -= logs - float(cost.sum()) / size
            slope -= charge
            charges.count(sender, receiver, -cost)
        pairs.add_to(total, difference, slope * form.by_square, slope * form.by_variance)
        return value


@dataclass(eq=False)
class Charges:
    """What dyads have besides distance, and derivatives in it, as they are added up.

    Attributes
    ----------
    spec : ModelSpec
        The model.
    mean : dict of str to ndarray
        Means of the parameters.
    log_sent, log_received : ndarray of shape (N,)
        Logarithms of expected factors of the mean weight, of sender and of receiver.
    size, inverse : float
        Means of phi and of 1 / phi.
    by_sent, by_received : ndarray of shape (N,)
        Derivatives in the logarithms.
    by_size, by_inverse : float
        Derivatives in the means of phi and 1 / phi.
    """

    spec: ModelSpec
    mean: Parameters
    log_sent: FloatArray
    log_received: FloatArray
    size: float
    inverse: float
    by_sent: FloatArray
    by_received: FloatArray
    by_size: float = 0.0
    by_inverse: float = 0.0

    @classmethod
    def of_normals(cls, spec: ModelSpec, mean: Parameters, variance: Parameters) -> Charges:
        """Return those of normal parameters.

        Parameters
        ----------
        spec : ModelSpec
            The model.
        mean, variance : dict of str to ndarray
            As in :meth:`ExpectedLikelihood.at`.

        Returns
        -------
        Charges
        """
        none = np.zeros(len(mean["z"]))
        sent, received, size, inverse = none, none, 1.0, 1.0
        if spec.effects:
            log_mean = mean["effect"] + 0.5 * variance["effect"]
            sent, received = log_mean[:, 0], log_mean[:, -1]
        if spec.intercept:
            sent = sent + mean["intercept"] + 0.5 * variance["intercept"]
        if spec.dispersed:
            log_phi, half = mean["log_phi"].item(), 0.5 * variance["log_phi"].item()
            size, inverse = math.exp(log_phi + half), math.exp(half - log_phi)
        return cls(spec, mean, sent, received, size, inverse, none.copy(), none.copy())

    def of(self, sender: IntArray, receiver: IntArray) -> FloatArray:
        """Return the expected factors of the mean weights of dyads.

        Parameters
        ----------
        sender, receiver : ndarray of int64 of shape (P,)
            0-based node indices.

        Returns
        -------
        ndarray of shape (P,) or ()
        """
        if self.spec.symmetric:  # all have one
            return np.asarray(np.exp(self.log_sent[0]))
        return np.asarray(np.exp(self.log_sent[sender] + self.log_received[receiver]))

    def linear(self, edges: Pairs, weight: FloatArray, total: Gradient) -> float:
        """Return the log factors of edges times their weights, and add the derivatives.

        Parameters
        ----------
        edges : Pairs
            Senders and receivers.
        weight : ndarray of shape (E,)
            Their weights.
        total : Gradient
            What is added to.

        Returns
        -------
        float
        """
        value, n_nodes = 0.0, edges.n_nodes
        if self.spec.intercept:
            value += float(weight.sum() * self.mean["intercept"].item())
            total.mean["intercept"] += weight.sum()
        if self.spec.effects:
            for column, nodes in ((0, edges.first), (-1, edges.second)):
                strength = at_nodes(nodes, weight, n_nodes)
                value += float(strength @ self.mean["effect"][:, column])
                total.mean["effect"][:, column] += strength
        return value

    def count(self, sender: IntArray, receiver: IntArray, values: FloatArray) -> None:
        """Add derivatives in the logarithms of factors of dyads.

        Parameters
        ----------
        sender, receiver : ndarray of int64 of shape (P,)
            0-based node indices.
        values : ndarray of shape (P,)
            Derivatives.
        """
        if self.spec.symmetric:
            self.by_sent[0] += values.sum()
        else:
            self.by_sent += at_nodes(sender, values, len(self.by_sent))
            self.by_received += at_nodes(receiver, values, len(self.by_sent))

    def add_to(self, total: Gradient) -> None:
        """Add the derivatives in the parameters' means and variances to a gradient.

        Parameters
        ----------
        total : Gradient
            What is added to.
        """
        if self.spec.intercept:
            total.mean["intercept"] += self.by_sent.sum()
            total.variance["intercept"] += 0.5 * self.by_sent.sum()
        if self.spec.effects:
            for column, values in ((0, self.by_sent), (-1, self.by_received)):
                total.mean["effect"][:, column] += values
                total.variance["effect"][:, column] += 0.5 * values
        if self.spec.dispersed:
            up, down = self.by_size * self.size, self.by_inverse * self.inverse
            total.mean["log_phi"] += up - down
            total.variance["log_phi"] += 0.5 * (up + down)


def rising(weight: FloatArray, mean: Parameters, variance: Parameters, total: Gradient) -> float:
    """Return the expected log rising factorials of phi, less ``y log(phi)``.

    Parameters
    ----------
    weight : ndarray of shape (E,)
        The weights, y.
    mean, variance : dict of str to ndarray
        As in :meth:`ExpectedLikelihood.at`.
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
