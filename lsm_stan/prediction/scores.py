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
    """Of D dyads: log predictive probabilities of their weights, and of no edge."""

    log_density: FloatArray
    log_empty: FloatArray

    @property
    def probability(self) -> FloatArray:
        """Predictive probabilities of an edge."""
        return np.asarray(-np.expm1(self.log_empty))


def predict_held_out(
    spec: ModelSpec,
    draws: Parameters,
    network: Network,
    sender: ArrayLike,
    receiver: ArrayLike,
    weight: ArrayLike,
    unit: ArrayLike | None = None,
) -> Prediction:
    """Predict dyads.

    Parameters
    ----------
    spec
        The model.
    draws
        Parameters with one leading axis, of S draws; S = 1 for a mode.
    network
        What was observed: where the directions of a pair are correlated, given the parameters, the
        prediction is conditional on the reverse dyad's weight, if that is known.
    sender, receiver, weight
        ``(D,)`` node indices, from 0, and the weights that were found there.
    unit
        ``(D,)`` numbers of what is scored as one: a dyad, or both directions of a pair, neither of
        which was observed. Each gets an equal part of the unit's log probability; the probability
        of an edge is the dyad's own. By default every dyad is scored by itself.

    Returns
    -------
    Prediction
        Memory beyond it is bounded.
    """
    sender, receiver, weight = (np.asarray(x, dtype=np.int64) for x in (sender, receiver, weight))
    reverse = network.weight_of(receiver, sender)
    number = np.arange(len(weight)) if unit is None else np.asarray(unit)
    _, first, place = np.unique(number, return_index=True, return_inverse=True)
    last = len(number) - 1 - np.unique(number[::-1], return_index=True)[1]
    of_unit, log_empty = np.empty(len(first)), np.empty(len(weight))
    for part in chunks(len(first), len(draws["z"])):
        one, other = first[part], last[part]
        value = log_likelihood(spec, draws, sender[one], receiver[one], weight[one], reverse[one])
        pair = one != other
        one, other = one[pair], other[pair]
        value[:, pair] += log_likelihood(
            spec, draws, sender[other], receiver[other], weight[other], weight[one]
        )
        of_unit[part] = log_mean_exp(value) / (1 + pair)
    for part in chunks(len(weight), len(draws["z"])):
        s, r = sender[part], receiver[part]
        empty = log_likelihood(spec, draws, s, r, np.zeros_like(s), reverse[part])
        log_empty[part] = log_mean_exp(empty)
    return Prediction(of_unit[place], log_empty)


def log_mean_exp(values: FloatArray) -> FloatArray:
    """Return the log of the mean over the first axis of exponentials."""
    return np.asarray(logsumexp(values, axis=0) - np.log(len(values)))


def scores(
    prediction: Prediction, weight: IntArray, unit: IntArray | None = None
) -> dict[str, float]:
    """Return the scores of a prediction.

    Parameters
    ----------
    prediction
        Of D dyads.
    weight
        ``(D,)`` weights that were found there.
    unit
        ``(D,)`` numbers of what was scored as one, as in :func:`predict_held_out`.

    Returns
    -------
    dict
        ``log_density``, mean log predictive probability a dyad, in nats; ``log_density_error``, its
        standard error, units taken as independent; and of an edge's probability, every dyad by
        itself, ``auc``, ``auc_pr``, ``brier``, ``edge_log_density`` (mean log probability of what
        was found, an edge or none) and ``zero_inflation_gain``.
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

    With a share s of dyads empty for reasons of their own, a dyad is empty with probability
    ``s + (1 - s) q`` where q was predicted, and the weights of edges are as predicted. The gain
    is that of the best s, known with hindsight: no s does better with these predictions.

    Parameters
    ----------
    prediction
        Of D dyads.
    weight
        ``(D,)`` weights that were found there.
    """
    log_q = prediction.log_empty[weight == 0]
    n_edges = len(weight) - len(log_q)

    def loss(share: float) -> float:
        kept = np.log1p(-share)
        inflated = np.logaddexp(np.log(share), kept + log_q) - log_q
        return -float(inflated.sum() + n_edges * kept) / len(weight)

    return max(0.0, -float(minimize_scalar(loss, bounds=(0.0, 1.0), method="bounded").fun))


def _edge_log_density(prediction: Prediction, edge: BoolArray) -> FloatArray:
    """Return the log probability of what was found of each dyad, an edge or none."""
    probability = np.maximum(prediction.probability, np.finfo(float).tiny)
    return np.where(edge, np.log(probability), prediction.log_empty)


def standard_error(values: FloatArray, unit: IntArray | None = None) -> float:
    """Return the standard error of a mean, NaN of fewer than two units.

    Parameters
    ----------
    values
        ``(D,)``.
    unit
        ``(D,)`` numbers: values of one unit depend on each other, units do not. By default every
        value is one.
    """
    number = np.arange(len(values)) if unit is None else np.unique(unit, return_inverse=True)[1]
    off = np.bincount(number, values - values.mean())
    return float(np.std(off, ddof=1) * np.sqrt(len(off)) / len(values)) if len(off) > 1 else np.nan


def split_error(values: pd.Series[float] | pd.DataFrame, share: float) -> Any:
    """Return the standard error of a mean over splits, NaN of fewer than two.

    Their fits share dyads, and random splits held-out ones too: the variance of a mean over J
    splits is not 1 / J of a split's, but about ``1 / J + share / (1 - share)`` of it (Nadeau &
    Bengio, Machine Learning 52, 2003; of folds: Bouckaert & Frank, PAKDD 2004).

    Parameters
    ----------
    values
        A row a split; of several columns the error of each is returned.
    share
        Of the dyads that a split holds out.
    """
    independent: Any = values.sem()
    return independent * math.sqrt(1 + len(values) * share / (1 - share))


def auc_roc(score: FloatArray, positive: BoolArray) -> float:
    """Return the area under the ROC curve: how often a positive scores above a negative.

    It is the Mann-Whitney statistic; a tie counts one half. NaN where all are of one kind.
    """
    n_positive = int(positive.sum())
    n_negative = len(positive) - n_positive
    if not n_positive * n_negative:
        return np.nan
    above = rankdata(score)[positive].sum() - n_positive * (n_positive + 1) / 2
    return float(above / (n_positive * n_negative))


def auc_pr(score: FloatArray, positive: BoolArray) -> float:
    """Return the area under the precision-recall curve, as average precision.

    The mean, over positives, of the share of positives among all that score no less. NaN where
    there is none.
    """
    if not positive.any():
        return np.nan
    at_least = rankdata(-score, method="max")
    found = rankdata(-score[positive], method="max")
    return float(np.mean(found / at_least[positive]))


def calibration_table(probability: FloatArray, edge: BoolArray, bins: int = 10) -> pd.DataFrame:
    """Set predicted probabilities beside what was found, in bins of equally many dyads.

    Parameters
    ----------
    probability
        ``(D,)`` of an edge.
    edge
        ``(D,)``, whether there was one.
    bins
        Deciles by default.

    Returns
    -------
    pandas.DataFrame
        Columns ``dyads``, ``predicted`` (mean probability), ``observed`` (share of edges) and
        ``error`` (standard error of that share, were the predicted one true).
    """
    rows = []
    for part in np.array_split(np.argsort(probability, kind="stable"), bins):
        if len(part):
            p = probability[part]
            error = np.sqrt(np.sum(p * (1 - p))) / len(part)
            rows.append((len(part), p.mean(), edge[part].mean(), error))
    return pd.DataFrame(rows, columns=["dyads", "predicted", "observed", "error"])
