"""Jumps of groups of nodes, learned from draws: where nodes have been, they may go again.

Some nodes and small clans of nodes have several places, and NUTS finds the way from one to another
once in hundreds of draws. A jump takes a group from its place in one
draw to that in another, as a rigid body. Places are meant in a frame that lies on other nodes,
above all on those that the group has links to: what matters is where the group is among them.
`stan/methods/moves.hpp` says how jumps are made, and why they leave the posterior as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from lsm_stan.inference.problem import Problem
from lsm_stan.network.pairs import hidden_cells, pair_weights
from lsm_stan.typing import FloatArray, IntArray

#: Pairs of draws that are compared, and draws that each jump is tried at.
COMPARED, TRIED = 600, 12

#: Most nodes in a group, and in a frame.
GROUP, FRAME = 8, 12

#: Most jumps in all, about.
JUMPS = 2500

#: Least share of tries that is accepted of a jump that is kept.
LEAST_ACCEPTED = 0.0005

#: A node has moved between two draws where it is off by so many times the median.
FAR = (1.5, 3.0)

#: Linked nodes have moved as one where they are nearer than this share of how far they moved.
NEAR = 0.5

#: How much a frame clings to a node without a link, in units of weight.
WITHOUT_LINK = 0.03


@dataclass(frozen=True)
class Jump:
    """A rigid map of a group of nodes, ``y -> turn @ y + shift`` or back, in a frame.

    Attributes
    ----------
    group : ndarray of int of shape (G,)
        The nodes that move.
    frame : ndarray of int of shape (F,)
        Nodes that the frame lies on; none of the group.
    weight : ndarray of shape (F,)
        How much it clings to each of them; their sum is 1.
    place : ndarray of shape (F, K)
        Where they are in the frame; their weighted mean is 0.
    turn : ndarray of shape (K, K)
        An orthogonal matrix.
    shift : ndarray of shape (K,)
        A vector.
    chance : float, default 1.0
        How often it is tried, relative to others.
    """

    group: IntArray
    frame: IntArray
    weight: FloatArray
    place: FloatArray
    turn: FloatArray
    shift: FloatArray
    chance: float = 1.0

    def apply(self, z: FloatArray, *, back: bool = False) -> FloatArray:
        """Return where the group goes.

        Parameters
        ----------
        z : ndarray of shape (M, N, K)
            Position sets.
        back : bool, default False
            Whether to take the inverse map.

        Returns
        -------
        ndarray of shape (M, G, K)
        """
        rotation, centre = _onto(z[:, self.frame], self.place, self.weight)
        y = (z[:, self.group] - centre) @ rotation
        y = (y - self.shift) @ self.turn if back else y @ self.turn.T + self.shift
        return np.asarray(y @ np.swapaxes(rotation, 1, 2) + centre)


@dataclass(frozen=True)
class PairEnergies:
    """What the energy ``u(d) = weight log d + cells / d`` of every pair is made of.

    Attributes
    ----------
    weight : csr_array of shape (N, N)
        What :func:`lsm_stan.network.pairs.pair_weights` returns.
    hidden : csr_array of shape (N, N)
        What :func:`lsm_stan.network.pairs.hidden_cells` returns.
    cells : int
        How many cells a pair has that is not hidden.
    prior_scale : float
        Standard deviation of each coordinate's prior.
    """

    weight: csr_array
    hidden: csr_array
    cells: int
    prior_scale: float

    @classmethod
    def of(cls, problem: Problem) -> PairEnergies:
        """Return the pairs of a problem.

        Parameters
        ----------
        problem : Problem
            The model, which has no parameters but positions, and its network.

        Returns
        -------
        PairEnergies
        """
        network = problem.network
        cells = 2 if network.directed else 1
        return cls(pair_weights(network), hidden_cells(network), cells, problem.prior_scale)


def learn_jumps(problem: Problem, draws: FloatArray, seed: int) -> list[Jump]:
    """Learn jumps from draws.

    Groups are nodes that have moved between two draws, together with linked ones that have moved
    with them. Slow ones get more jumps. Those that other draws never accept are dropped.

    Parameters
    ----------
    problem : Problem
        The model and its network.
    draws : ndarray of shape (C, S, N, K)
        Draws of positions, by chain.
    seed : int
        The same seed gives the same jumps.

    Returns
    -------
    list of Jump
    """
    rng = np.random.default_rng(seed)
    pairs = PairEnergies.of(problem)
    slow = slowness(draws, rng)
    pool = draws.reshape(-1, *draws.shape[2:])
    places: dict[tuple[int, ...], list[tuple[int, int]]] = {}
    for _ in range(COMPARED if len(pool) > 1 else 0):
        one, other = map(int, rng.choice(len(pool), 2, replace=False))
        for group in sorted(moved_together(pairs.weight, pool[one], pool[other])):
            places.setdefault(group, []).append((one, other))
    need = {group: float(slow[list(group)].mean() ** 2) for group in places}
    jumps = []
    for group, ends in places.items():
        share = JUMPS * need[group] / sum(need.values())
        kept = []
        for one, other in ends[: max(1, round(share))]:
            jump = jump_between(pairs.weight, pool[one], pool[other], np.array(group))
            at = pool[rng.choice(len(pool), min(TRIED, len(pool)), replace=False)]
            if acceptance(pairs, jump, at) > LEAST_ACCEPTED:
                kept.append(jump)
        jumps += [replace(jump, chance=need[group] / len(kept)) for jump in kept]
    return jumps


def moved_together(link: csr_array, one: FloatArray, other: FloatArray) -> set[tuple[int, ...]]:
    """Return groups of nodes that have moved between two draws, each as one.

    Parameters
    ----------
    link : csr_array of shape (N, N)
        Weights between nodes.
    one : ndarray of shape (N, K)
        A draw of positions.
    other : ndarray of shape (N, K)
        Another.

    Returns
    -------
    set of tuple of int
        Groups of at most :data:`GROUP` nodes.
    """
    off = _displacement(one, other)
    start, end = link.nonzero()
    before = np.linalg.norm(one[start] - one[end], axis=1)
    after = np.linalg.norm(other[start] - other[end], axis=1)
    together = np.maximum(before, after) < NEAR * np.minimum(off[start], off[end])
    usual = max(np.median(off), 1e-9 * np.abs(one).max())  # rounding is no movement
    groups = set()
    for far in FAR:
        moved = off > far * usual
        bound = together & moved[start] & moved[end]
        # SciPy before 1.13 finds components by 32-bit indices only
        ends = start[bound].astype(np.int32), end[bound].astype(np.int32)
        graph = csr_array((np.ones(len(ends[0])), ends), shape=link.shape)
        _, label = connected_components(graph, directed=False)
        for part in np.unique(label[moved]):
            members = np.flatnonzero(label == part)
            if len(members) <= min(GROUP, len(one) - 1 - one.shape[1]):
                groups.add(tuple(members.tolist()))
    return groups


def jump_between(link: csr_array, one: FloatArray, other: FloatArray, group: IntArray) -> Jump:
    """Return the jump of a group from its place in one draw to that in another.

    Parameters
    ----------
    link : csr_array of shape (N, N)
        Weights between nodes.
    one : ndarray of shape (N, K)
        A draw of positions.
    other : ndarray of shape (N, K)
        Another.
    group : ndarray of int of shape (G,)
        The nodes that move.

    Returns
    -------
    Jump
    """
    outside = np.delete(np.arange(len(one)), group)
    cling = np.zeros(len(outside))
    linked = link[group].toarray()[:, outside] + WITHOUT_LINK
    for z in (one, other):
        difference = z[group][:, None] - z[outside]
        squared = np.einsum("gok,gok->go", difference, difference)
        cling += (linked / squared).sum(axis=0)
    kept = np.argsort(-cling)[:FRAME]
    frame, weight = outside[kept], cling[kept] / cling[kept].sum()
    first = one[frame] - weight @ one[frame]
    rotation, centre = _onto(other[None, frame], first, weight)
    place = 0.5 * (first + (other[frame] - centre[0]) @ rotation[0])
    here, there = (
        (z[group] - centre[0]) @ rotation[0]
        for z in (one, other)
        for rotation, centre in [_onto(z[None, frame], place, weight)]
    )
    even = np.full(len(group), 1 / len(group))
    turn = np.eye(one.shape[1])
    if len(group) > 1:
        turn = _onto(here[None], there - even @ there, even)[0][0].T
    shift = even @ there - turn @ (even @ here)
    return Jump(group, frame, weight, place, turn, shift)


def acceptance(pairs: PairEnergies, jump: Jump, draws: FloatArray) -> float:
    """Return the share of tries of a jump that draws accept.

    Parameters
    ----------
    pairs : PairEnergies
        The pairs of the network.
    jump : Jump
        The jump.
    draws : ndarray of shape (M, N, K)
        Draws of positions.

    Returns
    -------
    float
        From 0 to 1.
    """
    return float(np.exp(-np.clip(energy_rises(pairs, jump, draws), 0, 700)).mean())


def energy_rises(pairs: PairEnergies, jump: Jump, draws: FloatArray) -> FloatArray:
    """Return by how much a jump, and its inverse, lower the log joint density.

    Parameters
    ----------
    pairs : PairEnergies
        The pairs of the network.
    jump : Jump
        The jump.
    draws : ndarray of shape (M, N, K)
        Draws of positions.

    Returns
    -------
    ndarray of shape (2, M)
        In nats; of the jump, and of its inverse.
    """
    group = jump.group
    outside = np.delete(np.arange(draws.shape[1]), group)
    weight = pairs.weight[group].toarray()[:, outside]
    cells = pairs.cells - pairs.hidden[group].toarray()[:, outside]

    def energy(z: FloatArray) -> FloatArray:
        difference = z[:, :, None] - draws[:, None, outside]
        squared = np.einsum("mgok,mgok->mgo", difference, difference)
        of_cells = np.einsum("go,mgo->m", cells, 1 / np.sqrt(squared))
        of_weights = 0.5 * np.einsum("go,mgo->m", weight, np.log(squared))
        return np.asarray(
            of_cells + of_weights + 0.5 * (z**2).sum(axis=(1, 2)) / pairs.prior_scale**2
        )

    there, back = jump.apply(draws), jump.apply(draws, back=True)
    return np.array([energy(there), energy(back)]) - energy(draws[:, group])


def slowness(draws: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return how slowly each node moves: the variance that means of half chains have.

    Parameters
    ----------
    draws : ndarray of shape (C, S, N, K)
        Draws of positions, by chain.
    rng : Generator
        Chooses the nodes that distances are taken to.

    Returns
    -------
    ndarray of shape (N,)
        The median over distances to other nodes, in units of the distance's own variance.
    """
    n_nodes, half = draws.shape[2], draws.shape[1] // 2
    to = rng.choice(n_nodes, min(15, n_nodes), replace=False)
    halves = draws[:, : 2 * half].reshape(-1, half, *draws.shape[2:])
    ratios = []
    for other in to:  # at once they would fill the memory
        distance = np.linalg.norm(halves - halves[:, :, [other]], axis=-1)
        within = distance.var(axis=(0, 1))
        ratios.append(distance.mean(axis=1).var(axis=0) / np.where(within > 0, within, 1))
    return np.asarray(np.median(ratios, axis=0) + 1e-6)


def _onto(
    source: FloatArray, target: FloatArray, weight: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return rotations and centres: ``(source - centre) @ rotation`` lies on a centred target."""
    centre = np.einsum("f,mfk->mk", weight, source)[:, None]
    u, _, vt = np.linalg.svd(np.einsum("f,mfk,fl->mkl", weight, source - centre, target))
    return u @ vt, centre


def _displacement(one: FloatArray, other: FloatArray) -> FloatArray:
    """Return how far each node has moved, where those that have moved far do not count."""
    weight = np.full(len(one), 1 / len(one))
    for _ in range(5):
        first = one - weight @ one
        rotation, centre = _onto(other[None], first, weight)
        squared = (((other - centre[0]) @ rotation[0] - first) ** 2).sum(axis=1)
        weight = 1 / (1 + squared / max(np.median(squared), 1e-300))
        weight /= weight.sum()
    return np.asarray(np.sqrt(squared))
