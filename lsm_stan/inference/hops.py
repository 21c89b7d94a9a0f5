"""Basin hopping: a node leaves its place, L-BFGS settles all of them, and the step is kept or not.

A mode of this posterior has neighbours that differ by the places of a few nodes, which no gradient
leads to: other nodes are in the way. A hop takes a node, at times with one or two that it is
linked with, to the best of some random places, and climbs from there (Wales & Doye, J. Phys. Chem.
A 101, 1997; Metropolis et al., 1953, at a temperature of one nat). One process of the compiled
program weighs the places, by the density of the whole network, so this serves every model.

On C. elegans (K = 3, tutorial), from a mode of loss 35,395, 15 seconds of hops with a busy second
core end at these losses (seeds 1 and 2; before, the best known mode was 35,388.6):

=====================================================================  ==================
climbs in z, 200 places                                                35,392.6
climbs in preconditioned coordinates, 200 places                       35,382.9
50 places                                                              35,379.9, 35,381.0
50 places, climbs to 0.01 nats instead of 0.001                        35,380.9
50 places, linked nodes come along twice as often                      35,381.3
=====================================================================  ==================
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from lsm_stan.inference.problem import Problem
from lsm_stan.inference.run import Run
from lsm_stan.inference.units import first_step, length
from lsm_stan.model.parameters import Parameters, flat
from lsm_stan.network.network import Network
from lsm_stan.network.pairs import pair_weights
from lsm_stan.progress import has_bars
from lsm_stan.typing import FloatArray

#: Hops a node that a network of up to so many nodes gets unless asked otherwise. A hop costs N²: a
#: larger network gets fewer, at about the same cost.
HOPS_A_NODE, USUAL_NODES = 2, 300

#: Places that are weighed for each hop.
PLACES = 50

#: Chance that one more node, linked with the last, comes along; and most nodes of a hop.
COMPANY, MOST_NODES = 0.3, 3

#: A place lies this far from another node, in logs of shares of the positions' root mean square.
LOG_DISTANCES = (math.log(0.0075), math.log(0.25))

#: Fall of the log joint that a hop is kept with at a chance of 1/e, in nats.
TEMPERATURE = 1.0

#: A climb ends where an iteration gains less, in nats; the last one goes on.
ROUGH, FINE = 0.01, 1e-12

#: Tells the hops' random numbers from those of the starts, which have the same seed.
STREAM = 1

#: Most iterations of a climb.
ITERATIONS = 500


@dataclass(frozen=True)
class Hopping:
    """What came of hops.

    Attributes
    ----------
    point : dict of str to ndarray
        Parameters of the best mode.
    accepted : int
        How many hops were kept.
    gain : float
        How much higher the log joint is than where the hops began, in nats.
    gradients : int
        Evaluations of the gradient.
    """

    point: Parameters
    accepted: int
    gain: float
    gradients: int


def usual_hops(n_nodes: int) -> int:
    """Return how many hops a network gets unless asked otherwise.

    Parameters
    ----------
    n_nodes : int
        N.

    Returns
    -------
    int

    Examples
    --------
    >>> usual_hops(100), usual_hops(3000)
    (200, 6)
    """
    if n_nodes <= USUAL_NODES:
        return HOPS_A_NODE * n_nodes
    return int(HOPS_A_NODE * USUAL_NODES * (USUAL_NODES / n_nodes) ** 2)


def hop(run: Run, point: Parameters, hops: int) -> Hopping:
    """Look for a better mode near one.

    Parameters
    ----------
    run : Run
        The run; its seed draws the hops.
    point : dict of str to ndarray
        Parameters of a mode.
    hops : int
        Number of hops.

    Returns
    -------
    Hopping
    """
    problem = run.problem
    rng = np.random.default_rng([run.seed, STREAM])
    linked = neighbours(problem.network)
    change = problem.preconditioner(point["z"][None])
    step = first_step(problem.network)
    with ExitStack() as stack:
        places = stack.enter_context(run.compiled.density(problem.stan_data()))
        climbs = places
        if change is not None:
            climbs = stack.enter_context(run.compiled.density(problem.stan_data(change=change)))

        def climb(start: Parameters, tolerance: float) -> tuple[float, Parameters]:
            row = flat(problem.coordinates(start, change=change))[None]
            value, end = climbs.ascend(
                row, iterations=ITERATIONS, first_step=step, tolerance=tolerance
            )
            return float(value[0]), problem.at_coordinates(end[0], change=change)

        height, here = climb(point, FINE)
        first, best, summit = height, height, here
        accepted = 0
        bar = stack.enter_context(
            tqdm(total=hops, desc="hops", unit="hop", disable=not has_bars(run.show_progress))
        )
        for _ in range(hops):
            group = linked_group(linked, rng)
            tries = moved(problem, here["z"], group, linked, rng)
            densities = places.log_prob(_rows(problem, here, tries))
            start = {**here, "z": tries[int(np.argmax(np.nan_to_num(densities, nan=-np.inf)))]}
            reached, end = climb(start, ROUGH)
            if np.log(rng.random()) * TEMPERATURE < reached - height:
                height, here, accepted = reached, end, accepted + 1
            if height > best:
                best, summit = height, here
                bar.set_postfix(loss=f"{-best:,.1f}")
            bar.update()
        best, summit = climb(summit, FINE)
    return Hopping(summit, accepted, best - first, climbs.gradients)


def neighbours(network: Network) -> list[NDArray[np.int64]]:
    """Return the nodes that each node is linked with, either way.

    Parameters
    ----------
    network : Network
        N nodes.

    Returns
    -------
    list of ndarray of int
        One array a node, ascending; without the node itself.
    """
    links = pair_weights(network)
    return np.split(links.indices.astype(np.int64), links.indptr[1:-1])


def linked_group(
    linked: Sequence[NDArray[np.int64]], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw the nodes of a hop: one, at times with some that hang together with it.

    Parameters
    ----------
    linked : sequence of ndarray of int
        The nodes that each node is linked with.
    rng : Generator
        Draws them.

    Returns
    -------
    ndarray of int
        At most :data:`MOST_NODES` nodes.
    """
    group = [int(rng.integers(len(linked)))]
    while len(group) < MOST_NODES and len(linked[group[-1]]) and rng.random() < COMPANY:
        companion = int(rng.choice(linked[group[-1]]))
        if companion in group:
            break
        group.append(companion)
    return np.array(group)


def moved(
    problem: Problem,
    z: FloatArray,
    group: NDArray[np.int64],
    linked: Sequence[NDArray[np.int64]],
    rng: np.random.Generator,
) -> FloatArray:
    """Return positions with a group of nodes at random places, turned at random.

    Parameters
    ----------
    problem : Problem
        The model and its network.
    z : ndarray of shape (N, K)
        Positions.
    group : ndarray of int
        The nodes that move; they keep their distances.
    linked : sequence of ndarray of int
        The nodes that each node is linked with: half of the places are near those of the group.
    rng : Generator
        Draws the places.

    Returns
    -------
    ndarray of shape (PLACES, N, K)
    """
    n_nodes, dim = z.shape
    spread = float(np.sqrt(np.mean((z - z.mean(axis=0)) ** 2)))
    if spread < 1e-3 * length(problem):  # all nodes in one place
        spread = length(problem)
    near = np.concatenate([linked[node] for node in group])
    anchors = rng.integers(n_nodes, size=PLACES)
    if near.size:
        anchors = np.where(rng.random(PLACES) < 0.5, rng.choice(near, PLACES), anchors)
    distance = spread * np.exp(rng.uniform(*LOG_DISTANCES, size=(PLACES, 1)))
    centres = z[anchors] + distance * rng.normal(size=(PLACES, dim))
    turns = np.linalg.qr(rng.normal(size=(PLACES, dim, dim)))[0]
    tries = np.repeat(z[None], PLACES, axis=0)
    tries[:, group] = centres[:, None] + (z[group] - z[group].mean(axis=0)) @ turns
    return tries


def _rows(problem: Problem, here: Parameters, tries: FloatArray) -> FloatArray:
    """Return points in Stan's coordinates: positions that are tried, all else as it is here."""
    rows = np.repeat(flat(problem.declared(here))[None], len(tries), axis=0)
    columns = np.swapaxes(tries, 1, 2).reshape(len(tries), -1)
    rows[:, : columns.shape[1]] = columns
    return rows
