"""Posterior predictive checks: the observed network beside networks of the fitted model.

A network is replicated from a draw of the posterior, and both go through the same statistics
(Gelman, Meng and Stern, Statistica Sinica 6, 1996; for networks Hunter, Goodreau and Handcock,
JASA 103, 2008). A *cell* is an observed ordered pair of different nodes, or an unordered one if
the network is undirected: dyads that are hidden in the network are in its replications too.
Self-loops are left out: the model gives them one constant rate, so they say nothing of positions.

Cells are drawn a block of pairs at a time and the statistics add up blocks of edges, so that
memory does not grow with the square of the number of nodes N: R replications need O(R N).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from tqdm import tqdm

from lsm_stan.criticism.advice import STATISTICS, fault
from lsm_stan.errors import InputError
from lsm_stan.inference.fit import Fit
from lsm_stan.model.family import ModelSpec
from lsm_stan.model.parameters import Parameters
from lsm_stan.model.simulation import draw_weights, log_mean_cells
from lsm_stan.network.network import Network
from lsm_stan.posterior.checks import Check
from lsm_stan.posterior.intervals import ENDS
from lsm_stan.progress import has_bars
from lsm_stan.typing import FloatArray, IntArray

#: Cells drawn at a time; memory grows by some 100 bytes a cell.
BLOCK_CELLS = 250_000
#: Transitivity takes time N^3: beyond this many nodes it is that of a fixed random set of them.
TRANSITIVITY_NODES = 2000
#: Classes of weights: 0, 1, 2, 3-4, 5-8, ... up to the largest int64.
WEIGHT_CLASSES = 65


@dataclass(frozen=True, eq=False)
class PredictiveCheck:
    """A network beside R networks of the fitted model.

    Attributes
    ----------
    table : pandas.DataFrame
        A row a statistic: ``statistic``, ``observed``, the 90 % predictive interval
        (``predicted_median``, ``predicted_low``, ``predicted_high``), and ``p_value``, the
        probability that a replicated network has more, with ties counted half.
    replicated : pandas.DataFrame
        The statistics (columns) of the replicated networks (R rows); NaN where one is undefined.
    weights : pandas.DataFrame
        Shares of the cells: ``weight`` (``0``, ``1``, ``2``, ``3-4``, ``5-8``, ... up to the
        largest that occurs), then as in `table`.
    strengths : pandas.DataFrame
        Strengths in descending order: ``direction`` (``out`` and ``in``, or ``both`` if the
        network is undirected), ``rank`` (1 to N), then as in `table`.
    checks : list of Check
        One a statistic that the network and a replication define; passed if the observed one is
        in the 90 % interval. Of ten statistics one may be outside though the model holds.
    """

    table: pd.DataFrame
    replicated: pd.DataFrame
    weights: pd.DataFrame
    strengths: pd.DataFrame
    checks: list[Check]


class Edges(NamedTuple):
    """Edges between different nodes, an undirected one once: arrays of shape (E,).

    ``reverse`` is the weight of the reverse of each edge: its own if the network is undirected,
    -1 if that dyad is hidden.
    """

    sender: IntArray
    receiver: IntArray
    weight: IntArray
    reverse: IntArray


@dataclass(frozen=True)
class Features:
    """What is compared of two networks.

    Attributes
    ----------
    statistics : dict of str to float
        The names of :data:`STATISTICS` that the network can have; NaN where undefined.
    shares : numpy.ndarray
        ``(WEIGHT_CLASSES,)`` shares of the cells.
    strengths : dict of str to numpy.ndarray
        ``(N,)`` strengths in descending order: ``out`` and ``in``, or ``both`` if undirected.
    """

    statistics: dict[str, float]
    shares: FloatArray
    strengths: dict[str, FloatArray]


def predictive_checks(
    fit: Fit, *, replications: int = 200, seed: int = 0, show_progress: bool = False
) -> PredictiveCheck:
    """Compare a network with networks of the model fitted to it.

    Every replication takes a draw of the posterior, spread evenly over chains and draws; they
    need no alignment, since rotations leave rates unchanged. With fewer draws than replications
    draws are used again: all networks of a MAP fit are drawn at its mode, which is a plug-in
    check that leaves out how uncertain the positions are.

    Parameters
    ----------
    fit
        Of any method.
    replications
        R, the number of networks.
    seed
        The same seed gives the same networks.
    show_progress
        Whether to draw a progress bar.

    Returns
    -------
    PredictiveCheck

    Raises
    ------
    InputError
        If ``replications`` is below 1.
    """
    if replications < 1:
        raise InputError(f"replications is {replications}; an integer >= 1 is needed")
    network, spec, parameters = fit.network, fit.spec, fit.parameters
    draws = list(np.ndindex(*fit.draws.shape[:2]))
    rng = np.random.default_rng(seed)
    observed = features([observed_edges(network)], network)
    chosen = np.arange(replications) * len(draws) // replications
    predicted = [
        features(
            replicate(
                spec,
                {name: values[draws[k]] for name, values in parameters.items()},
                network,
                rng,
            ),
            network,
        )
        for k in tqdm(chosen, "checks", unit="network", disable=not has_bars(show_progress))
    ]
    replicated = pd.DataFrame([one.statistics for one in predicted])
    table = _beside(pd.Series(observed.statistics), replicated)
    table["p_value"] = _p_values(table["observed"], replicated)
    shares = pd.DataFrame([one.shares for one in predicted])
    weights = _beside(pd.Series(observed.shares), shares)
    weights.index = pd.Index([_class_name(number) for number in range(WEIGHT_CLASSES)])
    n_classes = 1 + int(np.flatnonzero(observed.shares + shares.sum())[-1])
    ranks = np.arange(1, network.n_nodes + 1)
    strengths = {
        direction: _beside(
            pd.Series(strength, index=ranks),
            pd.DataFrame([one.strengths[direction] for one in predicted]),
        )
        for direction, strength in observed.strengths.items()
    }
    return PredictiveCheck(
        table=table.rename_axis("statistic").reset_index(),
        replicated=replicated,
        weights=weights[:n_classes].rename_axis("weight").reset_index(),
        strengths=pd.concat(strengths, names=["direction", "rank"]).reset_index(),
        checks=[_judge(str(name), row, fit.spec) for name, row in table.dropna().iterrows()],
    )


def replicate(
    spec: ModelSpec, draw: Parameters, network: Network, rng: np.random.Generator
) -> Iterator[Edges]:
    """Draw a network at one draw of the parameters: its edges, a block of pairs at a time.

    Dyads that are hidden in the network are hidden here.
    """
    for pairs in pair_blocks(network.n_nodes):
        log_mu = log_mean_cells(spec, draw, pairs, both=network.directed)
        weights = draw_weights(spec, draw, log_mu, rng)
        if network.n_hidden:
            ways = [pairs, pairs[:, ::-1]][: weights.shape[1]]
            seen = np.column_stack([network.weight_of(*way.T) >= 0 for way in ways])
            weights = np.where(seen, weights, -1)
        pair, way = np.nonzero(weights > 0)
        yield Edges(
            pairs[pair, way], pairs[pair, 1 - way], weights[pair, way], weights[:, ::-1][pair, way]
        )


def pair_blocks(n_nodes: int) -> Iterator[IntArray]:
    """Yield all pairs i < j in order, ``(P, 2)`` at a time, of at most `BLOCK_CELLS` cells.

    A block has whole rows i, and one at least.
    """
    first = 0
    while first < n_nodes - 1:
        columns = n_nodes - first
        rows = min(max(1, BLOCK_CELLS // (2 * columns)), columns - 1)
        yield first + np.column_stack(np.triu_indices(rows, 1, columns))
        first += rows


def observed_edges(network: Network) -> Edges:
    """Return the edges of a network, self-loops left out."""
    between = network.sender != network.receiver
    sender, receiver, weight = (
        ends[between] for ends in (network.sender, network.receiver, network.weight)
    )
    return Edges(sender, receiver, weight, network.weight_of(receiver, sender))


def features(blocks: Iterable[Edges], network: Network) -> Features:
    """Add up what is compared of a network from blocks of its edges.

    Strengths are sums over observed dyads; their standard deviations have divisor N. Reciprocity
    is the share of edges whose reverse is there, and the correlation of weights is over pairs;
    where one direction is hidden a pair is in neither. Transitivity is that of the network without
    directions and weights: of the triples in which one node is connected to two others, the share
    in which those are connected too. A triple is left out where a dyad between those is hidden.
    Beyond `TRANSITIVITY_NODES` nodes it is that of the sub-network of a random set of so many
    nodes, the same set for all networks of N nodes.

    Parameters
    ----------
    blocks
        Every edge in one block.
    network
        With the same nodes and hidden dyads. Its edges are not looked at.

    Returns
    -------
    Features
    """
    n_nodes, directed, n_cells = network.n_nodes, network.directed, network.n_observed
    size = min(n_nodes, TRANSITIVITY_NODES)
    place = np.full(n_nodes, -1)
    place[np.random.default_rng(0).choice(n_nodes, size, replace=False)] = np.arange(size)
    # single precision, in which BLAS counts up to 2^24 exactly
    skeleton = np.zeros((size, size), dtype=np.float32)
    sent, received = np.zeros(n_nodes), np.zeros(n_nodes)
    counts = np.zeros(WEIGHT_CLASSES, dtype=np.int64)
    total = squares = 0.0
    # of edges whose reverse was observed: how many, and sums of weights, squares and products
    n_paired = returned = largest = 0
    paired = np.zeros(3)
    for sender, receiver, weight, reverse in blocks:
        # floating point: squares of Stan's largest int, added up, can leave int64
        y = weight.astype(np.float64)
        total += float(y.sum())
        squares += float(y @ y)
        there, back = y[reverse >= 0], reverse[reverse >= 0]
        n_paired += len(back)
        returned += int(np.count_nonzero(back))
        paired += there.sum(), there @ there, there @ back
        largest = max(largest, int(weight.max(initial=0)))
        counts += np.bincount(_weight_class(weight), minlength=WEIGHT_CLASSES)
        sent += np.bincount(sender, y, minlength=n_nodes)
        received += np.bincount(receiver, y, minlength=n_nodes)
        a, b = _places(place, sender, receiver)
        skeleton[a, b] = skeleton[b, a] = 1
    counts[0] = n_cells - counts.sum()
    mean = total / n_cells
    variance = squares / n_cells - mean**2
    statistics = {
        "share_zero": counts[0] / n_cells,
        "mean_weight": mean,
        "dispersion": _ratio(variance, mean),
        "max_weight": float(largest),
    }
    strengths = {"out": sent, "in": received} if directed else {"both": sent + received}
    for direction, strength in strengths.items():
        name = f"{direction}_strength" if directed else "strength"
        statistics[f"sd_{name}"] = float(strength.std())
        statistics[f"max_{name}"] = float(strength.max())
    if directed:
        statistics["reciprocity"] = _ratio(returned, n_paired)
        alone = network.weight_of(network.hidden_receiver, network.hidden_sender) >= 0
        n_both = n_cells - np.count_nonzero(alone)
        both_total, both_squares, products = paired
        statistics["weight_correlation"] = _ratio(
            n_both * products - both_total**2, n_both * both_squares - both_total**2
        )
    triples = skeleton @ skeleton
    a, b = _places(place, network.hidden_sender, network.hidden_receiver)
    triples[a, b] = triples[b, a] = 0
    np.fill_diagonal(triples, 0)
    closed = float(triples.sum(where=skeleton > 0, dtype=np.float64))
    statistics["transitivity"] = _ratio(closed, float(triples.sum(dtype=np.float64)))
    descending = {direction: -np.sort(-strength) for direction, strength in strengths.items()}
    return Features(statistics, counts / n_cells, descending)


def _places(place: IntArray, sender: IntArray, receiver: IntArray) -> IntArray:
    """Return the places, ``(2, D)``, of the ends of those dyads of which both have one."""
    ends = place[np.array([sender, receiver])]
    return np.asarray(ends[:, (ends >= 0).all(axis=0)])


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else np.nan


def _weight_class(weight: IntArray) -> IntArray:
    """Return the number of the class of each weight from 1 on: 1 + log2 of it, rounded up."""
    exponent: IntArray = np.frexp(weight - 1.0)[1].astype(np.int64)
    return exponent + 1


def _class_name(number: int) -> str:
    return str(number) if number < 3 else f"{2 ** (number - 2) + 1}-{2 ** (number - 1)}"


def _beside(observed: pd.Series[float], replicated: pd.DataFrame) -> pd.DataFrame:
    """Set observed quantities beside the quantiles of replicated ones, a column each."""
    low, median, high = replicated.quantile([ENDS[0], 0.5, ENDS[1]]).to_numpy()
    return pd.DataFrame(
        {
            "observed": observed,
            "predicted_median": median,
            "predicted_low": low,
            "predicted_high": high,
        }
    )


def _p_values(observed: pd.Series[float], replicated: pd.DataFrame) -> pd.Series[float]:
    """Return the share of replications that have more, and half of those that have as much."""
    score = (replicated.gt(observed).astype(float) + replicated.ge(observed)) / 2
    return score.where(replicated.notna() & observed.notna()).mean()


def _judge(name: str, row: pd.Series[float], spec: ModelSpec) -> Check:
    """Say whether an observed statistic is in its predictive interval; if not, what is at fault."""
    observed, low, high = row["observed"], row["predicted_low"], row["predicted_high"]
    passed = bool(low <= observed <= high)
    label = STATISTICS[name].label
    message = f"{label} is {_text(observed)}; the model predicts {_text(low)} to {_text(high)}"
    if not passed:
        message += f": {fault(name, spec, more=observed > high)}"
    return Check(name, passed, message)


def _text(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.4g}"
