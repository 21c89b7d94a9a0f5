r"""The expected log likelihood of independent normal positions and effects, with its gradient.

With :math:`\mu_{ij} = e^{\eta_{ij}} f(d_{ij})` and its mean :math:`\bar\mu_{ij}`, which is closed
(:mod:`lsm_stan.model.expectations`), the expectation is exact for ``poisson``,

.. math:: \sum_{edges} y\,E\log\mu - \sum_{dyads} \bar\mu - \sum_{edges} \log y!,

and for ``nb`` and ``bernoulli`` a lower bound of it, by upper bounds
(:mod:`lsm_stan.model.soft_plus`) of what a dyad and an edge cost:

.. math:: E\,(y + \varphi)\log(1 + \mu/\varphi)
          = y\,E\log(1 + e^{\eta - l} f) + E\varphi\;E\log(1 + e^{\eta - l'} f)

where :math:`l = \log\varphi` is normal, independent of the rest, and :math:`l'` its like, the mean
greater by the variance: that is what a factor of :math:`e^l` does (``bernoulli``:
:math:`\varphi = 1`, and no y). The bounds' tilts are state, and change in :meth:`retilt` alone.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from scipy.special import gammaln, psi

from lsm_stan.model.expectations import Expectation
from lsm_stan.model.family import ModelSpec
from lsm_stan.model.likelihood import log_rising
from lsm_stan.model.normal_pairs import Gradient, Pairs, at_nodes, blocks_of_pairs, of_covariance
from lsm_stan.model.parameters import Parameters
from lsm_stan.model.soft_plus import Differences, SoftPlus, best_tilts, bounded, logarithm
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
        self._tilts: dict[Hashable, tuple[FloatArray, FloatArray]] = {}
        self._shares: dict[Hashable, tuple[FloatArray, FloatArray]] | None = None

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
        at = charges, mean["z"], spread, total
        for number, pairs in enumerate(self._blocks()):
            value -= self._dyads(number, pairs, *at, 1.0)
        if len(self.hidden.first):
            value -= self._dyads("hidden", self.hidden, *at, -1.0)
        if spec.dispersed:
            value += rising(self.weight, mean, variance, total)
        charges.add_to(total)
        if total.spread.size and spread.ndim == 2:
            total.spread = of_covariance(total.spread)
        return value, total

    def _blocks(self) -> Iterable[Pairs]:
        return self._kept if self._keeps else blocks_of_pairs(self.network.n_nodes)

    @property
    def _keeps(self) -> bool:
        return self.network.n_nodes * (self.network.n_nodes - 1) // 2 <= KEPT

    @cached_property
    def _kept(self) -> list[Pairs]:
        return list(blocks_of_pairs(self.network.n_nodes))

    def retilt(self, mean: Parameters, spread: FloatArray, variance: Parameters) -> None:
        """Make the bounds as tight as they can be at a place; nothing where it is exact.

        The bounds of dyads stay as they are where there are too many pairs to be kept.

        Parameters
        ----------
        mean : dict of str to ndarray
            As in :meth:`at`.
        spread : ndarray of shape (N, N) or (N,)
            As in :meth:`at`.
        variance : dict of str to ndarray
            As in :meth:`at`.
        """
        if not self.exact:
            self._shares = {}
            self.at(mean, spread, variance, means_only=True)
            self._tilts, self._shares = self._shares, None

    def _bounded(
        self,
        key: Hashable,
        charges: Charges,
        ends: tuple[IntArray, IntArray],
        between: Differences,
        log_form: Expectation,
        shift: tuple[float, float],
    ) -> SoftPlus:
        """Return the bound of dyads' log(1 + u); if asked to, keep the tilts that are best."""
        mean, variance = charges.between(*ends)
        mean, variance = mean + shift[0], variance + shift[1]
        before = self._tilts.get(key)
        bound = bounded(mean, variance, between, log_form, before)
        if self._shares is not None and (key in ("edges", ("hidden", 0)) or self._keeps):
            self._shares[key] = best_tilts(mean, variance, between, log_form, bound, before)
        return bound

    def _edge_sum(
        self, charges: Charges, positions: FloatArray, spread: FloatArray, total: Gradient
    ) -> float:
        """Return what edges have besides other dyads, and add its derivatives."""
        edges, weight = self.edges, self.weight
        difference, square = edges.apart(positions)
        between = Differences(self.spec.form, square, edges.variances(spread), difference.shape[1])
        cost = between.minus_log_form()
        by_square, by_variance = -weight * cost.by_square, -weight * cost.by_variance
        value = charges.linear(edges, weight) - float(weight @ cost.value)
        if self.spec.dispersed:
            log_form, ends = logarithm(between.form_mean()), (edges.first, edges.second)
            shift = -charges.log_phi, charges.log_phi_variance
            bound = self._bounded("edges", charges, ends, between, log_form, shift)
            value -= float(weight @ bound.value)
            by_square -= weight * bound.of_distance.by_square
            by_variance -= weight * bound.of_distance.by_variance
            by_mean, by_spread = weight * bound.by_mean, weight * bound.by_variance
            charges.count(*ends, -by_mean, -by_spread)
            charges.by_log_phi += float(by_mean.sum())
            charges.by_log_phi_variance -= float(by_spread.sum())
        edges.add_to(total, difference, by_square, by_variance)
        return value

    def _dyads(
        self,
        key: Hashable,
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
        between = Differences(self.spec.form, square, pairs.variances(spread), difference.shape[1])
        form = between.form_mean()
        log_form = form if self.exact else logarithm(form)
        ways = [(pairs.first, pairs.second)]
        if self.network.directed and sign > 0:
            if self.spec.symmetric:
                sign = 2.0
            else:
                ways.append((pairs.second, pairs.first))
        value, by_square, by_variance = 0.0, np.zeros(len(square)), np.zeros(len(square))
        for way, ends in enumerate(ways):
            if self.exact:
                mean, variance = charges.between(*ends)
                charge = sign * np.exp(mean + 0.5 * variance)
                cost = charge * form.value
                value += float(cost.sum())
                by_square -= charge * form.by_square
                by_variance -= charge * form.by_variance
                charges.count(*ends, -cost, -0.5 * cost)
                continue
            # a factor of phi moves the mean of log(phi) by its variance
            shift = -charges.log_phi - charges.log_phi_variance, charges.log_phi_variance
            bound = self._bounded((key, way), charges, ends, between, log_form, shift)
            scale = sign * charges.size
            cost_of_all = scale * float(bound.value.sum())
            value += cost_of_all
            by_square -= scale * bound.of_distance.by_square
            by_variance -= scale * bound.of_distance.by_variance
            by_mean, by_spread = scale * bound.by_mean, scale * bound.by_variance
            charges.count(*ends, -by_mean, -by_spread)
            gained = float(np.sum(by_mean))
            charges.by_log_phi -= cost_of_all - gained
            charges.by_log_phi_variance -= 0.5 * cost_of_all - gained + float(np.sum(by_spread))
        pairs.add_to(total, difference, by_square, by_variance)
        return value


@dataclass(eq=False)
class Charges:
    """What dyads have besides distance, and derivatives in it, as they are added up.

    The log mean weight of a dyad is η + log f(d); its η is normal.

    Attributes
    ----------
    spec : ModelSpec
        The model.
    sent, received : ndarray of shape (N, 2)
        Means and variances of the sender's and the receiver's parts of η.
    log_phi, log_phi_variance : float
        Mean and variance of log(phi); 0 where there is none.
    by_sent, by_received : ndarray of shape (N, 2)
        Derivatives in the means and variances.
    by_log_phi, by_log_phi_variance : float
        The same of log(phi).
    """

    spec: ModelSpec
    sent: FloatArray
    received: FloatArray
    log_phi: float
    log_phi_variance: float
    by_sent: FloatArray
    by_received: FloatArray
    by_log_phi: float = 0.0
    by_log_phi_variance: float = 0.0

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
        shape = len(mean["z"]), 2
        sent, received = np.zeros(shape), np.zeros(shape)
        log_phi = log_phi_variance = 0.0
        for moment, values in enumerate((mean, variance)):
            if spec.intercept:
                sent[:, moment] += values["intercept"]
            if spec.effects:
                sent[:, moment] += values["effect"][:, 0]
                received[:, moment] += values["effect"][:, -1]
        if spec.dispersed:
            log_phi, log_phi_variance = mean["log_phi"].item(), variance["log_phi"].item()
        by_sent, by_received = np.zeros(shape), np.zeros(shape)
        return cls(spec, sent, received, log_phi, log_phi_variance, by_sent, by_received)

    @property
    def size(self) -> float:
        """The mean of phi."""
        return math.exp(self.log_phi + 0.5 * self.log_phi_variance)

    def between(self, sender: IntArray, receiver: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return means and variances of η of dyads.

        Parameters
        ----------
        sender, receiver : ndarray of int64 of shape (P,)
            0-based node indices.

        Returns
        -------
        mean, variance : ndarray of shape (P,) or ()
        """
        if self.spec.symmetric:  # all have one
            mean, variance = self.sent[0]
            return np.asarray(mean), np.asarray(variance)
        mean, variance = (
            self.sent[sender, moment] + self.received[receiver, moment] for moment in (0, 1)
        )
        return mean, variance

    def linear(self, edges: Pairs, weight: FloatArray) -> float:
        """Return the means of η of edges times their weights, and count the derivatives.

        Parameters
        ----------
        edges : Pairs
            Senders and receivers.
        weight : ndarray of shape (E,)
            Their weights.

        Returns
        -------
        float
        """
        self.count(edges.first, edges.second, weight, np.zeros(len(weight)))
        return float(np.sum(weight * self.between(edges.first, edges.second)[0]))

    def count(
        self,
        sender: IntArray,
        receiver: IntArray,
        by_mean: FloatArray,
        by_variance: FloatArray,
    ) -> None:
        """Add derivatives in what η has of dyads.

        Parameters
        ----------
        sender, receiver : ndarray of int64 of shape (P,)
            0-based node indices.
        by_mean, by_variance : ndarray of shape (P,)
            Derivatives in its mean and variance.
        """
        for moment, values in enumerate((by_mean, by_variance)):
            if self.spec.symmetric:
                self.by_sent[0, moment] += values.sum()
            else:
                n_nodes = len(self.by_sent)
                self.by_sent[:, moment] += at_nodes(sender, values, n_nodes)
                self.by_received[:, moment] += at_nodes(receiver, values, n_nodes)

    def add_to(self, total: Gradient) -> None:
        """Add the derivatives in the parameters' means and variances to a gradient.

        Parameters
        ----------
        total : Gradient
            What is added to.
        """
        for moment, values in enumerate((total.mean, total.variance)):
            if self.spec.intercept:
                values["intercept"] += self.by_sent[:, moment].sum()
            if self.spec.effects:
                values["effect"][:, 0] += self.by_sent[:, moment]
                values["effect"][:, -1] += self.by_received[:, moment]
        if self.spec.dispersed:
            total.mean["log_phi"] += self.by_log_phi
            total.variance["log_phi"] += self.by_log_phi_variance


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
