"""Scores of predictions of dyads: arrays in, numbers out.

A prediction of D dyads is two arrays: the log predictive probability of the weights that were
found there, and that of no edge. Both are means over draws of probabilities, not probabilities at
a mean (Gelman, Hwang & Vehtari, Statistics and Computing 24, 2014). What was held out as one is
scored as one: of both directions of a pair, the log probability is that of the two together, and
half of it each dyad's.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp
from scipy.stats import rankdata

from lsm_stan.model.family import ModelSpec
from lsm_stan.model.likelihood import chunks, log_likelihood
from lsm_stan.model.parameters import Parameters
from lsm_stan.network.network import Network
from lsm_stan.typing import BoolArray, FloatArray, IntArray


class Prediction(NamedTuple):
    """A prediction of D dyads.

    Attributes
    ----------
    log_density : ndarray of shape (D,)
        Log predictive probabilities of their weights, in nats.
    log_empty : ndarray of shape (D,)
        Log predictive probabilities of no edge, in nats.
    """

    log_density: FloatArray
    log_empty: FloatArray

    @property
    def probability(self) -> FloatArray:
        """Predictive probabilities of an edge."""
        return np.asarray(-np.expm1(self.log_empty))


def predict_held_out(
    spec: ModelSpec,
    draws: Parameters,
    network: Network | None,
    sender: ArrayLike,
    receiver: ArrayLike,
    weight: ArrayLike,
    unit: ArrayLike | None = None,
) -> Prediction:
    """Predict dyads.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    draws : dict of str to ndarray
        Parameters with one leading axis, of S draws; S = 1 for a mode.
    network : Network or None
        What was observed; None: nothing. Where the directions of a pair are correlated, given the
        parameters, the prediction is conditional on the reverse dyad's weight, if that is known.
    sender, receiver : array_like of shape (D,)
        Node indices, from 0, of the dyads.
    weight : array_like of shape (D,)
        Weights that the dyads have.
    unit : array_like of shape (D,), or None, default None
        Numbers of what is scored together: a dyad, or both directions of a pair, neither of
        which was observed. Each gets an equal part of the unit's log probability; the probability
        of an edge is the dyad's own. By default every dyad is scored by itself.

    Returns
    -------
    Prediction
        Memory beyond it is bounded.
    """
    sender, receiver, weight = (np.asarray(x, dtype=np.int64) for x in (sender, receiver, weight))
    reverse = np.full_like(weight, -1)
    if network is not None:
        reverse = network.weight_of(receiver, sender)
    number = np.arange(len(weight)) if unit is None else np.asarray(unit)
    _, first, unit_of = np.unique(number, return_index=True, return_inverse=True)
    last = len(number) - 1 - np.unique(number[::-1], return_index=True)[1]
    of_unit, log_empty = np.empty(len(first)), np.empty(len(weight))
    for part in chunks(len(first), len(draws["z"])):
        dyad, back = first[part], last[part]
        value = log_likelihood(
            spec, draws, sender[dyad], receiver[dyad], weight[dyad], reverse[dyad]
        )
        pair = dyad != back
        dyad, back = dyad[pair], back[pair]
        value[:, pair] += log_likelihood(
            spec, draws, sender[back], receiver[back], weight[back], weight[dyad]
        )
        of_unit[part] = log_mean_exp(value) / (1 + pair)
    for part in chunks(len(weight), len(draws["z"])):
        s, r = sender[part], receiver[part]
        empty = log_likelihood(spec, draws, s, r, np.zeros_like(s), reverse[part])
        log_empty[part] = log_mean_exp(empty)
    return Prediction(of_unit[unit_of], log_empty)


def log_mean_exp(values: FloatArray) -> FloatArray:
    """Return the log of the mean over the first axis of exponentials.

    Parameters
    ----------
    values : ndarray of shape (S, ...)
        Logarithms.

    Returns
    -------
    ndarray of shape (...)

    Examples
    --------
    >>> float(np.exp(log_mean_exp(np.log([1.0, 3.0]))).round(6))
    2.0
    """
    return np.asarray(logsumexp(values, axis=0) - np.log(len(values)))


def scores(
    prediction: Prediction, weight: IntArray, unit: IntArray | None = None
) -> dict[str, float]:
    """Return the scores of a prediction.

    Parameters
    ----------
    prediction : Prediction
        A prediction of D dyads.
    weight : ndarray of int64 of shape (D,)
        Weights that the dyads have.
    unit : ndarray of int64 of shape (D,), or None, default None
        Numbers of what was scored together, as in :func:`predict_held_out`.

    Returns
    -------
    dict of str to float
        ``log_density``, mean log predictive probability a dyad, in nats; ``log_density_error``, its
        standard error, units taken as independent; and scores of an edge's probability, every
        dyad by itself: ``auc``, ``auc_pr``, ``brier``, ``edge_log_density`` (mean log probability
        of an edge where there is one, and of none elsewhere) and ``zero_inflation_gain``.
    """
    edge, probability = weight > 0, prediction.probability
    return {
        "log_density": float(prediction.log_density.mean()),
        "log_density_error": standard_error(prediction.log_density, unit),
        "auc": auc_roc(probability, edge),
        "auc_pr": auc_pr(probability, edge),
        "brier": float(np.mean((probability - edge) ** 2)),
        "edge_log_density": float(_edge_log_density(prediction, edge).mean()),
        "zero_inflation_gain": zero_inflation_gain(prediction, weight),
    }


def zero_inflation_gain(prediction: Prediction, weight: IntArray) -> float:
    """Return what zero inflation could add to the mean log density a dyad, each by itself.

    With a share s of dyads empty for other reasons, a dyad is empty with probability
    ``s + (1 - s) q`` where q was predicted, and the weights of edges are as predicted. The gain
    is that of the best s, known with hindsight: no s does better with these predictions.

    Parameters
    ----------
    prediction : Prediction
        A prediction of D dyads.
    weight : ndarray of int64 of shape (D,)
        Weights that the dyads have.

    Returns
    -------
    float
        In nats, 0 or more.
    """
    log_q = prediction.log_empty[weight == 0]
    n_edges = len(weight) - len(log_q)

    def loss(share: float) -> float:
        kept = np.log1p(-share)
        inflated = np.logaddexp(np.log(share), kept + log_q) - log_q
        return -float(inflated.sum() + n_edges * kept) / len(weight)

    return max(0.0, -float(minimize_scalar(loss, bounds=(0.0, 1.0), method="bounded").fun))


def _edge_log_density(prediction: Prediction, edge: BoolArray) -> FloatArray:
    """Return the log probability of what each dyad has, an edge or none."""
    probability = np.maximum(prediction.probability, np.finfo(float).tiny)
    return np.where(edge, np.log(probability), prediction.log_empty)


def standard_error(values: FloatArray, unit: IntArray | None = None) -> float:
    """Return the standard error of a mean, NaN for fewer than two units.

    Parameters
    ----------
    values : ndarray of shape (D,)
        Values that the mean is over.
    unit : ndarray of int64 of shape (D,), or None, default None
        Numbers of units: values of one unit depend on each other, units do not. By default every
        value is a unit.

    Returns
    -------
    float

    Examples
    --------
    >>> round(standard_error(np.array([1.0, 3.0])), 6)
    1.0
    """
    number = np.arange(len(values)) if unit is None else np.unique(unit, return_inverse=True)[1]
    off = np.bincount(number, values - values.mean())
    return float(np.std(off, ddof=1) * np.sqrt(len(off)) / len(values)) if len(off) > 1 else np.nan


def split_error(values: pd.Series[float] | pd.DataFrame, share: float) -> Any:
    """Return the standard error of a mean over splits, NaN for fewer than two.

    Their fits share dyads, and random splits held-out ones too: the variance of a mean over J
    splits is not 1 / J of a split's, but about ``1 / J + share / (1 - share)`` of it (Nadeau &
    Bengio, Machine Learning 52, 2003; of folds: Bouckaert & Frank, PAKDD 2004).

    Parameters
    ----------
    values : Series or DataFrame
        A row a split.
    share : float
        Share of the dyads that a split holds out.

    Returns
    -------
    float or Series
        The error, or that of each column.
    """
    independent: Any = values.sem()
    return independent * math.sqrt(1 + len(values) * share / (1 - share))


def auc_roc(score: FloatArray, positive: BoolArray) -> float:
    """Return the area under the ROC curve: how often a positive scores above a negative.

    It is the Mann-Whitney statistic; a tie counts one half.

    Parameters
    ----------
    score : ndarray of shape (D,)
        Scores; a positive should have a higher one.
    positive : ndarray of bool of shape (D,)
        Which are positives.

    Returns
    -------
    float
        From 0 to 1; NaN where all are of one kind.

    Examples
    --------
    >>> auc_roc(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True]))
    0.75
    """
    n_positive = int(positive.sum())
    n_negative = len(positive) - n_positive
    if not n_positive * n_negative:
        return np.nan
    above = rankdata(score)[positive].sum() - n_positive * (n_positive + 1) / 2
    return float(above / (n_positive * n_negative))


def auc_pr(score: FloatArray, positive: BoolArray) -> float:
    """Return the area under the precision-recall curve, as average precision.

    It is the mean, over positives, of the share of positives among all that score no less.

    Parameters
    ----------
    score : ndarray of shape (D,)
        Scores; a positive should have a higher one.
    positive : ndarray of bool of shape (D,)
        Which are positives.

    Returns
    -------
    float
        From 0 to 1; NaN where there is no positive.
    """
    if not positive.any():
        return np.nan
    at_least = rankdata(-score, method="max")
    positives = rankdata(-score[positive], method="max")
    return float(np.mean(positives / at_least[positive]))


def calibration_table(probability: FloatArray, edge: BoolArray, bins: int = 10) -> pd.DataFrame:
    """Set predicted probabilities beside shares of edges, in bins of equally many dyads.

    Parameters
    ----------
    probability : ndarray of shape (D,)
        Predicted probabilities of an edge.
    edge : ndarray of bool of shape (D,)
        Whether there is an edge.
    bins : int, default 10
        Number of bins.

    Returns
    -------
    DataFrame
        Columns ``dyads``, ``predicted`` (mean probability), ``observed`` (share of edges) and
        ``error`` (standard error of that share, were the predicted one true).

    Examples
    --------
    >>> table = calibration_table(np.array([0.25, 0.75]), np.array([False, True]), bins=2)
    >>> table["observed"].tolist()
    [0.0, 1.0]
    """
    rows = []
    for part in np.array_split(np.argsort(probability, kind="stable"), bins):
        if len(part):
            p = probability[part]
            error = np.sqrt(np.sum(p * (1 - p))) / len(part)
            rows.append((len(part), p.mean(), edge[part].mean(), error))
    return pd.DataFrame(rows, columns=["dyads", "predicted", "observed", "error"])
