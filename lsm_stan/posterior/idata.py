"""ArviZ's container of a fit, before ArviZ 1 and since.

ArviZ before 1 keeps a fit in its own ``InferenceData``, ArviZ 1 in an ``xarray.DataTree``; what is
written by one is read by the other. A fit's container has the groups

- ``posterior``: ``z`` with dims ``(chain, draw, node, dim)``; one chain and one draw for a mode;
  and the model's other parameters (:mod:`lsm_stan.model.parameters`), with dim ``node`` or none;
- ``sample_stats``: ``lp``, the log joint density of each draw, and the sampler's own columns;
- ``estimate``: ``z`` with dims ``(node, dim)``, the one position set a report shows, and the
  other parameters that go with it;
- ``observed_data``: the weighted edges, ``edge_weight`` with dim ``edge`` and coordinates
  ``edge_sender``, ``edge_receiver``;
- ``constant_data``: the numbers of the model that were not estimated;

and on request (:class:`lsm_stan.inference.fit.Fit`) ``log_likelihood``, ``log_prior``,
``posterior_predictive``, ``prior`` and ``prior_predictive``, with what they are compared with in
``observed_data``: ``weight`` of dyads, statistics of the network, strengths of nodes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from lsm_stan.model.parameters import Parameters
from lsm_stan.network.network import Network
from lsm_stan.posterior.arviz import az
from lsm_stan.posterior.groups import provenance, variables
from lsm_stan.posterior.invariants import settled
from lsm_stan.typing import FloatArray

#: ``arviz.InferenceData`` before ArviZ 1, ``xarray.DataTree`` since: in both, groups are items and
#: attributes, and so are their variables.
InferenceData: TypeAlias = Any
Dataset: TypeAlias = xr.Dataset

#: CmdStan's sampler columns under ArviZ's names.
SAMPLE_STATS = {
    "accept_stat__": "acceptance_rate",
    "stepsize__": "step_size",
    "treedepth__": "tree_depth",
    "n_leapfrog__": "n_steps",
    "divergent__": "diverging",
    "energy__": "energy",
}

#: Those of them that are integers.
COUNTS = frozenset({"tree_depth", "n_steps"})


def build(
    network: Network,
    *,
    draws: Parameters,
    log_joint: FloatArray,
    estimate: Parameters,
    sample_stats: Mapping[str, NDArray[Any]] | None = None,
    constants: Mapping[str, float] | None = None,
    coords: Mapping[str, Sequence[Any]] | None = None,
    attrs: Mapping[str, Any] | None = None,
) -> InferenceData:
    """Build the InferenceData of one fit.

    Parameters
    ----------
    network : Network
        N named nodes and E edges.
    draws : dict of str to ndarray
        Parameters with leading axes ``(chain, draw)``.
    log_joint : ndarray of shape (chain, draw)
        Normalised log joint densities, in nats.
    estimate : dict of str to ndarray
        Parameters without leading axes.
    sample_stats : mapping of str to ndarray of shape (chain, draw), optional
        Further columns, named as ArviZ names them.
    constants : mapping of str to float, optional
        Numbers for ``constant_data``.
    coords : mapping of str to sequence, optional
        Coordinates of the dims that are neither nodes' nor latent.
    attrs : mapping of str to object, optional
        Further provenance, set on the posterior.

    Returns
    -------
    arviz.InferenceData or xarray.DataTree
    """
    names = np.asarray(network.names, dtype=str)
    n_chains, n_draws, _, dim = draws["z"].shape
    labels: dict[str, Any] = {"node": names, "dim": np.arange(1, dim + 1), **(coords or {})}
    by_draw = ("chain", "draw")
    # as CmdStan numbers its chains, and the report
    draw_coords = {"chain": np.arange(1, n_chains + 1), "draw": np.arange(n_draws)}
    stats = {"lp": log_joint, **(sample_stats or {})}
    edges = xr.Dataset(
        {"edge_weight": ("edge", network.weight)},
        coords={
            "edge_sender": ("edge", names[network.sender]),
            "edge_receiver": ("edge", names[network.receiver]),
        },
    )
    groups = {
        "posterior": xr.Dataset(
            variables(draws, by_draw), coords={**draw_coords, **labels}, attrs=attrs
        ),
        "sample_stats": xr.Dataset(
            {name: (by_draw, value) for name, value in stats.items()}, coords=draw_coords
        ),
        "estimate": xr.Dataset(variables(estimate, ()), coords=labels),
        "observed_data": edges,
        "constant_data": xr.Dataset(dict(constants or {})),
    }
    stamp = provenance()
    return contained({name: ds.assign_attrs({**stamp, **ds.attrs}) for name, ds in groups.items()})


def contained(groups: Mapping[str, xr.Dataset]) -> InferenceData:
    """Put groups into the container of the ArviZ that is installed.

    Parameters
    ----------
    groups : mapping of str to xarray.Dataset
        Groups by name.

    Returns
    -------
    arviz.InferenceData or xarray.DataTree
    """
    tree = xr.DataTree.from_dict(dict(groups))
    return az.from_datatree(tree) if hasattr(az, "from_datatree") else tree


def group(idata: InferenceData, name: str) -> xr.Dataset:
    """Return a group of a container as a dataset.

    Parameters
    ----------
    idata : arviz.InferenceData or xarray.DataTree
        The container.
    name : str
        Name of the group.

    Returns
    -------
    xarray.Dataset
    """
    node = idata[name]
    return node if isinstance(node, xr.Dataset) else node.to_dataset()


def attach(idata: InferenceData, groups: Mapping[str, xr.Dataset]) -> None:
    """Put groups into a container, in place of those of the same names.

    Parameters
    ----------
    idata : arviz.InferenceData or xarray.DataTree
        The container, which is changed.
    groups : mapping of str to xarray.Dataset
        Groups by name.
    """
    for name, dataset in groups.items():
        if isinstance(idata, xr.DataTree):
            idata[name] = xr.DataTree(dataset)
            continue
        if name in idata.groups():
            delattr(idata, name)
        idata.add_groups({name: dataset})


def draw_labels(idata: InferenceData, thin: int = 1) -> dict[str, NDArray[Any]]:
    """Return the coordinates of chains and of draws.

    Parameters
    ----------
    idata : arviz.InferenceData or xarray.DataTree
        The container.
    thin : int, default 1
        Every how many draws one is kept.

    Returns
    -------
    dict of str to ndarray
        ``chain`` and ``draw``.
    """
    posterior = idata.posterior
    return {
        "chain": posterior["chain"].to_numpy(),
        "draw": posterior["draw"].to_numpy()[::thin],
    }


def save(idata: InferenceData, path: Path) -> None:
    """Write a container to a netCDF file, numbers compressed.

    Parameters
    ----------
    idata : arviz.InferenceData or xarray.DataTree
        The container.
    path : Path
        The file.
    """
    tree = xr.DataTree.from_dict({name: group(idata, name) for name in idata})
    encoding = {
        node.path: {
            str(name): {"zlib": True}
            for name, variable in node.variables.items()
            if variable.dtype.kind in "biuf"
        }
        for node in tree.leaves
    }
    tree.to_netcdf(path, engine="h5netcdf", encoding=encoding)


def load(path: Path) -> InferenceData:
    """Read a container from a netCDF file into memory.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    arviz.InferenceData or xarray.DataTree
    """
    groups = xr.open_groups(path, engine="h5netcdf")
    try:
        return contained({name: dataset.load() for name, dataset in groups.items()})
    finally:
        for dataset in groups.values():
            dataset.close()


def draws_of(idata: InferenceData) -> FloatArray:
    """Return the posterior positions.

    Parameters
    ----------
    idata : arviz.InferenceData or xarray.DataTree
        A fit's container.

    Returns
    -------
    ndarray of shape (chain, draw, N, K)
    """
    return np.asarray(idata.posterior["z"].to_numpy())


def log_joint_of(idata: InferenceData) -> FloatArray:
    """Return the log joint density of every draw.

    Parameters
    ----------
    idata : arviz.InferenceData or xarray.DataTree
        A fit's container.

    Returns
    -------
    ndarray of shape (chain, draw)
        Log densities, in nats.
    """
    return np.asarray(idata.sample_stats["lp"].to_numpy())


def estimate_of(idata: InferenceData) -> FloatArray:
    """Return the one position set a report shows.

    Parameters
    ----------
    idata : arviz.InferenceData or xarray.DataTree
        A fit's container.

    Returns
    -------
    ndarray of shape (N, K)
    """
    return np.asarray(idata.estimate["z"].to_numpy())


def parameters_of(idata: InferenceData, name: str) -> dict[str, FloatArray]:
    """Return all parameters in a group.

    Parameters
    ----------
    idata : arviz.InferenceData or xarray.DataTree
        A fit's container.
    name : {"posterior", "estimate"}
        Name of the group: ``posterior`` has the leading axes (chain, draw).

    Returns
    -------
    dict of str to ndarray
    """
    return {str(key): values.to_numpy() for key, values in group(idata, name).items()}


def sample_stat(idata: InferenceData, name: str) -> NDArray[Any] | None:
    """Return a column of the sampler.

    Parameters
    ----------
    idata : arviz.InferenceData or xarray.DataTree
        A fit's container.
    name : str
        Name of the column.

    Returns
    -------
    ndarray of shape (chain, draw) or None
        None where the method has none.
    """
    return np.asarray(idata.sample_stats[name].to_numpy()) if name in idata.sample_stats else None


def invariants(
    idata: InferenceData, quantities: Mapping[str, tuple[str, Sequence[str], FloatArray]]
) -> InferenceData:
    """Set invariant quantities in the place of the positions of a fit.

    Parameters
    ----------
    idata : arviz.InferenceData or xarray.DataTree
        The fit's container.
    quantities : mapping of str to tuple
        Name to a dim, the labels of its items, and values of shape (chain, draw, item); or to no
        dim, no labels and values of shape (chain, draw). Settled here.

    Returns
    -------
    arviz.InferenceData or xarray.DataTree
        Group ``posterior`` with ``log_joint`` and the quantities, and the fit's
        ``sample_stats``.
    """
    stats = group(idata, "sample_stats")
    variables: dict[str, Any] = {
        "log_joint": stats["lp"].copy(data=settled(stats["lp"].to_numpy()))
    }
    coords: dict[str, Any] = {name: stats[name] for name in ("chain", "draw")}
    for name, (dim, labels, values) in quantities.items():
        variables[name] = (("chain", "draw", *([dim] if dim else [])), settled(values))
        if dim:
            coords[dim] = np.asarray(labels, dtype=str)
    posterior = xr.Dataset(variables, coords=coords)
    return contained({"posterior": posterior, "sample_stats": stats})
