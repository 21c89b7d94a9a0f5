"""Draw layers from a model: parameters from their priors, the layers' weights given them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from lsm_stan.errors import InputError
from lsm_stan.model.exposure import hide_unexposed_in_layers
from lsm_stan.model.family import ModelSpec, find_model
from lsm_stan.model.layered_parameters import of_layer, positions_by_layer
from lsm_stan.model.layering import Layering, check_layered
from lsm_stan.model.parameters import Parameters
from lsm_stan.model.simulation import draw_parameters, simulate
from lsm_stan.model.subset import network_among
from lsm_stan.network.layers import Layers
from lsm_stan.typing import FloatArray


def simulate_layers(
    n_nodes: int,
    dim: int = 2,
    n_layers: int = 3,
    *,
    seed: int,
    model: str | ModelSpec = "nb-squared",
    layers: str | Layering | Mapping[str, Any] = "ordered",
    times: ArrayLike | None = None,
    absent: Sequence[tuple[int, int]] = (),
    directed: bool = True,
    prior_scale: float = 1.0,
    parameters: Parameters | None = None,
    node_table: pd.DataFrame | None = None,
    dyad_table: pd.DataFrame | None = None,
) -> tuple[Layers, dict[str, FloatArray]]:
    """Simulate several networks of the same nodes.

    Parameters
    ----------
    n_nodes : int
        N, at least 2.
    dim : int, default 2
        K, at least 1.
    n_layers : int, default 3
        L, at least 1.
    seed : int
        The same seed gives the same layers.
    model : str or ModelSpec, default "nb-squared"
        A name of :data:`lsm_stan.model.family.MODELS`, or any other model of the family.
    layers : str, Layering or mapping, default "ordered"
        How positions hang together; see :mod:`lsm_stan.model.layering`.
    times : array_like of float of shape (L,), optional
        Times of the layers.
    absent : sequence of tuple of (int, int), default ()
        Layers and nodes, by number, that are absent from them.
    directed : bool, default True
        Whether ``Y_ij`` and ``Y_ji`` are two draws or one.
    prior_scale : float, default 1.0
        Standard deviation of each coordinate, where it is not learned.
    parameters : dict of str to ndarray, optional
        Parameters to use instead of draws from their priors, by name; see
        :mod:`lsm_stan.model.layered_parameters`.
    node_table, dyad_table : DataFrame, optional
        Tables that have the covariates' columns; see :class:`lsm_stan.network.layers.Layers`.

    Returns
    -------
    layers : Layers
        Called ``1`` to ``L``; nodes are named as in the node table, else ``1`` to ``N``.
    parameters : dict of str to ndarray
        All parameters the weights were drawn at, by name.

    Raises
    ------
    InputError
        If layers cannot have the model, the tables have not its covariates, or a mean is
        too large to draw from.

    Examples
    --------
    >>> from lsm_stan import simulate_layers
    >>> layers, truth = simulate_layers(20, 2, 4, seed=1, layers="exchangeable")
    >>> layers.n_layers, truth["z_layer"].shape
    (4, (4, 20, 2))
    """
    layering = Layering.of(layers)
    if n_layers < 1:
        raise InputError(f"n_layers is {n_layers}; at least one layer is needed")
    rng = np.random.default_rng(seed)
    known = dict(parameters or {})
    empty, _ = simulate(
        n_nodes,
        dim,
        seed=0,
        model="poisson-squared",
        directed=directed,
        parameters=_none(n_nodes, dim),
        node_table=node_table,
    )
    labels = [str(k + 1) for k in range(n_layers)]
    title = f"simulated layers (L = {n_layers}, N = {n_nodes}, K = {dim}, seed {seed})"
    blank = Layers.of(
        dict.fromkeys(labels, empty),
        times=times,
        title=title,
        node_table=node_table,
        dyad_table=dyad_table,
    )
    spec = find_model(model)
    check_layered(spec, layering)
    blank = hide_unexposed_in_layers(spec.terms, blank)
    spec = spec.bound(blank.pooled)
    base = draw_parameters(
        n_nodes,
        dim,
        seed=rng,
        model=spec,
        directed=directed,
        prior_scale=prior_scale,
        given=known,
    )
    drawn = {**base, **_of_layers(base, known, spec, layering, blank, prior_scale, rng)}
    drawn.pop("intercept", None)
    if layering.layer_effects:
        for name in ("sender_effect", "receiver_effect"):
            drawn.pop(name)
    networks = []
    for layer in range(n_layers):
        network, _ = simulate(
            n_nodes,
            dim,
            seed=int(rng.integers(2**31)),
            model=spec,
            directed=directed,
            parameters=of_layer(drawn, blank, layer),
            node_table=node_table,
            dyad_table=dyad_table,
        )
        gone = {node for at, node in absent if at == layer}
        kept = np.array([node for node in range(n_nodes) if node not in gone], dtype=np.int64)
        networks.append(network_among(network, kept))
    return replace(blank, networks=tuple(networks)), drawn


def _none(n_nodes: int, dim: int) -> dict[str, FloatArray]:
    """Return parameters of a network without edges."""
    return {"z": np.zeros((n_nodes, dim)), "intercept": np.asarray(-1e3)}


def _of_layers(
    base: Parameters,
    known: Parameters,
    spec: ModelSpec,
    layering: Layering,
    blank: Layers,
    prior_scale: float,
    rng: np.random.Generator,
) -> dict[str, FloatArray]:
    """Draw what layers have besides, given what they have in common."""
    n_layers, n_nodes = blank.n_layers, blank.n_nodes
    drawn: dict[str, FloatArray] = {}
    if spec.intercept:
        level = rng.normal(scale=spec.intercept_scale, size=n_layers)
        drawn["layer_intercept"] = np.asarray(known.get("layer_intercept", level), dtype=float)
    if layering.layer_effects:
        one = [rng.normal(size=(n_layers, n_nodes)) for _ in range(2)]
        rho = base.get("rho", np.asarray(1.0))
        sender = base["sigma_sender"] * one[0]
        receiver = base["sigma_receiver"] * (rho * one[0] + np.sqrt(1 - rho**2) * one[1])
        drawn["layer_sender_effect"] = np.asarray(known.get("layer_sender_effect", sender))
        drawn["layer_receiver_effect"] = np.asarray(known.get("layer_receiver_effect", receiver))
    steps = layering.steps(blank)
    n_changes = layering.changes(blank)
    changes = rng.normal(size=(n_changes, *base["z"].shape))
    if n_changes:
        scale = base.get("sigma_z", np.asarray(prior_scale))
        sigma = np.abs(rng.normal(scale=layering.change_scale)) * scale
        drawn["sigma_change"] = np.asarray(known.get("sigma_change", sigma), dtype=float)
        changes = changes * drawn["sigma_change"]
    there = positions_by_layer(base["z"], changes, *steps)
    drawn["z_layer"] = np.asarray(known.get("z_layer", there), dtype=float)
    return drawn
