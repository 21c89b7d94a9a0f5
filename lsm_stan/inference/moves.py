r"""Moves of nodes between the transitions of NUTS: where they are made, and what they are given.

NUTS follows the posterior's slopes, and finds the way of a weakly bound node around its neighbours,
or of a clan from one of its places to another, once in hundreds of transitions. Turns of single
nodes and learned jumps of groups (:mod:`lsm_stan.inference.jumps`) propose just that, and cost next
to nothing: the tutorial's energy of one node is a sum over the others. They are Metropolis steps,
and leave the posterior as it is (``stan/methods/moves.hpp``). Trees need not be deep then: what
long trajectories reach is reached by moves.

**What was tried**, on *C. elegans* with four chains of 1,000 draws from ends of one pilot run,
``adapt_delta = 0.9``: effective sample sizes of 500 distances per million gradients. The 5 %
quantile is set by a few clans that hop now and then, and varies twofold from run to run.

=================================================  =======  ======  =======
between trees of depth                             bulk 5%  median  tail 5%
=================================================  =======  ======  =======
10: nothing                                            170    1120      690
6: nothing                                             265    2500     1100
6: a sweep of turns                                    124    2970      850
6: a sweep of turns, 200 jumps                         225    3260      800
6: a sweep of turns, 600 jumps                         478    4180     2330
6: the same, slow groups more often                    385    4100     2260
6: the same, 1,500 jumps                               619    4910     2160
5: the same, 600 jumps, 2,000 draws                    388    3940     1090
=================================================  =======  ======  =======

35 % of turns and 10 % of jumps are accepted. A transition took 6.3 ms for gradients, a sweep 0.8,
a try 3 to 4 µs. A frame on the 12 nodes that a group clings to most is as good as one on 40: 9.2
and 8.7 % of jumps of single nodes are accepted. One that clings to nodes without a link as much as
to those with a link of weight 1 costs a seventh of that.

Whole runs (four chains of 1,700 to 2,200 draws, 0.8 to 0.93 million gradients, pilot and warmup
included; three modes) come to 5 % quantiles of 64, 89, 189, 292, 298 and 382, and medians of 1,240
to 1,860: clans of three to seven nodes (ADFL, AIZL, AWBL and AWAL; PDB with nodes 248 and 266) can
stay in one place for 500 transitions. Six figures so far apart do not tell variants of the learning
from each other; that linked nodes which stay near each other are one group, whatever their distance
does, finds the second of these clans in 75 of 150 pairs of draws that hold it at both places,
instead of in one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from lsm_stan.errors import InputError
from lsm_stan.inference.jumps import Jump, PairEnergies
from lsm_stan.inference.preconditioning import MAX_NODES, Preconditioner
from lsm_stan.inference.problem import Problem
from lsm_stan.typing import FloatArray

#: Sweeps of turns, and tries of jumps, before each transition of NUTS.
SWEEPS, TRIES = 1, 1000

#: Depth of NUTS's trees between moves.
DEPTH = 6


def has_moves(
    problem: Problem, wanted: bool | None, precondition: bool, cmdstan: Mapping[str, Any]
) -> bool:
    """Return whether nodes move between the transitions of NUTS.

    Parameters
    ----------
    problem : Problem
        The model and its network.
    wanted : bool or None
        What was asked for; None: moves where they can be.
    precondition : bool
        Whether preconditioned coordinates were asked for.
    cmdstan : Mapping
        Further arguments of CmdStanPy.

    Returns
    -------
    bool

    Raises
    ------
    InputError
        If moves were asked for where they cannot be.
    """
    obstacle = None
    if problem.layered:
        obstacle = "layers are not sampled in preconditioned coordinates"
    elif not problem.preconditioned:
        obstacle = (
            f"model {problem.spec.label} of {problem.network.n_nodes} nodes is not sampled in"
            f" preconditioned coordinates, which are for tutorial and up to {MAX_NODES} nodes"
        )
    elif not precondition:
        obstacle = "precondition is False"
    elif cmdstan.get("inv_metric") is not None:
        obstacle = "inv_metric is given"
    elif cmdstan.get("metric") not in (None, "unit", "unit_e"):
        obstacle = f"metric is {cmdstan['metric']!r}, and not 'unit_e'"
    if wanted and obstacle is not None:
        raise InputError(f"nuts: moves is True, but {obstacle}; drop one of them")
    return obstacle is None and wanted is not False


def moves_data(
    problem: Problem,
    change: Preconditioner,
    jumps: Sequence[Jump] = (),
    *,
    sweeps: int = SWEEPS,
    tries: int = TRIES,
) -> dict[str, Any]:
    """Return what ``stan/methods/moves.hpp`` and ``metric.hpp`` read.

    Parameters
    ----------
    problem : Problem
        The model and its network.
    change : Preconditioner
        The change of variables whose covariance is the inverse of the metric.
    jumps : sequence of Jump, default ()
        The jumps.
    sweeps : int, default SWEEPS
        How many times each node tries to turn.
    tries : int, default TRIES
        How many jumps are tried.

    Returns
    -------
    dict of str to object
        By the names that it has there; matrices by columns.
    """
    pairs, data = PairEnergies.of(problem), problem.stan_data()
    return {
        **{name: data[name] for name in ("n_nodes", "n_dims", "form", "cells_per_pair")},
        "softening": data["softening"],
        "prior_scale": problem.prior_scale,
        "sweeps": sweeps,
        "tries": tries,
        **_rows("link", pairs.weight),
        **_rows("hidden", pairs.hidden),
        **_parts("group", jumps, lambda jump: jump.group),
        **_parts("frame", jumps, lambda jump: jump.frame),
        "chance": np.cumsum([jump.chance for jump in jumps]),
        "frame_weight": _flat(jumps, lambda jump: jump.weight),
        "frame_place": _flat(jumps, lambda jump: jump.place),
        "turn": _flat(jumps, lambda jump: jump.turn.T),
        "shift": _flat(jumps, lambda jump: jump.shift),
        "covariance": (change.factor @ change.factor.T).ravel(),
    }


def accepted_moves(
    moves: Mapping[str, Any], columns: Mapping[str, FloatArray]
) -> dict[str, float | int]:
    """Return what a run's moves came to.

    Parameters
    ----------
    moves : Mapping
        What :func:`moves_data` returned for it.
    columns : dict of str to ndarray of shape (chain, draw)
        Its columns, called as the sampler calls them.

    Returns
    -------
    dict
        ``turns_accepted``, ``jumps``, the number of jumps that were learned, and
        ``jumps_accepted``; shares are of all tries.
    """
    jumps = len(moves["chance"])
    turns = columns["turns__"].mean() / (moves["sweeps"] * moves["n_nodes"])
    taken = columns["jumps__"].mean() / moves["tries"] if jumps else 0.0
    return {
        "turns_accepted": round(float(turns), 4),
        "jumps": jumps,
        "jumps_accepted": round(float(taken), 4),
    }


def what_moved(accepted: Mapping[str, float | int]) -> str:
    """Say what a run's moves came to.

    Parameters
    ----------
    accepted : Mapping
        What :func:`accepted_moves` returned for it.

    Returns
    -------
    str
    """
    of_nodes = f"{accepted['turns_accepted']:.0%} of turns of single nodes were accepted"
    if not accepted["jumps"]:
        return f"{of_nodes}, no jumps were learned"
    return f"{of_nodes}, {accepted['jumps_accepted']:.1%} of tries of {accepted['jumps']} jumps"


def _rows(name: str, table: csr_array) -> dict[str, Any]:
    return {
        f"{name}_first": table.indptr,
        f"{name}_node": table.indices,
        f"{name}_weight": table.data,
    }


def _parts(name: str, jumps: Sequence[Jump], nodes: Callable[[Jump], Any]) -> dict[str, Any]:
    sizes = [len(nodes(jump)) for jump in jumps]
    return {
        f"{name}_first": np.concatenate([[0], np.cumsum(sizes)]).astype(int),
        f"{name}_node": _flat(jumps, nodes).astype(int),
    }


def _flat(jumps: Sequence[Jump], values: Callable[[Jump], Any]) -> FloatArray:
    return np.concatenate([np.zeros(0), *(np.ravel(values(jump)) for jump in jumps)])
