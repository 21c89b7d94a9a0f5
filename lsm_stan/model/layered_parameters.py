"""The parameters of layers, and the coordinates Stan moves in: as `parameters`, for L layers.

Beside those of :mod:`lsm_stan.model.parameters` there are

=============================  =============  ====================================================
name                           shape          where
=============================  =============  ====================================================
``z``                          ``(N, K)``     always: what layers have in common, see
                                              :mod:`lsm_stan.model.layering`
``z_layer``                    ``(L, N, K)``  always: positions in each layer
``layer_intercept``            ``(L,)``       in the place of ``intercept``
``layer_sender_effect``,       ``(L, N)``     effects by layer, in the place of the others
``layer_receiver_effect``
``sigma_change``               ``()``         the scale sigma of changes, where it is learned
=============================  =============  ====================================================

:func:`of_layer` makes of them the parameters of one layer's network, which everything else takes.
Stan declares ``change_raw``, one ``(N, K)`` a layer that has a change, in units of their scale, and
``log_sigma_change``, the logarithm of that in units of the positions' scale.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lsm_stan.model.family import ModelSpec
from lsm_stan.model.layering import Layering
from lsm_stan.model.parameters import NODE_PARAMETERS, Parameters, declared, from_declared
from lsm_stan.network.layers import Layers
from lsm_stan.typing import FloatArray, IntArray

#: What layers have in the place of parameters of one network.
IN_PLACE = {
    "layer_intercept": "intercept",
    "layer_sender_effect": "sender_effect",
    "layer_receiver_effect": "receiver_effect",
}


@dataclass(frozen=True)
class Shape:
    """What names and shapes of parameters depend on.

    Attributes
    ----------
    spec : ModelSpec
        The model.
    layering : Layering
        How positions hang together.
    layers : Layers
        The layers.
    prior_scale : float
        Scale of the positions where it is not learned.
    learned : bool
        Whether scales are parameters.
    """

    spec: ModelSpec
    layering: Layering
    layers: Layers
    prior_scale: float
    learned: bool

    @property
    def sizes(self) -> tuple[int, int]:
        """L and N."""
        return self.layers.n_layers, self.layers.n_nodes

    @property
    def learns_changes(self) -> bool:
        """Whether the scale of changes is a parameter."""
        return self.learned and self.layering.changes(self.layers) > 0


def declared_layers(parameters: Parameters, shape: Shape) -> dict[str, FloatArray]:
    """Return the values of what the Stan program declares, in its order.

    Parameters
    ----------
    parameters : dict of str to ndarray
        Parameters, with any leading axes. Those that are missing get the values they have where
        nothing is known: positions the same in all layers, else as in
        :func:`lsm_stan.model.parameters.declared`.
    shape : Shape
        What the shapes depend on.

    Returns
    -------
    dict of str to ndarray
    """
    n_layers, n_nodes = shape.sizes
    batch = parameters["z"].shape[:-2]
    alone = dict(parameters)
    for name, of_one in IN_PLACE.items():
        if name != "layer_intercept" and name in parameters:
            alone[of_one] = parameters[name].reshape(*batch, n_layers * n_nodes)
    if shape.layering.layer_effects:
        for name in ("sender_effect", "receiver_effect"):
            effect = alone.get(name, np.zeros((*batch, n_nodes)))
            if effect.shape[-1] == n_nodes:
                effect = np.tile(effect, n_layers)
            alone[name] = effect
    values = declared(
        alone,
        shape.spec,
        directed=shape.layers.directed,
        learned=shape.learned,
        prior_scale=shape.prior_scale,
    )
    if shape.spec.intercept:
        one = np.asarray(parameters.get("intercept", np.zeros(batch)), dtype=float)
        level = np.repeat(one[..., None], n_layers, axis=-1)
        values["intercept"] = np.asarray(parameters.get("layer_intercept", level), dtype=float)
    scale = _positions_scale(values, shape)
    sigma = scale * shape.layering.change_fixed
    if shape.learns_changes:
        sigma = np.asarray(parameters.get("sigma_change", sigma), dtype=float)
    values["change_raw"] = _changes(parameters, sigma, shape)
    none = np.zeros((*batch, 0))
    values["log_sigma_change"] = np.log(sigma / scale)[..., None] if shape.learns_changes else none
    return values


def from_declared_layers(values: Parameters, shape: Shape) -> dict[str, FloatArray]:
    """Return the parameters of values that Stan declares: what `declared_layers` undoes.

    Parameters
    ----------
    values : dict of str to ndarray
        Values by Stan's names, with any leading axes.
    shape : Shape
        What their shapes depend on.

    Returns
    -------
    dict of str to ndarray
    """
    spec = shape.spec
    batch = values["z_raw"].shape[:-2]
    parameters = from_declared(
        values,
        spec,
        learned=shape.learned,
        prior_scale=shape.prior_scale,
    )
    if spec.intercept:
        del parameters["intercept"]
        parameters["layer_intercept"] = values["intercept"]
    if shape.layering.layer_effects:
        for name in ("sender_effect", "receiver_effect"):
            effect = parameters.pop(name).reshape(*batch, *shape.sizes)
            parameters[f"layer_{name}"] = effect
    scale = _positions_scale(values, shape)
    sigma = scale * shape.layering.change_fixed
    if shape.learns_changes:
        sigma = scale * np.exp(values["log_sigma_change"][..., 0])
        parameters["sigma_change"] = sigma
    steps = shape.layering.steps(shape.layers)
    changes = sigma[..., None, None, None] * values["change_raw"]
    parameters["z_layer"] = positions_by_layer(parameters["z"], changes, *steps)
    return parameters


def positions_by_layer(
    z: FloatArray, changes: FloatArray, source: IntArray, step: FloatArray
) -> FloatArray:
    """Return the positions in every layer.

    Parameters
    ----------
    z : ndarray of shape (..., N, K)
        What layers have in common.
    changes : ndarray of shape (..., M, N, K)
        Changes for a step of 1, of the layers that have one, in their order.
    source : ndarray of int64 of shape (L,)
        The layer that each comes from; -1: `z`.
    step : ndarray of shape (L,)
        Steps; 0: no change.

    Returns
    -------
    ndarray of shape (..., L, N, K)
    """
    positions: list[FloatArray] = []
    used = 0
    for at, length in zip(source, step, strict=True):
        here = z if at < 0 else positions[at]
        if length > 0:
            here = here + length * changes[..., used, :, :]
            used += 1
        positions.append(here)
    return np.stack(positions, axis=-3)


def of_layer(
    parameters: Parameters, layers: Layers, layer: int, members: IntArray | None = None
) -> dict[str, FloatArray]:
    """Return the parameters of one layer's network, under the names of a network alone.

    Parameters
    ----------
    parameters : dict of str to ndarray
        Parameters of layers, with any leading axes.
    layers : Layers
        The layers.
    layer : int
        Number of the layer, from 0.
    members : ndarray of int64 of shape (M,), or None, default None
        The nodes that are wanted, by their numbers among all; by default the layer's own.

    Returns
    -------
    dict of str to ndarray
    """
    at = layers.members[layer] if members is None else members
    alone: dict[str, FloatArray] = {"z": parameters["z_layer"][..., layer, :, :][..., at, :]}
    for name, values in parameters.items():
        if name == "layer_intercept":
            alone["intercept"] = values[..., layer]
        elif name in IN_PLACE:
            alone[IN_PLACE[name]] = values[..., layer, :][..., at]
        elif name in NODE_PARAMETERS:
            alone[name] = values[..., at]
        elif name == "role":
            alone[name] = values[..., at, :]
        elif name not in ("z", "z_layer", "sigma_change"):
            alone[name] = values
    return alone


def _positions_scale(values: Parameters, shape: Shape) -> FloatArray:
    """Return the scale of the positions, of the shape of the leading axes."""
    if values["log_sigma_z"].shape[-1]:
        return np.asarray(np.exp(values["log_sigma_z"][..., 0]))
    return np.full(values["z_raw"].shape[:-2], shape.prior_scale)


def _changes(parameters: Parameters, sigma: FloatArray, shape: Shape) -> FloatArray:
    """Return the changes in units of their scale."""
    z = parameters["z"]
    source, step = shape.layering.steps(shape.layers)
    changed = np.flatnonzero(step > 0)
    if "z_layer" not in parameters or not len(changed):
        return np.zeros((*z.shape[:-2], len(changed), *z.shape[-2:]))
    there = parameters["z_layer"]
    before = [z if source[k] < 0 else there[..., source[k], :, :] for k in changed]
    apart = [there[..., k, :, :] - b for k, b in zip(changed, before, strict=True)]
    lengths = sigma[..., None] * step[changed]
    return np.asarray(np.stack(apart, axis=-3) / lengths[..., None, None])
