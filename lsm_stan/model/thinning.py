"""All weights of a network drawn at one draw of the parameters, without a visit to every cell.

Nodes are put into groups of neighbours. From group to group no rate is above a bound, and where
bounds are low, candidates of edges are drawn at those bounds and each is accepted with the
probability that makes its rate what it is: thinning (Lewis & Shedler, Naval Research Logistics 26,
1979). What is accepted at rate μ are the Poisson counts of mean μ. For the others it is accepted at
rate -log of the probability of no edge, and weighs as much as makes the sum its distribution: a
negative binomial is a Poisson number of logarithmic counts (Quenouille, Biometrics 5, 1949), a
binary edge is there where any candidate is. Blocks of cells of larger rates are visited cell by
cell. Either way the weights have exactly the model's distribution. It takes time O(N + E) where
positions, not covariates of dyads, make most of the rates small.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lsm_stan.model.family import ModelSpec
from lsm_stan.model.likelihood import log_form, log_mean, mean_weight
from lsm_stan.model.parameters import Parameters
from lsm_stan.typing import FloatArray, IntArray

#: Larger means are refused, or taken for this: twice their weights would not fit Stan's int.
MAX_MEAN = 1e9

#: Cells visited at a time; memory grows by some 100 bytes a cell.
BLOCK_CELLS = 250_000

#: Nodes of a group, and the most groups.
GROUP_NODES, MOST_GROUPS = 8, 2048

#: Candidates a cell from which on cells are visited: a candidate takes as long as some cells.
DENSE = 0.2


class Cells:
    """The cells of a network at one draw of the parameters, from which networks are drawn.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    draw : dict of str to ndarray
        Parameters without leading axes. Means above
        :data:`MAX_MEAN`, which wide priors have, are taken for that.
    directed : bool
        Whether a pair of nodes has two cells.

    Attributes
    ----------
    work : float
        How many candidates and cells are looked at for one network, about.
    """

    def __init__(self, spec: ModelSpec, draw: Parameters, *, directed: bool) -> None:
        self.spec, self.draw, self.directed = spec, draw, directed
        z = draw["z"]
        role = draw["role"] if spec.roles else np.zeros(())
        sends, receives = z + role, z - role
        n_nodes = len(z)
        n_groups = min(max(1, n_nodes // GROUP_NODES), MOST_GROUPS)
        self._order, self._start = _groups(np.hstack([sends, receives]), n_groups)
        sends, receives = sends[self._order], receives[self._order]
        charges = _charges(spec, draw, n_nodes)
        self._top = charges[2]
        self._sender = _Ends(charges[0][self._order], self._start)
        self._receiver = _Ends(charges[1][self._order], self._start)
        rows = self._start[:-1]
        with np.errstate(over="ignore"):
            log_mass = _log_bounds(spec, sends, receives, rows)
            log_mass += self._top + self._sender.log_total[:, None] + self._receiver.log_total
            mass = np.exp(log_mass)
        size = np.diff(self._start)
        n_cells = size[:, None] * size
        dense = mass + mass.T > 2 * DENSE * n_cells
        self._first, self._second = np.nonzero(np.triu(dense))
        mass[dense] = 0
        if not directed:
            mass = np.triu(mass)
        self._log_mass, self._cumulative = log_mass, np.cumsum(mass)
        self._last = int(np.flatnonzero(mass)[-1]) if mass.any() else 0
        n_visited = int(n_cells[self._first, self._second].sum())
        self.work = float(self._cumulative[-1]) + n_visited * (2 if directed else 1)

    def drawn(self, rng: np.random.Generator) -> Iterator[tuple[IntArray, IntArray]]:
        """Draw a network.

        Parameters
        ----------
        rng : numpy.random.Generator
            Source of random numbers.

        Yields
        ------
        pairs : ndarray of int64 of shape (P, 2)
            0-based node indices i < j; a pair comes once.
        weights : ndarray of int64 of shape (P, C)
            Weights of the cells of the pairs, i to j and, if directed, j to i; pairs that are left
            out have none.
        """
        yield self._thinned(rng)
        for pairs, log_mu in self.visited():
            yield pairs, draw_weights(self.spec, self.draw, _capped(log_mu), rng)

    def visited(self) -> Iterator[tuple[IntArray, FloatArray]]:
        """Return the cells that are visited, those of large means among them.

        Yields
        ------
        pairs : ndarray of int64 of shape (P, 2)
            0-based node indices i < j; a pair comes once.
        log_mu : ndarray of shape (P, C)
            Log means of the cells of the pairs, in nats, as :meth:`drawn` has their weights.
        """
        size = np.diff(self._start)
        cells = np.cumsum(size[self._first] * size[self._second])
        first = 0
        while first < len(cells):
            before = cells[first - 1] if first else 0
            last = max(first + 1, int(np.searchsorted(cells, before + BLOCK_CELLS // 2, "right")))
            pairs = self._pairs(self._first[first:last], self._second[first:last])
            yield pairs, log_mean_cells(self.spec, self.draw, pairs, both=self.directed)
            first = last

    def _pairs(self, first: IntArray, second: IntArray) -> IntArray:
        """Return all pairs of nodes of pairs of groups."""
        rows, columns = (np.diff(self._start)[group] for group in (first, second))
        block = np.repeat(np.arange(len(first)), rows * columns)
        cell = np.arange(len(block)) - (np.cumsum(rows * columns) - rows * columns)[block]
        i = self._start[first[block]] + cell // columns[block]
        j = self._start[second[block]] + cell % columns[block]
        kept = i < j
        return np.sort(self._order[np.column_stack([i[kept], j[kept]])], axis=1)

    def _thinned(self, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
        """Draw the cells of the blocks where few cells have an edge."""
        total = self._cumulative[-1]
        shares = np.sort(rng.random(rng.poisson(total)))  # in order they are looked up faster
        block = np.searchsorted(self._cumulative, total * shares, side="right")
        block = np.minimum(block, self._last)
        a, b = np.divmod(block, len(self._start) - 1)
        i, j = self._sender.draw(a, rng), self._receiver.draw(b, rng)
        kept = i != j if self.directed else (i < j) | (a != b)
        i, j, a, b, block = i[kept], j[kept], a[kept], b[kept], block[kept]
        bound = self._log_mass.ravel()[block] - self._sender.log_total[a]
        bound += self._sender.charge[i] + self._receiver.charge[j] - self._receiver.log_total[b]
        s, r = self._order[i], self._order[j]
        log_mu = _capped(log_mean(self.spec, self.draw, s, r))
        accepted = np.log1p(-rng.random(len(s))) < log_mu - bound
        s, r, log_mu = s[accepted], r[accepted], log_mu[accepted]
        return self._weighed(s, r, log_mu, rng)

    def _weighed(
        self, sender: IntArray, receiver: IntArray, log_mu: FloatArray, rng: np.random.Generator
    ) -> tuple[IntArray, IntArray]:
        """Make weights of points that have the rates μ of their cells."""
        spec, n_nodes = self.spec, len(self._order)
        mean = np.exp(log_mu)
        both = mean
        if spec.likelihood == "dyadic":
            both = mean + np.exp(_capped(log_mean(spec, self.draw, receiver, sender)))
        weight = np.ones(len(sender), dtype=np.int64)
        if spec.likelihood != "poisson":
            phi = self.draw["phi"] if spec.dispersed else np.ones(())
            # the rate of having any edge, over that of the points
            kept = rng.random(len(both)) * both < phi * np.log1p(both / phi)
            sender, receiver, mean, both = (v[kept] for v in (sender, receiver, mean, both))
            weight = weight[kept]
            if spec.dispersed:
                share = np.minimum(both / (both + phi), np.nextafter(1.0, 0.0))
                weight = rng.logseries(share)
        cells = [(sender, receiver, weight)]
        if spec.likelihood == "dyadic":
            there = rng.binomial(weight, np.minimum(mean / both, 1.0))
            cells = [(sender, receiver, there), (receiver, sender, weight - there)]
        sender, receiver, weight = map(np.concatenate, zip(*cells, strict=True))
        low, high = np.minimum(sender, receiver), np.maximum(sender, receiver)
        pair, row = np.unique(low * n_nodes + high, return_inverse=True)
        weights = np.zeros((len(pair), 2 if self.directed else 1), dtype=np.int64)
        way = np.where(self.directed, sender > receiver, False).astype(np.int64)
        np.add.at(weights, (row, way), weight)
        if spec.likelihood == "bernoulli":
            np.minimum(weights, 1, out=weights)
        return np.column_stack(np.divmod(pair, n_nodes)), weights


def draw_weights(
    spec: ModelSpec, parameters: Parameters, log_mu: FloatArray, rng: np.random.Generator
) -> IntArray:
    """Draw the weights of pairs of nodes.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    parameters : dict of str to ndarray
        Parameters of one draw.
    log_mu : ndarray of shape (P, C)
        What :func:`lsm_stan.model.likelihood.log_mean` returns, in nats: a row has the cells of one
        pair, which share a frailty in ``dyadic``.
    rng : numpy.random.Generator
        Source of random numbers.

    Returns
    -------
    ndarray of int64 of shape (P, C)
        Counts.
    """
    mean = mean_weight(spec, log_mu)
    if spec.likelihood == "bernoulli":
        return rng.binomial(1, mean)
    if spec.dispersed:
        shape = (len(mean), 1) if spec.likelihood == "dyadic" else mean.shape
        mean = mean * rng.gamma(parameters["phi"], 1 / parameters["phi"], size=shape)
    return rng.poisson(mean)


def log_mean_cells(
    spec: ModelSpec, parameters: Parameters, pairs: IntArray, *, both: bool
) -> FloatArray:
    """Return log μ of the cells of pairs.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    parameters : dict of str to ndarray
        Parameters of one draw.
    pairs : ndarray of int64 of shape (P, 2)
        0-based node indices.
    both : bool
        Whether a pair (i, j) has two cells, i to j and j to i, or the first only.

    Returns
    -------
    ndarray of shape (P, 2) or (P, 1)
        Log means, in nats.
    """
    there = log_mean(spec, parameters, *pairs.T)
    if not both:
        return there[:, np.newaxis]
    back = there if spec.symmetric else log_mean(spec, parameters, *pairs[:, ::-1].T)
    return np.column_stack([there, back])


class _Ends:
    """The ends of edges, senders or receivers, by their share of the rates of their group."""

    def __init__(self, charge: FloatArray, start: IntArray) -> None:
        rows, size = start[:-1], np.diff(start)
        largest = np.maximum.reduceat(charge, rows)
        share = np.exp(charge - np.repeat(largest, size))
        total = np.add.reduceat(share, rows)
        self.charge = charge
        self.log_total = largest + np.log(total)
        self._start = start
        # of group g, from g to g + 1
        within = np.cumsum(share / np.repeat(total, size))
        self._cumulative = within - np.repeat(within[rows] - share[rows] / total, size)
        self._cumulative += np.repeat(np.arange(len(rows)), size)

    def draw(self, group: IntArray, rng: np.random.Generator) -> IntArray:
        """Draw a node of each of the groups."""
        node = np.searchsorted(self._cumulative, group + rng.random(len(group)), side="right")
        return np.clip(node, self._start[group], self._start[group + 1] - 1)


def _groups(positions: FloatArray, number: int) -> tuple[IntArray, IntArray]:
    """Return nodes in an order in which groups of neighbours follow each other, and their starts.

    Every group is halved again and again at the median of its widest coordinate.
    """
    n = len(positions)
    order = np.arange(n)
    levels = int(np.ceil(np.log2(number)))
    for level in range(levels):
        start = np.arange(2**level) * n // 2**level
        at = positions[order]
        width = np.maximum.reduceat(at, start) - np.minimum.reduceat(at, start)
        group = np.repeat(np.arange(len(start)), np.diff(np.append(start, n)))
        key = at[np.arange(n), width.argmax(axis=1)[group]]
        order = order[np.lexsort((key, group))]
    return order, np.arange(2**levels + 1) * n // 2**levels


def _charges(
    spec: ModelSpec, draw: Parameters, n_nodes: int
) -> tuple[FloatArray, FloatArray, float]:
    """Return what senders and receivers add to log μ, and the most that is added to any."""
    sender, receiver = np.zeros((2, n_nodes))
    top = float(draw["intercept"]) if spec.intercept else 0.0
    if spec.effects:
        sender, receiver = sender + draw["sender_effect"], receiver + draw["receiver_effect"]
    if spec.covariates is not None:
        coefficients = spec.covariates.coefficients(draw.get("beta"))
        of_nodes, of_dyads = np.split(coefficients, [spec.covariates.n_of_nodes])
        sender = sender + spec.covariates.sender @ of_nodes
        receiver = receiver + spec.covariates.receiver @ of_nodes
        top += float(np.maximum(*(of_dyads * end for end in spec.covariates.ranges())).sum())
    return sender, receiver, top


def _log_bounds(
    spec: ModelSpec, sends: FloatArray, receives: FloatArray, start: IntArray
) -> FloatArray:
    """Return ``(G, G)`` bounds of log f between groups of nodes, from the boxes that hold them."""
    sender = [ends.reduceat(sends, start) for ends in (np.minimum, np.maximum)]
    receiver = [ends.reduceat(receives, start) for ends in (np.minimum, np.maximum)]
    total = np.zeros((len(start), len(start)))
    for k in range(sends.shape[1]):
        (low, high), (to_low, to_high) = (
            [end[:, k] for end in ends] for ends in (sender, receiver)
        )
        if spec.form == "inner":
            products = [np.outer(end, to) for end in (low, high) for to in (to_low, to_high)]
            total += np.maximum.reduce(products)
        else:
            gap = np.maximum(low[:, None] - to_high, to_low - high[:, None])
            total += np.maximum(gap, 0.0) ** 2
    # a little above what is rounded
    return (total if spec.form == "inner" else log_form(spec, total)) + 1e-9 * (1 + np.abs(total))


def _capped(log_mu: FloatArray) -> FloatArray:
    return np.minimum(log_mu, np.log(MAX_MEAN))
