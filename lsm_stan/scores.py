"""Scores of predictions of dyads: arrays in, numbers out.

A prediction of D dyads is two arrays: the log predictive probability of the weights that were
found there, and the predictive probability of an edge. Both are means over draws of probabilities,
not probabilities at a mean (Gelman, Hwang & Vehtari, Statistics and Computing 24, 2014).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp
from scipy.stats import rankdata

from lsm_stan.dyads import CHUNK, log_likelihood
from lsm_stan.models import ModelSpec
from lsm_stan.network import Network
from lsm_stan.parameters import Parameters

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

#: Draws that predictions are means of: a thousand tell a log density to a few thousandths.
MAX_DRAWS = 1000


class Prediction(NamedTuple):
    """Of D dyads: log predictive probability of their weights, and probability of an edge."""

    log_density: FloatArray
    probability: FloatArray


def flat_draws(parameters: Parameters, max_draws: int = MAX_DRAWS) -> dict[str, FloatArray]:
    """Return at most `max_draws` evenly spaced draws, chains one after the other.

    Parameters
    ----------
    parameters
        With leading axes ``(chain, draw)``.
    max_draws
        At least 1.
    """
    flat = {name: v.reshape(-1, *v.shape[2:]) for name, v in parameters.items()}
    step = -(-len(flat["z"]) // max_draws)
    return {name: values[::step] for name, values in flat.items()}


def predict(
    spec: ModelSpec,
    draws: Parameters,
    network: Network,
    sender: ArrayLike,
    receiver: ArrayLike,
    weight: ArrayLike,
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

    Returns
    -------
    Prediction
        Memory beyond it is bounded.
    """
    sender, receiver, weight = (np.asarray(x, dtype=np.int64) for x in (sender, receiver, weight))
    log_density, probability = np.empty(len(weight)), np.empty(len(weight))
    size = max(1, CHUNK // len(draws["z"]))
    for start in range(0, len(weight), size):
        part = slice(start, start + size)
        s, r, w = sender[part], receiver[part], weight[part]
        reverse = network.weight_of(r, s)
        log_density[part] = log_mean_exp(log_likelihood(spec, draws, s, r, w, reverse))
        empty = log_likelihood(spec, draws, s, r, np.zeros_like(w), reverse)
        probability[part] = -np.expm1(log_mean_exp(empty))
    return Prediction(log_density, probability)


def log_mean_exp(values: FloatArray) -> FloatArray:
    """Return the log of the mean over the first axis of exponentials."""
    return np.asarray(logsumexp(values, axis=0) - np.log(len(values)))


def scores(prediction: Prediction, weight: IntArray) -> dict[str, float]:
    """Return the scores of a prediction.

    Parameters
    ----------
    prediction
        Of D dyads.
    weight
        ``(D,)`` weights that were found there.

    Returns
    -------
    dict
        ``log_density``, mean log predictive probability a dyad, in nats; ``log_density_error``, its
        standard error, dyads taken as independent; of an edge's probability ``auc``, ``auc_pr``
        and ``brier``; ``edge_log_density``, the part of ``log_density`` that tells whether there
        is an edge (the rest is that of the weights of edges); and ``zero_inflation_gain``.
    """
    edge, probability = weight > 0, prediction.probability
    return {
        "log_density": float(prediction.log_density.mean()),
        "log_density_error": standard_error(prediction.log_density),
        "auc": auc_roc(probability, edge),
        "auc_pr": auc_pr(probability, edge),
        "brier": float(np.mean((probability - edge) ** 2)),
        "edge_log_density": float(_edge_log_density(prediction, edge).mean()),
        "zero_inflation_gain": zero_inflation_gain(prediction, weight),
    }


def zero_inflation_gain(prediction: Prediction, weight: IntArray) -> float:
    """Return what zero inflation could add to the mean log density a dyad.

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
    log_q = prediction.log_density[weight == 0]
    n_edges = len(weight) - len(log_q)

    def loss(share: float) -> float:
        kept = np.log1p(-share)
        inflated = np.logaddexp(np.log(share), kept + log_q) - log_q
        return -float(inflated.sum() + n_edges * kept) / len(weight)

    return max(0.0, -float(minimize_scalar(loss, bounds=(0.0, 1.0), method="bounded").fun))


def _edge_log_density(prediction: Prediction, edge: NDArray[np.bool_]) -> FloatArray:
    """Return the log probability of what was found of each dyad, an edge or none."""
    probability = np.maximum(prediction.probability, np.finfo(float).tiny)
    return np.where(edge, np.log(probability), prediction.log_density)


def standard_error(values: FloatArray) -> float:
    """Return the standard error of a mean, NaN of fewer than two values."""
    return float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else np.nan


def auc_roc(score: FloatArray, positive: NDArray[np.bool_]) -> float:
    """Return the area under the ROC curve: how often a positive scores above a negative.

    It is the Mann-Whitney statistic; a tie counts one half. NaN where all are of one kind.
    """
    n_positive = int(positive.sum())
    n_negative = len(positive) - n_positive
    if not n_positive * n_negative:
        return np.nan
    above = rankdata(score)[positive].sum() - n_positive * (n_positive + 1) / 2
    return float(above / (n_positive * n_negative))


def auc_pr(score: FloatArray, positive: NDArray[np.bool_]) -> float:
    """Return the area under the precision-recall curve, as average precision.

    The mean, over positives, of the share of positives among all that score no less. NaN where
    there is none.
    """
    if not positive.any():
        return np.nan
    at_least = rankdata(-score, method="max")
    found = rankdata(-score[positive], method="max")
    return float(np.mean(found / at_least[positive]))


def calibration_table(
    probability: FloatArray, edge: NDArray[np.bool_], bins: int = 10
) -> pd.DataFrame:
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
