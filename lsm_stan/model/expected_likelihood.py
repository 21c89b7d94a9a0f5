r"""The expected log likelihood of normal positions and all else, with its gradient.

With :math:`\mu_{ij} = e^{\eta_{ij}} f(d_{ij})` and its mean :math:`\bar\mu_{ij}`, which is closed
(:mod:`lsm_stan.model.expectations`, :mod:`lsm_stan.model.normal_products`), the expectation is
exact for ``poisson``,

.. math:: \sum_{edges} y\,E\log\mu - \sum_{dyads} \bar\mu - \sum_{edges} \log y!,

and for the other likelihoods a lower bound of it, by upper bounds
(:mod:`lsm_stan.model.soft_plus`) of what a dyad and an edge cost:

.. math:: E\,(y + \varphi)\log(1 + \mu/\varphi)
          = y\,E\log(1 + e^{\eta - l} f) + E\varphi\;E\log(1 + e^{\eta - l'} f)

where :math:`l = \log\varphi` is normal, independent of the rest, and :math:`l'` its like, the mean
greater by the variance: that is what a factor of :math:`e^l` does (``bernoulli``:
:math:`\varphi = 1`, and no y). In ``dyadic`` y is the sum of both directions of a pair, and both
are under one logarithm (:mod:`lsm_stan.model.soft_plus_both`). The bounds' tilts are state, and
change in :meth:`retilt` alone.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import chain

import numpy as np
from scipy.special import gammaln

from lsm_stan.model.charges import LEAST, Charges, Dyads
from lsm_stan.model.expectations import Expectation
from lsm_stan.model.expected_dispersion import rising
from lsm_stan.model.family import ModelSpec
from lsm_stan.model.normal_pairs import Gradient, Pairs, at_nodes, blocks_of_pairs, of_covariance
from lsm_stan.model.normal_products import Products, add_products_to
from lsm_stan.model.parameters import Parameters
from lsm_stan.model.sites import Sites
from lsm_stan.model.soft_plus import Differences, SoftPlus, Tilts, best_tilts, bounded
from lsm_stan.model.soft_plus_both import Both, bounded_both
from lsm_stan.model.stan_data import frailty_totals, hidden_terms
from lsm_stan.network.network import Network
from lsm_stan.typing import FloatArray, IntArray

#: Pairs that are kept from one evaluation to the next, at most: some 300 MB.
KEPT = 4_000_000

#: Blocks whose bounds are tight even where there are too many pairs to be kept.
ALWAYS_TIGHT = ("totals", "hidden")


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
    times : float or ndarray of shape (P,)
        How many times they count; below 0 they are taken out again.
    back : ndarray of shape (P,) or None, default None
        Where both directions are under one logarithm: what is added to the second's log mean, 0 or,
        where it is not there, :data:`lsm_stan.model.charges.LEAST`.
    """

    key: Hashable
    pairs: Pairs
    ways: tuple[Dyads, ...]
    times: FloatArray | float
    back: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.pairs.first)


@dataclass(eq=False)
class Cost:
    """What some dyads cost, and its derivatives.

    Attributes
    ----------
    value : float
        In nats.
    by_square, by_variance : ndarray of shape (..., P)
        Derivatives of minus the value in what the form takes of the pairs.
    by_mean, by_spread : float
        Derivatives in what all their means of log u have in common, and in what all variances.
    """

    value: float
    by_square: FloatArray
    by_variance: FloatArray
    by_mean: float = 0.0
    by_spread: float = 0.0

    @classmethod
    def of_zeros(cls, form: Expectation) -> Cost:
        """Return one of nothing.

        Parameters
        ----------
        form : Expectation
            Arrays of the derivatives' shapes.

        Returns
        -------
        Cost
        """
        return cls(0.0, np.zeros_like(form.by_square), np.zeros_like(form.by_variance))

    def add(self, value: float, scale: FloatArray | float, form: Expectation) -> None:
        """Add a value, and derivatives that are multiplied by a scale.

        Parameters
        ----------
        value : float
            In nats.
        scale : ndarray of shape (P,) or float
            The scale.
        form : Expectation
            The derivatives.
        """
        self.value += value
        self.by_square -= scale * form.by_square
        self.by_variance -= scale * form.by_variance


class ExpectedLikelihood:
    """The expected log likelihood of a network, or its lower bound.

    Parameters
    ----------
    spec : ModelSpec
        The model, bound to its network if it has covariates.
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
        self.shared = spec.likelihood == "dyadic"
        sender, receiver, back, weight = frailty_totals(network, shared=self.shared)
        self.total_weight = weight.astype(float)
        self.totals = self._block("totals", sender, receiver, self.total_weight, back)
        self.hidden = [self._block("hidden", network.hidden_sender, network.hidden_receiver, -1.0)]
        if self.shared:  # pairs as a whole, then put in again what was observed of them
            sender, receiver, back, weight = hidden_terms(network, shared=True)
            self.hidden = [
                self._block(key, sender[part], receiver[part], -times, back[part])
                for key, times in (("hidden", 1.0), ("half hidden", -1.0))
                for part in [weight == times]
            ]
        self.constant = -float(gammaln(self.weight + 1).sum())
        if spec.diagonal:
            of_node = at_nodes(network.sender[loop], network.weight[loop], n)
            log_rate = -0.5 * np.log(jitter)
            log_p = of_node * log_rate - np.exp(log_rate) - gammaln(of_node + 1)
            self.constant += float(log_p.sum())
        self._tilts: dict[Hashable, Tilts] = {}
        self._shares: dict[Hashable, Tilts] | None = None

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
            Variances of the parameters other than sites, all independent.
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
        met = self._met(self.edges.pairs, mean["z"], spread)
        value = self.constant + self._edge_sum(charges, *met, total)
        if spec.dispersed:
            if self.shared:
                met = self._met(self.totals.pairs, mean["z"], spread)
            value -= self._total_sum(charges, *met, total) - rising(
                self.total_weight, mean, variance, total
            )
        for block in chain(self._blocks(), filter(len, self.hidden)):
            value -= self._dyads(block, *at)
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
            elif self.shared:
                yield self._block((number, 0), first, second, 1.0, np.ones(len(first)))
            elif self.spec.symmetric:
                yield self._block((number, 0), first, second, 2.0)
            elif self.spec.roles:
                yield self._block((number, 0), first, second, 1.0)
                yield self._block((number, 1), second, first, 1.0)
            else:
                there = self._block((number, 0), first, second, 1.0)
                back = Dyads.of(self.spec, second, first)
                yield replace(there, ways=(*there.ways, back))

    def _block(
        self,
        key: Hashable,
        sender: IntArray,
        receiver: IntArray,
        times: FloatArray | float,
        back: FloatArray | IntArray | None = None,
    ) -> Block:
        """Return dyads; with the reverse ones, where `back` is not 0, if they share frailties."""
        pairs = Pairs(sender, receiver + self.sites.receiving, self.sites.total)
        there = Dyads.of(self.spec, sender, receiver)
        if back is None or not self.shared:
            return Block(key, pairs, (there,), times)
        ways = there, Dyads.of(self.spec, receiver, sender)
        return Block(key, pairs, ways, times, np.where(back, 0.0, LEAST))

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

    def _edge_sum(
        self,
        charges: Charges,
        between: Differences | Products,
        give: Callable[..., None],
        total: Gradient,
    ) -> float:
        """Return the log means of edges times their weights, and add its derivatives."""
        (edges,), weight = self.edges.ways, self.weight
        cost = between.minus_log_form()
        give(total, by_square=-weight * cost.by_square, by_variance=-weight * cost.by_variance)
        return charges.linear(edges, weight) - float(weight @ cost.value)

    def _total_sum(
        self,
        charges: Charges,
        between: Differences | Products,
        give: Callable[..., None],
        total: Gradient,
    ) -> float:
        """Return what weights cost that share a frailty, and take its derivatives off."""
        form, log_phi = between.log_form_mean(), charges.log_phi
        cost = self._soft_plus(self.totals, charges, between, form, self.totals.times, log_phi)
        charges.by_log_phi += cost.by_mean
        charges.by_log_phi_variance -= cost.by_spread
        give(total, by_square=cost.by_square, by_variance=cost.by_variance)
        return cost.value

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
        if self.exact:
            cost = _rates(block, charges, between.form_mean())
        else:
            # a factor of phi moves the mean of log(phi) by its variance
            log_phi, scale = charges.log_phi + charges.log_phi_variance, block.times * charges.size
            form = between.log_form_mean()
            cost = self._soft_plus(block, charges, between, form, scale, log_phi)
            charges.by_log_phi -= cost.value - cost.by_mean
            charges.by_log_phi_variance -= 0.5 * cost.value - cost.by_mean + cost.by_spread
        give(total, by_square=cost.by_square, by_variance=cost.by_variance)
        return cost.value

    def _soft_plus(
        self,
        block: Block,
        charges: Charges,
        between: Differences | Products,
        log_form: Expectation,
        scale: FloatArray | float,
        log_phi: float,
    ) -> Cost:
        """Return a bound of a scaled sum of log(1 + u); take its derivatives off the charges."""
        cost = Cost.of_zeros(log_form)
        for ways, bound in self._bounds(block, charges, between, log_form, log_phi):
            by_mean, by_spread = scale * bound.by_mean, scale * bound.by_variance
            of_ways = zip(ways, np.atleast_2d(by_mean), np.atleast_2d(by_spread), strict=False)
            for dyads, of_mean, of_spread in of_ways:
                charges.count(dyads, -of_mean, -of_spread)
            if len(ways) == 2:
                charges.count_covariance(*ways, -by_spread[2])
            cost.add(float(np.sum(scale * bound.value)), scale, bound.of_distance)
            cost.by_mean += float(by_mean.sum())
            cost.by_spread += float(by_spread.sum())
        return cost

    def _bounds(
        self,
        block: Block,
        charges: Charges,
        between: Differences | Products,
        log_form: Expectation,
        log_phi: float,
    ) -> Iterator[tuple[tuple[Dyads, ...], SoftPlus]]:
        """Yield the bounds of dyads' log(1 + u): of each direction, or of both under one."""

        def eta(dyads: Dyads) -> tuple[FloatArray, FloatArray]:
            mean, variance = charges.between(dyads)
            return mean - log_phi, variance + charges.log_phi_variance

        if block.back is None:
            for way, dyads in enumerate(block.ways):
                bound_at = partial(bounded, *eta(dyads), between, log_form)
                yield (dyads,), self._tightest((block.key, way), bound_at, between)
            return
        there, back = block.ways
        (mean, variance), (mean_back, variance_back) = eta(there), eta(back)
        spreads = [np.broadcast_to(v, block.back.shape) for v in (variance, variance_back)]
        both = Both(
            np.stack(np.broadcast_arrays(mean, mean_back + block.back)),
            np.stack(spreads),
            charges.covariance(there, back) + charges.log_phi_variance,
        )
        bound_at = partial(bounded_both, both, between, log_form)
        yield block.ways, self._tightest((block.key, 0), bound_at, between)

    def _tightest(
        self,
        key: tuple[Hashable, int],
        bound_at: Callable[[Tilts | None], SoftPlus],
        between: Differences | Products,
    ) -> SoftPlus:
        """Return a bound with the tilts that are kept; if asked to, keep those that are best."""
        before = self._tilts.get(key)
        bound = bound_at(before)
        if self._shares is not None and (key[0] in ALWAYS_TIGHT or self._keeps):
            self._shares[key] = best_tilts(bound_at, between, bound, before)
        return bound

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


def _rates(block: Block, charges: Charges, form: Expectation) -> Cost:
    """Return the sum of mean weights, and take its derivatives off the charges."""
    cost = Cost.of_zeros(form)
    for dyads in block.ways:
        mean, variance = charges.between(dyads)
        charge = block.times * np.exp(mean + 0.5 * variance)
        rates = charge * form.value
        charges.count(dyads, -rates, -0.5 * rates)
        cost.add(float(rates.sum()), charge, form)
    return cost
