"""What the counts of other layers predict: regressions of weights on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import gammaln

from lsm_stan.network.layers import Layers
from lsm_stan.prediction.baselines import negative_binomial
from lsm_stan.prediction.scores import Prediction
from lsm_stan.typing import FloatArray, IntArray

#: What is added to counts before their logarithm is taken.
COUNTED = 0.1


def are_binary(layers: Layers) -> bool:
    """Return whether all weights of layers are 0 and 1.

    Parameters
    ----------
    layers : Layers
        The layers.

    Returns
    -------
    bool
    """
    return all(int(network.weight.max(initial=0)) <= 1 for network in layers.networks)


def weights_in(layers: Layers, layer: int, dyads: IntArray) -> FloatArray:
    """Return the weights of dyads in a layer.

    Parameters
    ----------
    layers : Layers
        The layers.
    layer : int
        Number of the layer, from 0.
    dyads : ndarray of int64 of shape (D, 2)
        Nodes, by their numbers among all.

    Returns
    -------
    ndarray of float64 of shape (D,)
        NaN where the layer did not observe the dyad.
    """
    place = np.full(layers.n_nodes, -1)
    place[layers.members[layer]] = np.arange(len(layers.members[layer]))
    there = place[dyads]
    weight = np.full(len(dyads), np.nan)
    both = (there >= 0).all(axis=1)
    seen = layers.networks[layer].weight_of(*there[both].T).astype(float)
    weight[both] = np.where(seen < 0, np.nan, seen)
    return weight


def mean_weights(layers: Layers, among: Sequence[int], dyads: IntArray) -> FloatArray:
    """Return the mean weights of dyads over the layers that observed them.

    Parameters
    ----------
    layers : Layers
        The layers.
    among : sequence of int
        Numbers of those that are looked at, at least one.
    dyads : ndarray of int64 of shape (D, 2)
        Nodes, by their numbers among all.

    Returns
    -------
    ndarray of float64 of shape (D,)
        NaN where none of them observed the dyad.
    """
    stacked = np.array([weights_in(layers, layer, dyads) for layer in among])
    known = ~np.isnan(stacked)
    total = np.where(known, stacked, 0.0).sum(axis=0)
    return np.asarray(total / np.where(known.any(axis=0), known.sum(axis=0), np.nan))


def log_counts(counts: FloatArray, usual: float) -> FloatArray:
    """Return what a regression takes of counts: their logarithm, as one column.

    Parameters
    ----------
    counts : ndarray of shape (D,)
        Counts; NaN where they are not known.
    usual : float
        What stands for those that are not known.

    Returns
    -------
    ndarray of shape (D, 1)
    """
    return np.log(np.where(np.isnan(counts), usual, counts) + COUNTED)[:, None]


@dataclass(frozen=True)
class Regression:
    """Weights given features x: mean, or odds, exp(level + x · slopes).

    Attributes
    ----------
    level : float
        Log mean, or log odds, where all features are 0.
    slopes : ndarray of shape (P,)
        A coefficient a feature.
    size : float
        Size of the negative binomial distribution.
    binary : bool
        Whether weights are 0 and 1: a logistic regression, else a negative binomial one.
    """

    level: float
    slopes: FloatArray
    size: float
    binary: bool

    @classmethod
    def of(cls, x: FloatArray, y: FloatArray | IntArray, binary: bool) -> Regression:
        """Fit it by maximum likelihood.

        Parameters
        ----------
        x : ndarray of shape (D, P)
            Features; P may be 0.
        y : ndarray of shape (D,)
            Weights.
        binary : bool
            Whether they are 0 and 1.

        Returns
        -------
        Regression

        Examples
        --------
        >>> learned = Regression.of(np.zeros((4, 0)), np.array([0, 1, 1, 1]), binary=True)
        >>> round(float(np.exp(learned.level)), 2)
        3.0
        """
        rows = np.column_stack([x, y.astype(np.float64)])
        table, times = np.unique(rows, axis=0, return_counts=True)
        features, weight = table[:, :-1], table[:, -1]

        def loss(values: FloatArray) -> float:
            eta = values[0] + features @ values[1:-1]
            if binary:
                log_p = weight * eta - np.logaddexp(0.0, eta)
            else:
                # a negative binomial by logarithms: means that are tried may overflow
                log_size, total = values[-1], np.logaddexp(values[-1], eta)
                size = np.exp(log_size)
                log_p = gammaln(weight + size) - gammaln(size) - gammaln(weight + 1)
                log_p += size * (log_size - total) + weight * (eta - total)
            return float(1e-6 * values @ values - times @ log_p / times.sum())

        start = np.zeros(x.shape[1] + 2)
        start[0] = np.log(max(float(np.mean(y)), 1e-6))
        # a feature that does not vary has no coefficient beside the level
        slopes = [(0.0, 0.0) if flat else (-10.0, 10.0) for flat in np.ptp(features, axis=0) == 0]
        best = minimize(loss, start, bounds=[(-30.0, 30.0), *slopes, (-10.0, 10.0)]).x
        return cls(float(best[0]), best[1:-1], float(np.exp(best[-1])), binary)

    def predict(self, x: FloatArray, weight: IntArray) -> Prediction:
        """Predict weights.

        Parameters
        ----------
        x : ndarray of shape (D, P)
            Features.
        weight : ndarray of int64 of shape (D,)
            Weights that the dyads have.

        Returns
        -------
        Prediction
        """
        eta = self.level + x @ self.slopes
        if not self.binary:
            return negative_binomial(np.exp(eta), self.size, weight)
        log_empty = -np.logaddexp(0.0, eta)
        return Prediction(np.where(weight > 0, eta + log_empty, log_empty), log_empty)
