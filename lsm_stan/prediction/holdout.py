"""Which dyads are held out: seeded splits of the observed dyads of a network.

Every function returns node indices ``(sender, receiver)`` for :meth:`Network.hide
<lsm_stan.network.network.Network.hide>`, in the order of edges. Dyads that were not observed are
never among them. The two directions of a pair share their distance, so that one tells of the other:
they are held out together unless single dyads are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import numpy as np

from lsm_stan.choices import Scheme
from lsm_stan.errors import InputError
from lsm_stan.network.network import Network
from lsm_stan.network.pairs import nth_dyad, nth_pair, pair_number
from lsm_stan.network.readers import ensure_network
from lsm_stan.typing import IntArray

Dyads = tuple[IntArray, IntArray]


#: Share of the nodes of which :func:`hold_out_nodes` hides dyads.
NODES_SHARE = 0.1

#: The most pairs (or dyads) that a random split holds out: enough to score, few enough to hide.
MOST_HELD_OUT = 1_000_000

#: The most pairs (or dyads) of a network that is divided into folds.
MOST_FOLDED = 50_000_000


def hold_out(network: Network, share: float, *, seed: int, together: bool = True) -> Dyads:
    """Draw a random share of the observed dyads.

    Parameters
    ----------
    network : Network
        N nodes.
    share : float
        Share of the observed dyads (of the pairs, where directions go together), between 0 and 1;
        of a large network at most :data:`MOST_HELD_OUT` of them.
    seed : int
        The same seed gives the same dyads.
    together : bool, default True
        Whether the two directions of a pair are held out together.

    Returns
    -------
    sender, receiver : ndarray of int64 of shape (D,)
        Node indices, from 0.

    Raises
    ------
    InputError
        If `share` is not between 0 and 1, or no dyad would be held out or none left.

    Examples
    --------
    >>> network = Network.from_edges(["a", "b"], ["b", "c"], [1, 3])
    >>> sender, receiver = hold_out(network, 0.34, seed=1)
    >>> len(sender), bool((sender == receiver[::-1]).all())
    (2, True)
    """
    units = _Units(network, together)
    chosen = _draw(units.n_observed, share, np.random.default_rng(seed))
    return units.dyads(units.nth_observed(chosen))


def hold_out_nodes(network: Network, share: float, *, seed: int, together: bool = True) -> Dyads:
    """Draw a random share of the observed dyads of a tenth of the nodes (at least one).

    The edges of some nodes are then partly hidden; those among the others are all known.

    Parameters
    ----------
    network : Network
        N nodes.
    share : float
        Share of the observed dyads that touch the drawn nodes, between 0 and 1; of a large
        network at most :data:`MOST_HELD_OUT` of them.
    seed : int
        The same seed gives the same dyads.
    together : bool, default True
        Whether the two directions of a pair are held out together.

    Returns
    -------
    sender, receiver : ndarray of int64 of shape (D,)
        Node indices, from 0.
    """
    rng = np.random.default_rng(seed)
    n = network.n_nodes
    nodes = rng.choice(n, size=max(1, round(NODES_SHARE * n)), replace=False)
    if len(nodes) * n > MOST_FOLDED:
        return _touching(_Units(network, together), nodes, share, rng)
    ends = np.repeat(nodes, n), np.tile(np.arange(n), len(nodes))
    between = ends[0] != ends[1]
    node, other = ends[0][between], ends[1][between]
    units = _Units(network, together)
    touching = np.union1d(units.numbers(node, other), units.numbers(other, node))
    touching = touching[~np.isin(touching, units.unobserved)]
    return units.dyads(touching[_draw(len(touching), share, rng)])


def folds(network: Network, n_folds: int, *, seed: int, together: bool = True) -> list[Dyads]:
    """Divide the observed dyads into disjoint folds of (almost) one size.

    Parameters
    ----------
    network : Network
        N nodes.
    n_folds : int
        Number of folds, at least 2.
    seed : int
        The same seed gives the same folds.
    together : bool, default True
        Whether the two directions of a pair are held out together.

    Returns
    -------
    list of tuple of ndarray
        `n_folds` times ``(sender, receiver)``; every observed dyad is in one of them.

    Raises
    ------
    InputError
        If there are fewer observed dyads (or pairs) than folds, or fewer than 2 folds; or more
        than :data:`MOST_FOLDED` of them.
    """
    units = _Units(network, together)
    if not 2 <= n_folds <= units.n_observed:
        raise InputError(
            f"{n_folds} folds are asked for; there can be 2 to {units.n_observed}, the number of"
            f" {'pairs' if together else 'dyads'} observed"
        )
    if units.n_observed > MOST_FOLDED:
        raise InputError(
            f"folds hold every dyad out once, and there are {units.n_observed:,}; at most"
            f" {MOST_FOLDED:,} can be divided: take scheme random, which holds out a sample"
        )
    order = np.random.default_rng(seed).permutation(units.n_observed)
    return [units.dyads(units.nth_observed(part)) for part in np.array_split(order, n_folds)]


def splits(
    network: Network,
    number: int,
    *,
    seed: int,
    scheme: Scheme = "random",
    share: float = 0.1,
    together: bool = True,
) -> Iterator[Dyads]:
    """Yield several splits by one scheme.

    Parameters
    ----------
    network : Network
        N nodes.
    number : int
        Number of splits.
    seed : int
        Seed of the first random split, or of the folds; the next random split has the next seed.
    scheme : {"random", "folds", "nodes"}, default "random"
        Way to draw dyads. ``"random"``: :func:`hold_out`; ``"folds"``: :func:`folds`; ``"nodes"``:
        :func:`hold_out_nodes`.
    share : float, default 0.1
        Share of the dyads that a random split holds out; folds have none.
    together : bool, default True
        Whether the two directions of a pair are held out together.

    Yields
    ------
    sender, receiver : ndarray of int64 of shape (D,)
        Node indices, from 0.

    Raises
    ------
    InputError
        If there is no such scheme, fewer than 1 split, or a split would hold out none or all.
    """
    if scheme not in get_args(Scheme):
        raise InputError(f"no scheme {scheme!r}; there are {', '.join(get_args(Scheme))}")
    if number < 1:
        raise InputError(f"{number} splits are asked for; at least 1 is needed")
    if scheme == "folds":
        yield from folds(network, number, seed=seed, together=together)
        return
    draw = hold_out if scheme == "random" else hold_out_nodes
    for split in range(number):
        yield draw(network, share, seed=seed + split, together=together)


def held_share(network: Network, share: float, *, together: bool) -> float:
    """Return what share of the dyads :func:`hold_out` holds out.

    Parameters
    ----------
    network : Network
        N nodes.
    share : float
        Share that is asked for.
    together : bool
        Whether the two directions of a pair are held out together.

    Returns
    -------
    float
        The same, or less where that would be more than :data:`MOST_HELD_OUT`.
    """
    return min(share, MOST_HELD_OUT / _Units(network, together).n_observed)


def in_words(
    number: int, *, seed: int, scheme: Scheme, share: float, together: bool, directed: bool
) -> str:
    """Return what :func:`splits` does with a network, for pages.

    Parameters
    ----------
    number, seed : int
        Number of splits, and their seed.
    scheme : {"random", "folds", "nodes"}
        Way to draw dyads; see :func:`splits`.
    share : float
        Share of the dyads that a random split holds out.
    together : bool
        Whether the two directions of a pair are held out together.
    directed : bool
        Whether the network is directed.

    Returns
    -------
    str

    Examples
    --------
    >>> in_words(2, seed=1, scheme="random", share=0.1, together=True, directed=False)
    '10% of the pairs of nodes, 2 times at random (seeds 1 to 2)'
    """
    single, both = "single ordered dyads", "pairs of nodes, both directions together"
    units = (both if together else single) if directed else "pairs of nodes"
    if scheme == "folds":
        return f"{number} disjoint folds of the {units} (seed {seed})"
    where = " that touch a tenth of the nodes" if scheme == "nodes" else ""
    times = f"{number} times" if number > 1 else "once"
    seeds = f"seeds {seed} to {seed + number - 1}" if number > 1 else f"seed {seed}"
    percent = f"{share:.0%}" if share >= 0.01 else f"{100 * share:.2g}%"
    return f"{percent} of the {units}{where}, {times} at random ({seeds})"


class _Units:
    """What is held out as one, numbered from 0: pairs of nodes, or ordered dyads."""

    def __init__(self, network: Network, together: bool) -> None:
        ensure_network(network)
        self.network = network
        self.pairs = together or not network.directed
        n = network.n_nodes
        hidden = network.hidden_sender, network.hidden_receiver
        number, times = np.unique(self.numbers(*hidden), return_counts=True)
        # of a directed pair one direction may be hidden, and the other not
        both = 2 if self.pairs and network.directed else 1
        self.unobserved = number[times == both]
        self.n_observed = n * (n - 1) // (2 if self.pairs else 1) - len(self.unobserved)

    def numbers(self, sender: IntArray, receiver: IntArray) -> IntArray:
        """Return the numbers of the units that dyads belong to."""
        if self.pairs:
            return pair_number(sender, receiver)
        return sender * (self.network.n_nodes - 1) + receiver - (receiver > sender)

    def nth_observed(self, number: IntArray) -> IntArray:
        """Return the numbers of units that are counted among the observed ones only."""
        before = self.unobserved - np.arange(len(self.unobserved))
        return number + np.searchsorted(before, number, side="right")

    def ends(self, number: IntArray) -> Dyads:
        """Return the ends of units."""
        return nth_pair(number) if self.pairs else nth_dyad(number, self.network.n_nodes)

    def dyads(self, number: IntArray) -> Dyads:
        """Return the observed dyads of units."""
        n = self.network.n_nodes
        sender, receiver = self.ends(number)
        cells = sender * n + receiver
        if self.pairs and self.network.directed:
            cells = np.concatenate([cells, receiver * n + sender])
        cells = np.sort(cells[~np.isin(cells, self.network.hidden_cells)])
        return cells // n, cells % n


def _size(total: int, share: float) -> int:
    """Return how many of so many units are held out."""
    size = min(round(share * total), MOST_HELD_OUT) if 0 < share < 1 else 0
    if not 0 < size < total:
        raise InputError(
            f"share is {share!r}; a number between 0 and 1 is needed that holds out some of"
            f" {total} and leaves some"
        )
    return size


def _draw(total: int, share: float, rng: np.random.Generator) -> IntArray:
    """Draw a share of the numbers below `total`."""
    size = _size(total, share)
    if size < MOST_HELD_OUT:
        return rng.choice(total, size=size, replace=False)
    chosen = np.zeros(0, dtype=np.int64)
    while len(chosen) < size:  # the generator's own way needs room for all numbers
        chosen = np.union1d(chosen, rng.integers(total, size=2 * size))
    return rng.choice(chosen, size=size, replace=False)


def _touching(units: _Units, nodes: IntArray, share: float, rng: np.random.Generator) -> Dyads:
    """Draw dyads of nodes of a large network, without a list of all that touch them."""
    n = units.network.n_nodes
    inside = np.zeros(n, dtype=bool)
    inside[nodes] = True
    others = n - len(nodes)
    total = n * (n - 1) - others * (others - 1)  # ordered dyads that touch the nodes
    total //= 2 if units.pairs else 1
    size = _size(total, share)
    chosen = np.zeros(0, dtype=np.int64)
    while len(chosen) < size:
        numbers = units.nth_observed(rng.integers(units.n_observed, size=4 * size))
        sender, receiver = units.ends(numbers)
        chosen = np.union1d(chosen, numbers[inside[sender] | inside[receiver]])
    return units.dyads(rng.choice(chosen, size=size, replace=False))
