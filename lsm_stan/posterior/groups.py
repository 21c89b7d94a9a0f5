"""ArviZ's groups besides the posterior: arrays in, an xarray dataset out.

Nodes are named in coordinates: ``node`` of what every node has, ``sender`` and ``receiver`` along
``dyad`` or ``pair`` of what these have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from lsm_stan.model.parameters import DIMS, Parameters
from lsm_stan.model.replication import Replications
from lsm_stan.network.network import Network
from lsm_stan.typing import IntArray

Coords = Mapping[str, Sequence[Any] | NDArray[Any]]

BY_DRAW = ("chain", "draw")


def provenance() -> dict[str, str]:
    """Return the attributes that ArviZ's schema asks of a group, made now.

    Returns
    -------
    dict of str to str
    """
    return {
        "created_at": datetime.now(UTC).isoformat(),
        "creation_library": "lsm-stan",
        "creation_library_version": version("lsm-stan"),
        "creation_library_language": "Python",
        "inference_library": "cmdstanpy",
        "inference_library_version": version("cmdstanpy"),
    }


def parameter_group(parameters: Parameters, coords: Coords) -> xr.Dataset:
    """Return parameters under the names of their dims.

    Parameters
    ----------
    parameters : dict of str to ndarray
        Parameters with leading axes ``(chain, draw)``.
    coords : mapping of str to sequence
        Coordinates by dim.

    Returns
    -------
    xarray.Dataset
    """
    return xr.Dataset(variables(parameters, BY_DRAW), coords=dict(coords), attrs=provenance())


def variables(parameters: Parameters, leading: tuple[str, ...]) -> dict[str, Any]:
    """Return parameters as xarray wants them, with the names of their dims.

    Parameters
    ----------
    parameters : dict of str to ndarray
        Parameters by name.
    leading : tuple of str
        Names of their leading dims.

    Returns
    -------
    dict of str to tuple
        Dims and values.
    """
    return {name: ((*leading, *DIMS.get(name, ())), values) for name, values in parameters.items()}


def scalar_group(values: Mapping[str, NDArray[Any]], coords: Coords) -> xr.Dataset:
    """Return a group of numbers, one a draw.

    Parameters
    ----------
    values : mapping of str to ndarray of shape (chain, draw)
        Numbers by name.
    coords : mapping of str to sequence
        Coordinates of chains and draws.

    Returns
    -------
    xarray.Dataset
    """
    of_draws = {name: (BY_DRAW, value) for name, value in values.items()}
    return xr.Dataset(of_draws, coords=dict(coords), attrs=provenance())


def unit_group(
    values: NDArray[Any], network: Network, units: IntArray, dim: str, coords: Coords
) -> xr.Dataset:
    """Return a group whose variable ``weight`` has numbers of dyads or pairs.

    Parameters
    ----------
    values : ndarray of shape (chain, draw, D)
        What the group says about the weights.
    network : Network
        The network whose nodes have names.
    units : ndarray of int64 of shape (D, 2)
        0-based node indices.
    dim : {"dyad", "pair"}
        What a unit is.
    coords : mapping of str to sequence
        Coordinates of chains and draws.

    Returns
    -------
    xarray.Dataset
    """
    return xr.Dataset(
        {"weight": ((*BY_DRAW, dim), values)},
        coords={**coords, **_ends(network, units, dim)},
        attrs=provenance(),
    )


def predictive_group(
    kept: Replications, network: Network, dyads: IntArray, coords: Coords
) -> xr.Dataset:
    """Return what is kept of networks: a variable a statistic; strengths; ``weight`` of dyads.

    Parameters
    ----------
    kept : Replications
        What is kept of a network a draw, or, without coordinates of draws, of one network.
    network : Network
        The network whose nodes have names.
    dyads : ndarray of int64 of shape (D, 2)
        0-based node indices; D may be 0.
    coords : mapping of str to sequence
        Coordinates of chains and draws, or none.

    Returns
    -------
    xarray.Dataset
    """
    leading = BY_DRAW if coords else ()
    data: dict[str, Any] = {name: (leading, value) for name, value in kept.statistics.items()}
    data |= {name: ((*leading, "node"), value) for name, value in kept.strengths.items()}
    labels: dict[str, Any] = {**coords, "node": np.asarray(network.names, dtype=str)}
    if len(dyads):
        data["weight"] = ((*leading, "dyad"), kept.weights)
        labels |= _ends(network, dyads, "dyad")
    return xr.Dataset(data, coords=labels, attrs=provenance())


def observed_group(network: Network, dyads: IntArray) -> xr.Dataset:
    """Return the weights of dyads that were observed, ``weight`` of dim ``dyad``.

    Parameters
    ----------
    network : Network
        The network.
    dyads : ndarray of int64 of shape (D, 2)
        0-based node indices.

    Returns
    -------
    xarray.Dataset
    """
    return xr.Dataset(
        {"weight": ("dyad", network.weight_of(*dyads.T))}, coords=_ends(network, dyads, "dyad")
    )


def updated(group: xr.Dataset, new: xr.Dataset) -> xr.Dataset:
    """Return a group with new variables in place of those of the same names.

    Parameters
    ----------
    group : xarray.Dataset
        The group as it is.
    new : xarray.Dataset
        The new variables.

    Returns
    -------
    xarray.Dataset
    """
    stale = [name for name in new.variables if name in group.variables and name not in group.dims]
    return group.drop_vars(stale).merge(new)


def _ends(network: Network, units: IntArray, dim: str) -> dict[str, Any]:
    names = np.asarray(network.names, dtype=str)
    return {"sender": (dim, names[units[:, 0]]), "receiver": (dim, names[units[:, 1]])}
