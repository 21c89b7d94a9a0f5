"""How well dyads of one layer are predicted from the rest of it and from the other layers.

The layer's dyads are divided into folds. Each fold is hidden, all layers are fitted, and the hidden
dyads are predicted. Beside the model stand regressions that are learned from the layer's other
dyads: on the mean weight in all other layers, on the weight in single ones, and on nothing.

``both`` joins the model and the counts: a regression on the weights that the others are regressions
on, and on the model's rate of an edge, log(-log P(no edge)). It is learned from the other folds,
where the model had not seen the weights either.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import numpy as np
import pandas as pd

from lsm_stan.inference.latent_space_model import LatentSpaceModel
from lsm_stan.inference.layered_fit import LayeredFit
from lsm_stan.model.exposure import hide_unexposed_in_layers
from lsm_stan.model.family import ModelSpec, find_model
from lsm_stan.model.layered_parameters import of_layer
from lsm_stan.model.layering import Layering
from lsm_stan.model.pointwise import observed_units
from lsm_stan.network.layers import Layers
from lsm_stan.network.network import Network
from lsm_stan.network.pairs import pair_number
from lsm_stan.posterior.draws import flat_draws
from lsm_stan.prediction.holdout import Dyads, folds
from lsm_stan.prediction.layer_counts import Regression, are_binary, log_counts, mean_weights
from lsm_stan.prediction.scores import Prediction, predict_held_out, scores
from lsm_stan.progress import Progress
from lsm_stan.typing import FloatArray, IntArray

#: Least rate of an edge that a logarithm is taken of.
_LEAST = 1e-12


class _Fold(NamedTuple):
    """What is predicted of one fold."""

    weight: IntArray
    pair: IntArray
    counts: FloatArray
    predictions: dict[str, Prediction]

    @property
    def features(self) -> FloatArray:
        """What ``both`` is a regression on."""
        rate = np.maximum(-self.predictions["model"].log_empty, _LEAST)
        return np.column_stack([self.counts, np.log(rate)])


def score_dyads(
    layers: Layers,
    layer: int | str,
    dim: int = 2,
    *,
    model: str | ModelSpec,
    structure: str | Layering,
    seed: int,
    n_folds: int = 5,
    together: bool = True,
    method: str = "map",
    beside: Sequence[int | str] = (),
    say: Progress = lambda _: None,
    **arguments: Any,
) -> pd.DataFrame:
    """Hide folds of one layer's dyads in turn, and predict each from all that is left.

    Parameters
    ----------
    layers : Layers
        L layers, at least two.
    layer : int or str
        The layer whose dyads are predicted.
    dim : int, default 2
        K, the number of latent dimensions.
    model : str or ModelSpec
        The model.
    structure : str or Layering
        How positions hang together.
    seed : int
        Seed of the folds and of the fits.
    n_folds : int, default 5
        Number of folds, at least 2.
    together : bool, default True
        Whether the two directions of a pair are hidden together.
    method : str, default "map"
        The method that fits, such as ``"nuts"``.
    beside : sequence of int or str, default ()
        Layers whose own weights are set beside the model.
    say : callable, default: does nothing
        It is called with a sentence for each fit.
    **arguments : Any
        Arguments of the method.

    Returns
    -------
    DataFrame
        A row for each fold and predictor: ``fold``, from 1, ``predictor``, ``dyads``, how many, and
        the scores of :func:`lsm_stan.prediction.scores.scores`. Predictors are ``model``,
        ``both``, ``counts``, ``counts of LABEL`` for each layer of `beside`, and ``constant``; see
        :mod:`lsm_stan.prediction.layer_folds`.

    Raises
    ------
    InputError
        If there is no such layer, or fewer than 2 folds or dyads for them.
    """
    target, layering = layers.index(layer), Layering.of(structure)
    layers = hide_unexposed_in_layers(find_model(model).terms, layers)
    others = [k for k in range(layers.n_layers) if k != target]
    single = {f"counts of {layers.labels[k]}": [k] for k in map(layers.index, beside)}
    columns = {"counts": others, **single}
    network = layers.networks[target]
    made: list[_Fold] = []
    for number, dyads in enumerate(folds(network, n_folds, seed=seed, together=together), start=1):
        say(f"fold {number} of {n_folds}: {method} of {layers.n_layers} layers")
        hidden = network.hide(*dyads)
        known = layers.with_layer(target, hidden)
        fitted = LatentSpaceModel(known, dim, model=model, layers=layering)
        fit = cast(
            LayeredFit,
            fitted.fit(method, seed=seed, **{"show_progress": False, **arguments}),
        )
        weight = network.weight_of(*dyads)
        pair = pair_number(*dyads) if together else np.arange(len(weight))
        draws = of_layer(flat_draws(fit.parameters), known, target)
        spec = fit.model_of_layer(target)
        by_model = predict_held_out(spec, draws, hidden, *dyads, weight, pair)
        by_counts, counts = _by_counts(known, target, hidden, dyads, weight, columns)
        made.append(_Fold(weight, pair, counts, {"model": by_model, **by_counts}))
    binary = are_binary(layers)
    rows = []
    for number, fold in enumerate(made):
        rest = [other for k, other in enumerate(made) if k != number]
        features = np.concatenate([other.features for other in rest])
        weights = np.concatenate([other.weight for other in rest])
        both = Regression.of(features, weights, binary).predict(fold.features, fold.weight)
        for name, prediction in {**fold.predictions, "both": both}.items():
            row = {"fold": number + 1, "predictor": name, "dyads": len(fold.weight)}
            rows.append({**row, **scores(prediction, fold.weight, fold.pair)})
    return pd.DataFrame(rows)


def _by_counts(
    layers: Layers,
    target: int,
    hidden: Network,
    dyads: Dyads,
    weight: IntArray,
    columns: dict[str, list[int]],
) -> tuple[dict[str, Prediction], FloatArray]:
    """Predict dyads by regressions on other layers; return the features of these too."""
    members = layers.members[target]
    known = observed_units(hidden)
    y = hidden.weight_of(*known.T)
    binary = are_binary(layers)
    features = {}
    for name, among in columns.items():
        seen = mean_weights(layers, among, members[known])
        usual = float(np.nanmean(seen)) if not np.isnan(seen).all() else 0.0
        asked = mean_weights(layers, among, members[np.column_stack(dyads)])
        features[name] = log_counts(seen, usual), log_counts(asked, usual)
    nothing = np.zeros((len(known), 0)), np.zeros((len(weight), 0))
    predictions = {
        name: Regression.of(x, y, binary).predict(at, weight)
        for name, (x, at) in {**features, "constant": nothing}.items()
    }
    return predictions, np.hstack([at for _, at in features.values()])
