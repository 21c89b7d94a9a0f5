"""How well layers predict one another, beside what the counts themselves predict.

A layer that no fit has seen is predicted from a fit of others:

- ``ordered``: it comes after the last of them (a forecast) or between two; positions are those of
  the layer before it and a further change, drawn for every draw of the fit;
- ``exchangeable``: positions are ``z`` and a change, drawn likewise;
- ``shared``: they are those of all layers.

Its intercept, and effects by layer, are not known: they are those of the layer before it, or of a
layer drawn at random. A node that no layer of the fit has is not predicted.

The baseline is *the other layers' own counts*: a negative binomial regression (logistic, where all
weights are 0 and 1) of a layer's weights on those of the layer before it (``ordered``), or on the
mean weight in all others, learned from the layers of the fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pandas as pd

from lsm_stan.errors import InputError
from lsm_stan.inference.latent_space_model import LatentSpaceModel
from lsm_stan.inference.layered_fit import LayeredFit
from lsm_stan.model.exposure import hide_unexposed, hide_unexposed_in_layers
from lsm_stan.model.family import ModelSpec, find_model
from lsm_stan.model.layered_parameters import IN_PLACE, of_layer
from lsm_stan.model.layering import Layering
from lsm_stan.model.pointwise import observed_units
from lsm_stan.model.subset import model_among, network_among
from lsm_stan.network.layer_checks import with_nodes_in_order
from lsm_stan.network.layers import Layers
from lsm_stan.network.network import Network
from lsm_stan.posterior.draws import flat_draws
from lsm_stan.prediction.layer_counts import (
    Regression,
    are_binary,
    log_counts,
    mean_weights,
    weights_in,
)
from lsm_stan.prediction.scores import predict_held_out, scores
from lsm_stan.progress import Progress
from lsm_stan.typing import FloatArray, IntArray

#: Draws of a layer's positions: of a fit with fewer, each is taken several times.
DRAWS = 200


def score_layers(
    layers: Layers,
    dim: int = 2,
    *,
    model: str | ModelSpec,
    structure: str | Layering,
    seed: int,
    method: str = "map",
    which: Sequence[int | str] | None = None,
    say: Progress = lambda _: None,
    **arguments: Any,
) -> pd.DataFrame:
    """Leave layers out, one at a time, and predict each from a fit of others.

    Parameters
    ----------
    layers : Layers
        L layers, at least two.
    dim : int, default 2
        K, the number of latent dimensions.
    model : str or ModelSpec
        The model.
    structure : str or Layering
        How positions hang together: ``ordered`` layers are forecast from those before them, others
        predicted from all others.
    seed : int
        Seed of the fits and of the draws.
    method : str, default "map"
        The method that fits, such as ``"nuts"``.
    which : sequence of int or str, or None, default None
        The layers to leave out; by default all that can be, of ``ordered`` layers but the first.
    say : callable, default: does nothing
        It is called with a sentence for each fit.
    **arguments : Any
        Arguments of the method.

    Returns
    -------
    DataFrame
        A row for each layer and predictor (``model``, ``counts``, ``constant``): ``layer``,
        ``predictor``, ``dyads``, how many, and the scores of
        :func:`lsm_stan.prediction.scores.scores`. There is no ``counts`` where the fit has one
        layer, from which no regression on another is learned.

    Raises
    ------
    InputError
        If there are fewer than two layers, or one that is named cannot be left out.
    """
    if layers.n_layers < 2:
        raise InputError("one layer is predicted from others; at least two are needed")
    spec = find_model(model)
    layers = hide_unexposed_in_layers(spec.terms, layers)
    spec.bound(layers.pooled)  # refuses covariates that a layer to come would lack
    layering = Layering.of(structure)
    ordered = layering.structure == "ordered"
    possible = range(1 if ordered else 0, layers.n_layers)
    chosen = possible if which is None else [layers.index(layer) for layer in which]
    tables = []
    for target in chosen:
        if target not in possible:
            raise InputError(
                f"the layer {layers.labels[target]!r} is the first, and no layer is before it to"
                f" forecast it from; leave it out of which"
            )
        others = [k for k in range(layers.n_layers) if (k < target if ordered else k != target)]
        rest = layers.chosen(others)
        say(f"layer {layers.labels[target]}: {method} of {len(others)} others")
        fitted = LatentSpaceModel(rest, dim, model=model, layers=layering)
        fit = fitted.fit(method, seed=seed, **{"show_progress": False, **arguments})
        time = None if layers.times is None else float(layers.times[target])
        table = score_layer(cast(LayeredFit, fit), layers.networks[target], time=time, seed=seed)
        table.insert(0, "layer", layers.labels[target])
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def score_layer(
    fit: LayeredFit,
    network: Network,
    *,
    time: float | None = None,
    like: int | str | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Score the prediction of a layer that a fit has not seen.

    Parameters
    ----------
    fit : LayeredFit
        A fit of other layers.
    network : Network
        The layer; nodes that no layer of the fit has are left out.
    time : float or None, default None
        When it was observed, at or after the last layer of the fit; by default a step of mean
        length after it. Only ``ordered`` layers look at it.
    like : int, str or None, default None
        The layer of the fit whose intercept, and effects by layer, the new one has; by default of
        ``ordered`` layers the last, else one drawn at random for every draw.
    seed : int, default 0
        Seed of the draws.

    Returns
    -------
    DataFrame
        Rows ``model``, ``counts`` and ``constant``; see :func:`score_layers`.

    Raises
    ------
    InputError
        If the time is before the last layer's, fewer than two nodes are known, or no layer of the
        fit is called as `like` says.
    """
    known = set(fit.layers.names)
    kept = np.array([k for k, name in enumerate(network.names) if name in known], dtype=np.int64)
    if len(kept) < 2:
        raise InputError("the layer has fewer than two nodes that the fit knows; no dyad is left")
    place = {name: k for k, name in enumerate(fit.layers.names)}
    target = with_nodes_in_order(network_among(network, kept), place)
    target = hide_unexposed(fit.spec.terms, target, fit.layers.dyad_table)
    members = np.array([place[name] for name in target.names], dtype=np.int64)
    draws = new_layer(fit, members, time=time, like=like, seed=seed)
    units = observed_units(target)
    sender, receiver = units.T
    weight = target.weight_of(sender, receiver)
    pair = units.min(axis=1) * target.n_nodes + units.max(axis=1)
    spec = model_among(fit.spec, fit.layers.n_nodes, members)
    predictions = {"model": predict_held_out(spec, draws, None, sender, receiver, weight, pair)}
    binary = are_binary(fit.layers)
    pairs = _training_pairs(fit)
    if pairs is not None:
        known_counts, known_weights = pairs
        usual = float(known_counts.mean())
        learned = Regression.of(log_counts(known_counts, usual), known_weights, binary)
        x = log_counts(_predictor(fit, members[units]), usual)
        predictions["counts"] = learned.predict(x, weight)
    every = np.concatenate(
        [layer.weight_of(*observed_units(layer).T) for layer in fit.layers.networks]
    )
    constant = Regression.of(np.zeros((len(every), 0)), every, binary)
    predictions["constant"] = constant.predict(np.zeros((len(weight), 0)), weight)
    rows = [
        {"predictor": name, "dyads": len(weight), **scores(prediction, weight, pair)}
        for name, prediction in predictions.items()
    ]
    return pd.DataFrame(rows)


def new_layer(
    fit: LayeredFit,
    members: IntArray,
    *,
    time: float | None = None,
    like: int | str | None = None,
    seed: int = 0,
) -> dict[str, FloatArray]:
    """Draw the parameters of a layer that a fit has not seen.

    Parameters
    ----------
    fit : LayeredFit
        A fit of other layers.
    members : ndarray of int64 of shape (M,)
        The nodes of the layer, by their numbers in the fit.
    time : float or None, default None
        As in :func:`score_layer`.
    like : int, str or None, default None
        As in :func:`score_layer`.
    seed : int, default 0
        The same seed gives the same draws.

    Returns
    -------
    dict of str to ndarray
        Parameters by the names of a network alone, with one leading axis.

    Raises
    ------
    InputError
        If the time is before the last layer's, or no layer of the fit is called as `like` says.
    """
    rng = np.random.default_rng(seed)
    draws = flat_draws(fit.parameters, DRAWS)
    times = -(-DRAWS // len(draws["z"]))
    draws = {name: np.repeat(values, times, axis=0) for name, values in draws.items()}
    n_draws, structure = len(draws["z"]), fit.layering.structure
    last = fit.layers.n_layers - 1
    there, step = draws["z"], float(structure != "shared")
    if structure == "ordered":
        there, step = draws["z_layer"][:, last], _step(fit, time)
        like = last if like is None else like
    if like is None:
        level_of = rng.integers(last + 1, size=n_draws)
    else:
        level_of = np.full(n_draws, fit.layers.index(like))
    scale = draws.get("sigma_z", np.full(n_draws, fit.prior_scale))
    sigma = draws.get("sigma_change", scale * fit.layering.change_fixed)
    z = there + step * sigma[:, None, None] * rng.normal(size=there.shape)
    as_in = {
        name: values[np.arange(n_draws), level_of][:, None]
        for name, values in draws.items()
        if name in IN_PLACE
    }
    others = {name: values for name, values in draws.items() if name not in IN_PLACE}
    return of_layer({**others, **as_in, "z_layer": z[:, None]}, fit.layers, 0, members)


def _step(fit: LayeredFit, time: float | None) -> float:
    """Return how far the change to a later layer goes, in units of its scale."""
    times = fit.layers.times
    if times is None or time is None or len(times) < 2:
        return 1.0
    gap, mean = time - times[-1], float(np.diff(times).mean())
    if gap < 0:
        raise InputError(
            f"time is {time:g}, before that of the last layer, {times[-1]:g}; a layer is forecast"
            f" from those before it"
        )
    return float(np.sqrt(gap / mean)) if mean > 0 else 1.0


def _predictor(fit: LayeredFit, dyads: IntArray) -> FloatArray:
    """Return the counts that a new layer is predicted from."""
    layers = fit.layers
    if fit.layering.structure == "ordered":
        return weights_in(layers, layers.n_layers - 1, dyads)
    return mean_weights(layers, range(layers.n_layers), dyads)


def _training_pairs(fit: LayeredFit) -> tuple[FloatArray, FloatArray] | None:
    """Return counts of layers, and of those that they are predicted from; None of one layer."""
    layers, first = fit.layers, int(fit.layering.structure == "ordered")
    predictors, counts = [], []
    for layer in range(first, layers.n_layers if layers.n_layers > 1 else 0):
        dyads = layers.members[layer][observed_units(layers.networks[layer])]
        if fit.layering.structure == "ordered":
            x = weights_in(layers, layer - 1, dyads)
        else:
            others = [k for k in range(layers.n_layers) if k != layer]
            x = mean_weights(layers, others, dyads)
        known = ~np.isnan(x)
        predictors.append(x[known])
        counts.append(weights_in(layers, layer, dyads)[known])
    if not sum(map(len, counts)):
        return None
    return np.concatenate(predictors), np.concatenate(counts)
