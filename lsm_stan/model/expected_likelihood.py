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
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial

import numpy as np
from scipy.special import gammaln, psi

from lsm_stan.model.charges import Charges, Dyads
from lsm_stan.model.expectations import Expectation
from lsm_stan.model.family import ModelSpec
from lsm_stan.model.likelihood import log_rising
from lsm_stan.model.normal_pairs import Gradient, Pairs, at_nodes, blocks_of_pairs, of_covariance
from lsm_stan.model.normal_products import Products, add_products_to
from lsm_stan.model.parameters import Parameters
from lsm_stan.model.sites import Sites
from lsm_stan.model.soft_plus import Differences, SoftPlus, best_tilts, bounded
from lsm_stan.network.network import Network
from lsm_stan.typing import FloatArray, IntArray

#: Pairs that are kept from one evaluation to the next, at most: some 300 MB.
KEPT = 4_000_000

#: Nodes of the Gauss-Hermite rules of one normal variable.
HERMITE = 40


@dataclass(frozen=True, eq=False)
class Block:
    """Some pairs of sites, and the dyads that meet there.

    Attributes
    ----------
    key : hashable
        What tells it from other blocks.
    pairs : Pairs
        P pairs of sites.
    ways : tuple of Dyads
        P dyads each: one direction of each pair, or both.
    times : float
        How many times they count; below 0 they are taken out again.
    """

    key: Hashable
    pairs: Pairs
    ways: tuple[Dyads, ...]
    times: float


class ExpectedLikelihood:
    """The expected log likelihood of a network, or its lower bound.

    Parameters
    ----------
    spec : ModelSpec
        The model, bound to its network if it has covariates; not ``dyadic``.
    network : Network
        The network.
    jitter : float
        Added to the squared distance of a node to itself.
    """

    def __init__(self, spec: ModelSpec, network: Network, jitter: float) -> None:
        self.spec, self.network = spec, network
        n = network.n_nodes
        self.sites = Sites.of(spec, n)
        loop = network.sender == network.receiver
        self.weight = network.weight[~loop].astype(float)
        self.edges = self._block("edges", network.sender[~loop], network.receiver[~loop], 1.0)
        hidden = network.hidden_sender, network.hidden_receiver
        self.hidden = self._block("hidden", *hidden, -1.0)
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
            Means: ``z`` of shape (M, K), of sites (:mod:`lsm_stan.model.sites`); and where the
            model has them ``intercept`` and ``log_phi`` of shape (1,), ``effect`` of shape
            (N, C), and ``coefficient`` of shape (B,).
        spread : ndarray of shape (M, M) or (M,)
            Covariance of the sites in each coordinate, or variances of independent ones.
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
        charges = Charges.of_normals(spec, self.network.n_nodes, mean, variance)
        at = charges, mean["z"], spread, total
        value = self.constant + self._edge_sum(*at)
        for block in self._blocks():
            value -= self._dyads(block, *at)
        if len(self.hidden.pairs.first):
            value -= self._dyads(self.hidden, *at)
        if spec.dispersed:
            value += rising(self.weight, mean, variance, total)
        charges.add_to(total)
        if total.spread.size and spread.ndim == 2:
            by_pair = total.spread
            inner = spec.form == "inner"
            total.spread = 0.5 * (by_pair + by_pair.T) if inner else of_covariance(by_pair)
        return value, total

    def _blocks(self) -> Iterable[Block]:
        return self._kept if self._keeps else self._all_blocks()

    def _all_blocks(self) -> Iterator[Block]:
        """Yield all dyads, both directions of a pair together where they meet at the same sites."""
        for number, (first, second) in enumerate(blocks_of_pairs(self.network.n_nodes)):
            if not self.network.directed:
                yield self._block((number, 0), first, second, 1.0)
            elif self.spec.symmetric:
                yield self._block((number, 0), first, second, 2.0)
            elif self.spec.roles:
                yield self._block((number, 0), first, second, 1.0)
                yield self._block((number, 1), second, first, 1.0)
            else:
                there = self._block((number, 0), first, second, 1.0)
                back = Dyads.of(self.spec, second, first)
                yield replace(there, ways=(*there.ways, back))

    def _block(self, key: Hashable, sender: IntArray, receiver: IntArray, times: float) -> Block:
        pairs = Pairs(sender, receiver + self.sites.receiving, self.sites.total)
        return Block(key, pairs, (Dyads.of(self.spec, sender, receiver),), times)

    @property
    def _keeps(self) -> bool:
        return self.network.n_nodes * (self.network.n_nodes - 1) // 2 <= KEPT

    @cached_property
    def _kept(self) -> list[Block]:
        return list(self._all_blocks())

    def retilt(self, mean: Parameters, spread: FloatArray, variance: Parameters) -> None:
        """Make the bounds as tight as they can be at a place; nothing where it is exact.

        The bounds of dyads stay as they are where there are too many pairs to be kept.

        Parameters
        ----------
        mean : dict of str to ndarray
            As in :meth:`at`.
        spread : ndarray of shape (M, M) or (M,)
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
        key: tuple[Hashable, int],
        charges: Charges,
        dyads: Dyads,
        between: Differences | Products,
        log_form: Expectation,
        shift: tuple[float, float],
    ) -> SoftPlus:
        """Return the bound of dyads' log(1 + u); if asked to, keep the tilts that are best."""
        mean, variance = charges.between(dyads)
        mean, variance = mean + shift[0], variance + shift[1]
        before = self._tilts.get(key)
        bound = bounded(mean, variance, between, log_form, before)
        if self._shares is not None and (key[0] in ("edges", "hidden") or self._keeps):
            self._shares[key] = best_tilts(mean, variance, between, log_form, bound, before)
        return bound

    def _edge_sum(
        self, charges: Charges, sites: FloatArray, spread: FloatArray, total: Gradient
    ) -> float:
        """Return what edges have besides other dyads, and add its derivatives."""
        (edges,), weight = self.edges.ways, self.weight
        between, give = self._met(self.edges.pairs, sites, spread)
        cost = between.minus_log_form()
        by_square, by_variance = -weight * cost.by_square, -weight * cost.by_variance
        value = charges.linear(edges, weight) - float(weight @ cost.value)
        if self.spec.dispersed:
            log_form = between.log_form_mean()
            shift = -charges.log_phi, charges.log_phi_variance
            bound = self._bounded(("edges", 0), charges, edges, between, log_form, shift)
            value -= float(weight @ bound.value)
            by_square -= weight * bound.of_distance.by_square
            by_variance -= weight * bound.of_distance.by_variance
            by_mean, by_spread = weight * bound.by_mean, weight * bound.by_variance
            charges.count(edges, -by_mean, -by_spread)
            charges.by_log_phi += float(by_mean.sum())
            charges.by_log_phi_variance -= float(by_spread.sum())
        give(total, by_square=by_square, by_variance=by_variance)
        return value

    def _dyads(
        self,
        block: Block,
        charges: Charges,
        sites: FloatArray,
        spread: FloatArray,
        total: Gradient,
    ) -> float:
        """Return what dyads cost, edge or not, and take its derivatives off."""
        between, give = self._met(block.pairs, sites, spread)
        form = between.form_mean() if self.exact else between.log_form_mean()
        value, times = 0.0, block.times
        by_square, by_variance = np.zeros_like(form.by_square), np.zeros_like(form.by_variance)
        for way, dyads in enumerate(block.ways):
            if self.exact:
                mean, variance = charges.between(dyads)
                charge = times * np.exp(mean + 0.5 * variance)
                cost = charge * form.value
                value += float(cost.sum())
                by_square -= charge * form.by_square
                by_variance -= charge * form.by_variance
                charges.count(dyads, -cost, -0.5 * cost)
                continue
            # a factor of phi moves the mean of log(phi) by its variance
            shift = -charges.log_phi - charges.log_phi_variance, charges.log_phi_variance
            bound = self._bounded((block.key, way), charges, dyads, between, form, shift)
            scale = times * charges.size
            cost_of_all = scale * float(bound.value.sum())
            value += cost_of_all
            by_square -= scale * bound.of_distance.by_square
            by_variance -= scale * bound.of_distance.by_variance
            by_mean, by_spread = scale * bound.by_mean, scale * bound.by_variance
            charges.count(dyads, -by_mean, -by_spread)
            gained = float(np.sum(by_mean))
            charges.by_log_phi -= cost_of_all - gained
            charges.by_log_phi_variance -= 0.5 * cost_of_all - gained + float(np.sum(by_spread))
        give(total, by_square=by_square, by_variance=by_variance)
        return value

    def _met(
        self, pairs: Pairs, sites: FloatArray, spread: FloatArray
    ) -> tuple[Differences | Products, Callable[..., None]]:
        """Return what the form takes of pairs, and what gives its derivatives to a gradient."""
        if self.spec.form == "inner":
            products = Products.of(pairs, sites, spread)
            return products, partial(add_products_to, pairs=pairs, sites=sites)
        difference, square = pairs.apart(sites)
        between = Differences(self.spec.form, square, pairs.variances(spread), sites.shape[1])
        return between, partial(pairs.add_to, difference=difference)


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
