"""What a model expects before the data: parameters from its priors, and networks at them."""

from __future__ import annotations

import numpy as np
import xarray as xr

from lsm_stan.errors import InputError
from lsm_stan.model.family import ModelSpec
from lsm_stan.model.parameters import Parameters
from lsm_stan.model.replication import NO_DYADS, Replications, observed, replications
from lsm_stan.model.simulation import draw_parameters
from lsm_stan.network.network import Network
from lsm_stan.posterior.groups import parameter_group, predictive_group

#: Networks that are drawn unless others are asked for: their 90 % intervals are good to a few
#: hundredths of probability.
PRIOR_DRAWS = 200


def prior_predictive(
    spec: ModelSpec,
    network: Network,
    dim: int,
    *,
    prior_scale: float,
    draws: int = PRIOR_DRAWS,
    seed: int = 0,
) -> tuple[Parameters, Replications]:
    """Draw parameters from a model's priors, and a network at each of them.

    Scales are drawn too, as NUTS and ADVI learn them; a mode holds them fixed.

    Parameters
    ----------
    spec : ModelSpec
        The model, bound to the network if it has covariates.
    network : Network
        The drawn networks have its nodes, covariates and hidden dyads. Its weights do not matter.
    dim : int
        K, the number of latent dimensions.
    prior_scale : float
        Standard deviation of a coordinate where it is not learned.
    draws : int, default 200
        Number of draws.
    seed : int, default 0
        The same seed gives the same draws.

    Returns
    -------
    parameters : dict of str to ndarray
        Parameters with leading axes ``(1, draws)``, as ``(chain, draw)``.
    networks : Replications
        Networks with the same axes; means above 1e9 are taken for 1e9.

    Raises
    ------
    InputError
        If ``draws`` is below 1.

    Examples
    --------
    >>> from lsm_stan.model.family import MODELS
    >>> from lsm_stan.network.network import Network
    >>> network = Network.from_edges(["a", "b"], ["b", "c"], [3, 1])
    >>> parameters, _ = prior_predictive(MODELS["tutorial"], network, 2, prior_scale=1.0, draws=5)
    >>> parameters["z"].shape
    (1, 5, 3, 2)
    """
    if draws < 1:
        raise InputError(f"draws is {draws}; an integer >= 1 is needed")
    rng = np.random.default_rng(seed)
    drawn = [
        draw_parameters(
            network.n_nodes,
            dim,
            seed=rng,
            model=spec,
            directed=network.directed,
            prior_scale=prior_scale,
        )
        for _ in range(draws)
    ]
    parameters = {name: np.stack([draw[name] for draw in drawn])[None] for name in drawn[0]}
    return parameters, replications(spec, parameters, network, NO_DYADS, rng)


def prior_groups(
    spec: ModelSpec, network: Network, dim: int, *, prior_scale: float, draws: int, seed: int
) -> dict[str, xr.Dataset]:
    """Return ArviZ's groups ``prior`` and ``prior_predictive``, and ``observed_data`` beside them.

    Parameters
    ----------
    spec : ModelSpec
        The model, bound to the network if it has covariates.
    network : Network
        The drawn networks have its nodes, covariates and hidden dyads.
    dim : int
        K, the number of latent dimensions.
    prior_scale : float
        Standard deviation of a coordinate where it is not learned.
    draws : int
        Number of draws.
    seed : int
        The same seed gives the same draws.

    Returns
    -------
    dict of str to Dataset
        Groups by name.
    """
    parameters, networks = prior_predictive(
        spec, network, dim, prior_scale=prior_scale, draws=draws, seed=seed
    )
    by_draw = {"chain": np.arange(1, 2), "draw": np.arange(draws)}
    labels = {"node": np.asarray(network.names, dtype=str), "dim": np.arange(1, dim + 1)}
    return {
        "prior": parameter_group(parameters, {**by_draw, **labels, **spec.coords}),
        "prior_predictive": predictive_group(networks, network, NO_DYADS, by_draw),
        "observed_data": predictive_group(observed(network, NO_DYADS), network, NO_DYADS, {}),
    }
