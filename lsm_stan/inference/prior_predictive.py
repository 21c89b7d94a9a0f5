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
    spec
        The model, bound to the network if it has covariates.
    network
        Whose nodes, covariates and hidden dyads the drawn networks have. Its weights are not
        looked at.
    dim
        K.
    prior_scale
        Standard deviation of a coordinate where it is not learned.
    draws
        How many.
    seed
        The same seed gives the same draws.

    Returns
    -------
    parameters : dict
        With leading axes ``(1, draws)``, as ``(chain, draw)``.
    networks : Replications
        With the same; means above 1e9 are taken for 1e9.

    Raises
    ------
    InputError
        If ``draws`` is below 1.
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
    parameters = {name: np.stack([one[name] for one in drawn])[None] for name in drawn[0]}
    return parameters, replications(spec, parameters, network, NO_DYADS, rng)


def prior_groups(
    spec: ModelSpec, network: Network, dim: int, *, prior_scale: float, draws: int, seed: int
) -> dict[str, xr.Dataset]:
    """Return ArviZ's groups ``prior`` and ``prior_predictive``, and ``observed_data`` beside them.

    Arguments are those of :func:`prior_predictive`.
    """
    parameters, networks = prior_predictive(
        spec, network, dim, prior_scale=prior_scale, draws=draws, seed=seed
    )
    by_draw = {"chain": np.arange(1), "draw": np.arange(draws)}
    labels = {"node": np.asarray(network.names, dtype=str), "dim": np.arange(1, dim + 1)}
    return {
        "prior": parameter_group(parameters, {**by_draw, **labels, **spec.coords}),
        "prior_predictive": predictive_group(networks, network, NO_DYADS, by_draw),
        "observed_data": predictive_group(observed(network, NO_DYADS), network, NO_DYADS, {}),
    }
