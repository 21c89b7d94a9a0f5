"""What a fit says about the nodes: how surely they are placed, who is near whom, who is central."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist, squareform

from lsm_stan.criticism.tables import coefficients_table
from lsm_stan.inference.fit import Fit
from lsm_stan.inference.fits import ensure_fits
from lsm_stan.network.grouping import UNKNOWN
from lsm_stan.posterior.alignment import cloud_radius, spread, strays
from lsm_stan.posterior.checks import Finding
from lsm_stan.posterior.intervals import interval
from lsm_stan.text import counted, listed
from lsm_stan.typing import BoolArray, FloatArray, IntArray

#: A place is sure that is known to within this share of the radius of the cloud of nodes.
SURE = 0.25

#: Positions mean nothing where more than this share of the nodes have no known place.
MOST = 0.5

#: Positions are at one point whose cloud is smaller than this share of the prior's.
ONE_POINT = 1e-2

#: Draws that sentences are made from, and nodes: the strongest.
DRAWS, NODES = 100, 1000

#: A group's nodes are nearer each other than this share of the median distance: the first of these
#: that leaves no group with more than :data:`LARGEST_GROUP` of the nodes.
NEAR, LARGEST_GROUP = (0.5, 0.35, 0.25, 0.15, 0.1), 1 / 3

#: Groups, nodes of a group, central nodes, and covariates that are named.
NAMED_GROUPS, NAMED_MEMBERS, NAMED_CENTRAL, NAMED_TERMS = 3, 4, 3, 4

#: Fewest nodes of a group.
MIN_GROUP = 3


@dataclass(frozen=True, eq=False)
class Placement:
    """How surely the nodes are placed.

    Attributes
    ----------
    sure : ndarray of bool of shape (N,)
        Whether a node's spread is below :data:`SURE` times the radius of the cloud.
    unknown : ndarray of bool of shape (N,)
        Whether its place is unknown (:func:`lsm_stan.posterior.alignment.strays`).
    one_point : bool
        Whether all nodes are at one point.
    """

    sure: BoolArray
    unknown: BoolArray
    one_point: bool

    @property
    def means_nothing(self) -> bool:
        """Whether the positions tell no nodes apart."""
        return self.one_point or bool(self.unknown.mean() > MOST)


def placement(fit: Fit) -> Placement:
    """Say how surely the nodes of a fit are placed.

    Parameters
    ----------
    fit : Fit
        A fit by any method; a mode has no spread, and no node of it is unknown.

    Returns
    -------
    Placement
    """
    draws, mean = fit.draws, fit.positions
    radius = cloud_radius(draws)
    scale = fit.prior_scale * np.sqrt(mean.shape[1])
    unknown = strays(draws, mean)
    return Placement(
        sure=spread(draws, mean) < SURE * radius,
        unknown=unknown,
        one_point=radius < ONE_POINT * scale,
    )


def describe_result(fit: Fit, groups: pd.Series[str] | None = None) -> list[Finding | str]:
    """Say in sentences what a fit found.

    Parameters
    ----------
    fit : Fit
        A fit by any method.
    groups : Series of shape (N,), or None, default None
        The group of every node, where there are any.

    Returns
    -------
    list of Finding or str
        First how surely the nodes are placed: a problem where the positions mean nothing, and then
        nothing is said of them. Then who is near whom, who is central, and what covariates add.

    Raises
    ------
    InputError
        If `fit` is none.
    """
    ensure_fits(fit)
    placed = placement(fit)
    sentences: list[Finding | str] = [_of_the_places(fit, placed)]
    if not placed.means_nothing:
        nodes = _chosen_nodes(fit, ~placed.unknown)
        draws = _chosen_draws(fit)
        sentences += _of_the_nearest(fit, draws, nodes)
        sentences += _of_the_groups(draws, nodes, groups)
        sentences += _of_the_centre(fit, draws, nodes)
    return sentences + covariate_sentences(fit)


def _of_the_places(fit: Fit, placed: Placement) -> Finding | str:
    n = len(placed.sure)
    if placed.one_point:
        return Finding(
            "bad",
            "No latent structure was found: all nodes are at one point, so that positions tell"
            " none of them apart. What the network shows is told without positions.",
            "no-structure",
        )
    if fit.draws.shape[:2] == (1, 1):
        return (
            f"Every one of {counted(n, 'node')} has a place here and none has a spread: this is one"
            " mode, and how surely the nodes are placed takes draws to tell."
        )
    unknown, sure = int(placed.unknown.sum()), int(placed.sure.sum())
    if placed.means_nothing:
        return Finding(
            "bad",
            f"The places of {unknown:,} of {counted(n, 'node')} are unknown, so that positions mean"
            " nothing here: no latent structure was found. The draws put these nodes anywhere in"
            " the cloud, and the map draws them too near its centre.",
            "no-structure",
        )
    rest = n - unknown - sure
    text = (
        f"{sure:,} of {counted(n, 'node')} {_is(sure)} placed surely, to within a quarter of the"
        f" radius of the cloud of nodes; {rest:,} {_is(rest)} placed"
        " roughly"
    )
    if not unknown:
        return f"{text}, and none is without a place."
    names = _names(fit, np.flatnonzero(placed.unknown), NAMED_MEMBERS)
    return (
        f"{text}. The {'place' if unknown == 1 else 'places'} of {unknown:,} ({names})"
        f" {_is(unknown)} unknown: the network says little about"
        + (
            " it, except that it is far from most others. It is drawn hollow."
            if unknown == 1
            else " them, except that they are far from most others. They are drawn hollow."
        )
    )


def _is(number: int) -> str:
    return "is" if number == 1 else "are"


def _chosen_nodes(fit: Fit, among: BoolArray) -> IntArray:
    """Return the strongest nodes of some."""
    strength = fit.network.out_strength() + fit.network.in_strength()
    order = np.argsort(-strength, kind="stable")
    return np.asarray(order[among[order]][:NODES])


def _chosen_draws(fit: Fit) -> FloatArray:
    """Return draws of positions, ``(draw, N, K)``, evenly spread over all."""
    flat = fit.draws.reshape(-1, *fit.positions.shape)
    return np.asarray(flat[:: max(1, len(flat) // DRAWS)])


def _of_the_nearest(fit: Fit, draws: FloatArray, nodes: IntArray) -> list[Finding | str]:
    """Name the groups of nodes that are nearest each other, with their distances."""
    if len(nodes) <= MIN_GROUP:
        return []
    distances = np.array([pdist(draw[nodes]) for draw in draws])
    mean = distances.mean(axis=0)
    typical = float(np.median(mean))
    tree = linkage(mean, method="average")
    for share in NEAR:
        labels = fcluster(tree, share * typical, criterion="distance")
        numbers, sizes = np.unique(labels, return_counts=True)
        if sizes.max() <= max(MIN_GROUP, LARGEST_GROUP * len(nodes)):
            break
    square = squareform(np.arange(len(mean)))
    told = []
    for number in numbers[np.argsort(-sizes, kind="stable")]:
        members = np.flatnonzero(labels == number)
        if len(members) >= MIN_GROUP:
            pairs = square[np.ix_(members, members)][np.triu_indices(len(members), 1)]
            within = distances[:, pairs].mean(axis=1)
            names = _names(fit, nodes[members], NAMED_MEMBERS)
            told.append(f"{names} ({_figure(within, ' apart on average')})")
    typical_text = f"two nodes picked at random are {_short(typical)} apart"
    if told:
        groups = "; ".join(told[:NAMED_GROUPS])
        more = len(told) - NAMED_GROUPS
        others = f", and {counted(more, 'smaller group')} besides" if more > 0 else ""
        return [f"Nearest to each other are {groups}{others}, where {typical_text}."]
    first = int(mean.argmin())
    i, j = np.triu_indices(len(nodes), 1)
    pair = [fit.network.names[nodes[end[first]]] for end in (i, j)]
    return [
        f"No three nodes stand out as a group. The nearest two are {' and '.join(pair)}"
        f" ({_figure(distances[:, first], ' apart')}), where {typical_text}."
    ]


def _of_the_groups(
    draws: FloatArray, nodes: IntArray, groups: pd.Series[str] | None
) -> list[Finding | str]:
    """Say how near each other the nodes of known groups are."""
    if groups is None:
        return []
    known = groups.iloc[nodes][~groups.iloc[nodes].str.lower().isin(UNKNOWN)]
    counts = known.value_counts()
    chosen = [name for name in counts.index if counts[name] >= MIN_GROUP][: 2 * NAMED_GROUPS]
    if len(chosen) < 2:
        return []
    label = groups.iloc[nodes].to_numpy()
    distances = np.array([pdist(draw[nodes]) for draw in draws])
    i, j = np.triu_indices(len(nodes), 1)
    figures = {
        name: distances[:, (label[i] == name) & (label[j] == name)].mean(axis=1) for name in chosen
    }
    among = np.isin(label[i], chosen) & np.isin(label[j], chosen) & (label[i] != label[j])
    nearest = sorted(figures, key=lambda name: float(figures[name].mean()))
    told = [f"{name} {_in_brackets(figures[name])}" for name in nearest]
    end = "" if len(draws) < 2 else "; in brackets 90\N{NO-BREAK SPACE}% intervals"
    return [
        f"By {groups.name}, two nodes of a group are this far apart on average: {', '.join(told)};"
        f" nodes of different groups {_in_brackets(distances[:, among].mean(axis=1))}{end}."
    ]


def _of_the_centre(fit: Fit, draws: FloatArray, nodes: IntArray) -> list[Finding | str]:
    """Name the nodes nearest the centre; with an inner product those that are farthest from it."""
    inner = fit.spec.form == "inner"
    centre = 0.0 if inner else draws.mean(axis=1, keepdims=True)
    distance = np.linalg.norm(draws - centre, axis=-1)
    mean = distance.mean(axis=0)
    order = nodes[np.argsort(-mean[nodes] if inner else mean[nodes], kind="stable")]
    told = [f"{fit.network.names[n]} ({_figure(distance[:, n])})" for n in order[:NAMED_CENTRAL]]
    what = (
        "Farthest from the origin, so that their places say most about them,"
        if inner
        else "Nearest to the centre of the cloud"
    )
    verb = _is(len(told))
    typical = f"the median node is {_short(float(np.median(mean)))} away"
    return [f"{what} {verb} {listed(told)}; {typical}."]


def covariate_sentences(fit: Fit) -> list[str]:
    """Say what covariates add, and of which that is sure.

    Parameters
    ----------
    fit : Fit
        A fit by any method.

    Returns
    -------
    list of str
        None of a model without covariates.
    """
    rows = coefficients_table({"": fit}).to_dict("records")
    sentences = []
    what = "odds of an edge" if fit.spec.likelihood == "bernoulli" else "expected weight"
    for row in rows[:NAMED_TERMS]:
        factor, low, high = (np.exp(row[name]) for name in ("mean", "low", "high"))
        ends = "" if np.isnan(row["sd"]) else f" (90 % interval {_short(low)} to {_short(high)})"
        open_ = " Whether it raises or lowers it is open." if low < 1 < high else ""
        sentences.append(
            f"One unit more of {row['covariate']} multiplies the {what} by"
            f" {_short(factor)}{ends}.{open_}"
        )
    return sentences


def _names(fit: Fit, nodes: IntArray, most: int) -> str:
    """Return the names of nodes, the strongest first, of many the first few."""
    strength = fit.network.out_strength() + fit.network.in_strength()
    order = nodes[np.argsort(-strength[nodes], kind="stable")]
    if len(order) > most + 1:
        return listed([*(fit.network.names[n] for n in order[:most]), f"{len(order) - most} more"])
    return listed([fit.network.names[n] for n in order])


def _figure(values: FloatArray, what: str = "") -> str:
    """Return the mean of draws, and their 90 % interval where there is more than one."""
    mean = f"{_short(values.mean())}{what}"
    if len(values) < 2:
        return mean
    low, high = interval(values[:, None])
    return f"{mean}, 90\N{NO-BREAK SPACE}% interval {_short(low[0])} to {_short(high[0])}"


def _in_brackets(values: FloatArray) -> str:
    """Return the mean of draws, and the ends of the interval in brackets."""
    mean = _short(values.mean())
    if len(values) < 2:
        return mean
    low, high = interval(values[:, None])
    return f"{mean} ({_short(low[0])} to {_short(high[0])})"


def _short(value: float) -> str:
    """Return a number to two digits, in full."""
    return f"{float(f'{value:.2g}'):,g}"
