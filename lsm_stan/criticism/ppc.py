"""Posterior predictive checks: the observed network beside networks of the fitted model.

A network is replicated from a draw of the posterior, and both go through the same statistics
(:mod:`lsm_stan.network.statistics`; Gelman, Meng and Stern, Statistica Sinica 6, 1996; for
networks Hunter, Goodreau and Handcock, JASA 103, 2008). Dyads that are hidden in the network are
in its replications too.

Edges are drawn without a visit to every pair of nodes (:mod:`lsm_stan.model.thinning`): R
replications of N nodes and E edges take memory O(R N + E). Where they would take long, as those of
large networks do, R is smaller.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from tqdm import tqdm

from lsm_stan.blas import on_one_blas_thread
from lsm_stan.criticism.advice import STATISTICS, NextModel, fault, next_model
from lsm_stan.errors import InputError
from lsm_stan.inference.fit import Fit
from lsm_stan.inference.fits import ensure_fits
from lsm_stan.inference.layered_fit import LayeredFit
from lsm_stan.model.family import ModelSpec
from lsm_stan.model.parameters import Parameters
from lsm_stan.model.replication import replicate
from lsm_stan.model.thinning import Cells
from lsm_stan.network.network import Network
from lsm_stan.network.statistics import WEIGHT_CLASSES, features, observed_edges
from lsm_stan.posterior.checks import Check
from lsm_stan.posterior.intervals import ENDS
from lsm_stan.progress import has_bars
from lsm_stan.text import brief
from lsm_stan.typing import FloatArray


@dataclass(frozen=True, eq=False)
class PredictiveCheck:
    """A network beside R networks of the fitted model.

    Attributes
    ----------
    table : DataFrame
        A row a statistic: ``statistic``, ``observed``, the 90 % predictive interval
        (``predicted_median``, ``predicted_low``, ``predicted_high``), and ``p_value``, the
        probability that a replicated network has more, with ties counted half.
    replicated : DataFrame
        The statistics (columns) of the replicated networks (R rows); NaN where one is undefined.
    weights : DataFrame
        Shares of the cells: ``weight`` (``0``, ``1``, ``2``, ``3-4``, ``5-8``, ... up to the
        largest that occurs), then as in `table`.
    strengths : DataFrame
        Strengths in descending order: ``direction`` (``out`` and ``in``, or ``both`` if the
        network is undirected), ``rank`` (1 to N), then as in `table`.
    checks : list of Check
        One a statistic that the network and a replication define; passed if the observed one is
        in the 90 % interval. One statistic in ten may be outside though the model holds.
    next_model : NextModel or None
        The model that takes the steps that the failed statistics ask for; None where none failed,
        or no named model takes a step.
    note : str
        Why there are fewer replications than were asked for, a sentence; or empty.
    """

    table: pd.DataFrame
    replicated: pd.DataFrame
    weights: pd.DataFrame
    strengths: pd.DataFrame
    checks: list[Check]
    next_model: NextModel | None = None
    note: str = ""


#: Candidates and cells that all replications together look at, about: a minute's work. And the
#: fewest replications that are drawn nevertheless, unless fewer are asked for.
MOST_WORK, FEWEST = 1e8, 40


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
    fit : Fit
        A fit by any method.
    replications : int, default 200
        R, the number of networks; fewer where they would take long, 40 at least.
    seed : int, default 0
        The same seed gives the same networks.
    show_progress : bool, default False
        Whether to draw a progress bar.

    Returns
    -------
    PredictiveCheck

    Raises
    ------
    InputError
        If `fit` is none, or ``replications`` is below 1.
    """
    ensure_fits(fit)
    of_fit = fit.spec, fit.parameters, fit.network
    return check_network(*of_fit, replications, seed=seed, show_progress=show_progress)


def predictive_layers(
    fit: LayeredFit, *, replications: int = 100, seed: int = 0
) -> dict[str, PredictiveCheck]:
    """Compare every layer with networks drawn at the fit's parameters of that layer.

    Parameters
    ----------
    fit : LayeredFit
        A fit of layers by any method.
    replications : int, default 100
        Number of networks of each layer.
    seed : int, default 0
        The same seed gives the same networks.

    Returns
    -------
    dict of str to PredictiveCheck
        By the layers' labels.

    Raises
    ------
    InputError
        If `fit` is of no layers, or ``replications`` is below 1.
    """
    if not isinstance(fit, LayeredFit):
        raise InputError(
            "the fit is not one of layers; predictive_checks compares the network of another"
        )
    return {
        label: check_network(
            fit.model_of_layer(k), fit.of_layer(k), network, replications, seed=seed + k
        )
        for k, (label, network) in enumerate(
            zip(fit.layers.labels, fit.layers.networks, strict=True)
        )
    }


@on_one_blas_thread
def check_network(
    spec: ModelSpec,
    parameters: Parameters,
    network: Network,
    replications: int = 200,
    *,
    seed: int = 0,
    show_progress: bool = False,
) -> PredictiveCheck:
    """Compare a network with networks drawn at draws of parameters.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    parameters : dict of str to ndarray
        Parameters, leading axes ``(chain, draw)``.
    network : Network
        The network.
    replications : int, default 200
        As in :func:`predictive_checks`.
    seed : int, default 0
        The same seed gives the same networks.
    show_progress : bool, default False
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
    draws = list(np.ndindex(*parameters["z"].shape[:2]))
    rng = np.random.default_rng(seed)
    observed = features([observed_edges(network)], network)

    def cells_of(number: int) -> Cells:
        draw = {name: values[draws[number]] for name, values in parameters.items()}
        return Cells(spec, draw, directed=network.directed)

    number, cells = 0, cells_of(0)
    asked, possible = replications, int(MOST_WORK / max(1.0, cells.work + network.n_nodes))
    replications = min(asked, max(FEWEST, possible))
    chosen = np.arange(replications) * len(draws) // replications
    predicted = []
    for k in tqdm(chosen, "checks", unit="network", disable=not has_bars(show_progress)):
        if k != number:
            number, cells = k, cells_of(k)
        predicted.append(features(replicate(cells, network, rng), network))
    replicated = pd.DataFrame([drawn.statistics for drawn in predicted])
    table = _beside(pd.Series(observed.statistics), replicated)
    table["p_value"] = _p_values(table["observed"], replicated)
    table = table.dropna(how="all")  # of two sets there is no transitivity
    shares = pd.DataFrame([drawn.shares for drawn in predicted])
    weights = _beside(pd.Series(observed.shares), shares)
    weights.index = pd.Index([_class_name(number) for number in range(WEIGHT_CLASSES)])
    n_classes = 1 + int(np.flatnonzero(observed.shares + shares.sum())[-1])
    ranks = np.arange(1, network.n_nodes + 1)
    strengths = {
        direction: _beside(
            pd.Series(_descending(strength), index=ranks),
            np.array([_descending(drawn.strengths[direction]) for drawn in predicted]),
        )
        for direction, strength in observed.strengths.items()
    }
    checks = [
        _judge(str(name), row, spec, network.directed) for name, row in table.dropna().iterrows()
    ]
    above = table["observed"] > table["predicted_high"]
    failed = {check.name: bool(above[check.name]) for check in checks if not check.passed}
    binary = bool((network.weight <= 1).all())
    return PredictiveCheck(
        table=table.rename_axis("statistic").reset_index(),
        replicated=replicated,
        weights=weights[:n_classes].rename_axis("weight").reset_index(),
        strengths=pd.concat(strengths, names=["direction", "rank"]).reset_index(),
        checks=checks,
        next_model=next_model(spec, failed, binary=binary, directed=network.directed),
        note=""
        if replications == asked
        else f"Of a network of this size {replications} are drawn instead of {asked}.",
    )


def _descending(strength: FloatArray) -> FloatArray:
    return np.asarray(-np.sort(-strength))


def _class_name(number: int) -> str:
    return str(number) if number < 3 else f"{2 ** (number - 2) + 1}-{2 ** (number - 1)}"


def _beside(observed: pd.Series[float], replicated: pd.DataFrame | FloatArray) -> pd.DataFrame:
    """Set observed quantities beside the quantiles of replicated ones, a column each."""
    quantiles = [ENDS[0], 0.5, ENDS[1]]
    if isinstance(replicated, pd.DataFrame):
        low, median, high = replicated.quantile(quantiles).to_numpy()
    else:  # pandas would go through them column by column
        low, median, high = np.quantile(replicated, quantiles, axis=0)
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


def _judge(name: str, row: pd.Series[float], spec: ModelSpec, directed: bool) -> Check:
    """Say whether an observed statistic is in its predictive interval; if not, what is at fault."""
    observed, low, high = row["observed"], row["predicted_low"], row["predicted_high"]
    passed = bool(low <= observed <= high)
    label = STATISTICS[name].label
    message = f"{label} is {brief(observed)}; the model predicts {brief(low)} to {brief(high)}"
    if not passed:
        cause = fault(name, spec, more=observed > high, directed=directed)
        message += f": {cause}"
    return Check(name, passed, message)
