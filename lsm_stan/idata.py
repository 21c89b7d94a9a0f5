"""Everything that touches ArviZ's container, in one place (ArviZ 1 replaces it by a DataTree).

A fit's InferenceData has the groups

- ``posterior``: ``z`` with dims ``(chain, draw, node, dim)``; one chain and one draw for a mode;
  and the model's other parameters (:mod:`lsm_stan.parameters`), with dim ``node`` or none;
- ``sample_stats``: ``lp``, the log joint density of each draw, and the sampler's own columns;
- ``estimate``: ``z`` with dims ``(node, dim)``, the one position set a report shows, and the
  other parameters that go with it;
- ``observed_data``: the weighted edges, dim ``edge`` with coordinates ``sender``, ``receiver``;
- ``constant_data``: the numbers of the model that were not estimated.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib import MatplotlibDeprecationWarning
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.special import logsumexp

from lsm_stan.network import Network
from lsm_stan.parameters import NODE_PARAMETERS, Parameters

with warnings.catch_warnings():
    # ArviZ 0.23 announces its successor once a day, at import
    warnings.simplefilter("ignore", FutureWarning)
    import arviz as az

# it says of every quantity that one chain has no R-hat; the tables show it
az._log.setLevel(logging.ERROR)

InferenceData: TypeAlias = az.InferenceData
Dataset: TypeAlias = xr.Dataset
FloatArray = NDArray[np.float64]

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
    attrs: Mapping[str, Any] | None = None,
) -> InferenceData:
    """Build the InferenceData of one fit.

    Parameters
    ----------
    network
        N named nodes and E edges.
    draws
        Parameters with leading axes ``(chain, draw)``.
    log_joint
        ``(chain, draw)`` normalised log joint densities.
    estimate
        Parameters without.
    sample_stats
        Further ``(chain, draw)`` columns, named as ArviZ names them.
    constants
        Numbers for ``constant_data``.
    attrs
        Provenance, set on the posterior.

    Returns
    -------
    arviz.InferenceData
    """
    names = np.asarray(network.names, dtype=str)
    n_chains, n_draws, _, dim = draws["z"].shape
    coords = {"node": names, "dim": np.arange(1, dim + 1)}
    by_draw = ("chain", "draw")
    draw_coords = {"chain": np.arange(n_chains), "draw": np.arange(n_draws)}
    stats = {"lp": log_joint, **(sample_stats or {})}
    edges = xr.Dataset(
        {"weight": ("edge", network.weight)},
        coords={
            "sender": ("edge", names[network.sender]),
            "receiver": ("edge", names[network.receiver]),
        },
    )
    return InferenceData(
        posterior=xr.Dataset(
            _variables(draws, by_draw), coords={**draw_coords, **coords}, attrs=attrs
        ),
        sample_stats=xr.Dataset(
            {name: (by_draw, value) for name, value in stats.items()}, coords=draw_coords
        ),
        estimate=xr.Dataset(_variables(estimate, ()), coords=coords),
        observed_data=edges,
        constant_data=xr.Dataset(dict(constants or {})),
    )


def _variables(parameters: Parameters, leading: tuple[str, ...]) -> dict[str, Any]:
    """Return parameters as xarray wants them, with the names of their dims."""
    dims = {
        **dict.fromkeys(("z", "role"), ("node", "dim")),
        **dict.fromkeys(NODE_PARAMETERS, ("node",)),
    }
    return {name: ((*leading, *dims.get(name, ())), values) for name, values in parameters.items()}


def save(idata: InferenceData, path: Path) -> None:
    """Write an InferenceData to a netCDF file."""
    idata.to_netcdf(str(path), engine="h5netcdf")


def load(path: Path) -> InferenceData:
    """Read an InferenceData from a netCDF file into memory."""
    with az.rc_context({"data.load": "eager"}):
        return az.from_netcdf(str(path), engine="h5netcdf")


def draws_of(idata: InferenceData) -> FloatArray:
    """Return the posterior positions, ``(chain, draw, N, K)``."""
    return np.asarray(idata.posterior["z"].to_numpy())


def log_joint_of(idata: InferenceData) -> FloatArray:
    """Return the log joint density of every draw, ``(chain, draw)``."""
    return np.asarray(idata.sample_stats["lp"].to_numpy())


def estimate_of(idata: InferenceData) -> FloatArray:
    """Return the one position set a report shows, ``(N, K)``."""
    return np.asarray(idata.estimate["z"].to_numpy())


def parameters_of(idata: InferenceData, group: str) -> dict[str, FloatArray]:
    """Return all parameters in ``posterior``, leading axes (chain, draw), or in ``estimate``."""
    return {str(name): values.to_numpy() for name, values in idata[group].items()}


def sample_stat(idata: InferenceData, name: str) -> NDArray[Any] | None:
    """Return a ``(chain, draw)`` sampler column, or None where the method has none."""
    return np.asarray(idata.sample_stats[name].to_numpy()) if name in idata.sample_stats else None


def invariants_dataset(
    log_joint: FloatArray, quantities: Mapping[str, tuple[FloatArray, Sequence[str]]]
) -> xr.Dataset:
    """Collect invariant quantities as an ArviZ dataset.

    Parameters
    ----------
    log_joint
        ``(chain, draw)``.
    quantities
        Name to ``(chain, draw, item)`` values and the items' labels.

    Returns
    -------
    xarray.Dataset
        With dims ``chain``, ``draw`` and one dim a quantity, named ``<quantity>_of``.
    """
    variables: dict[str, Any] = {"log_joint": (("chain", "draw"), log_joint)}
    coords: dict[str, Any] = {
        "chain": np.arange(log_joint.shape[0]),
        "draw": np.arange(log_joint.shape[1]),
    }
    for name, (values, labels) in quantities.items():
        variables[name] = (("chain", "draw", f"{name}_of"), values)
        coords[f"{name}_of"] = list(labels)
    return xr.Dataset(variables, coords=coords)


def summarise(dataset: xr.Dataset) -> pd.DataFrame:
    """Return ArviZ's summary table: means, intervals, and diagnostics where there are draws."""
    one_draw = dataset.sizes["draw"] == 1
    with warnings.catch_warnings():
        # NumPy says of every quantity that one draw has no spread
        warnings.simplefilter("ignore", RuntimeWarning)
        frame = az.summary(dataset, kind="stats" if one_draw else "all", round_to=6)
    return pd.DataFrame(frame)


def diagnostics(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return rank-normalised R-hat and bulk effective sample size.

    Parameters
    ----------
    values
        ``(chain, draw, item)`` invariant quantities; at least 2 chains of 4 draws for an R-hat.

    Returns
    -------
    rhat, ess : numpy.ndarray
        ``(item,)`` each (Vehtari et al., Bayesian Analysis 16, 2021).
    """
    dataset = xr.Dataset({"q": (("chain", "draw", "item"), values)})
    rhat = az.rhat(dataset, method="rank")["q"]
    ess = az.ess(dataset, method="bulk")["q"]
    return rhat.to_numpy(), ess.to_numpy()


def psis(log_likelihood: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the log predictive density of each observation left out, and its Pareto k.

    Parameters
    ----------
    log_likelihood
        ``(S, D)``, of S draws; they are taken as independent.

    Returns
    -------
    elpd, pareto_k : numpy.ndarray
        ``(D,)`` each, by Pareto smoothed importance sampling.
    """
    with warnings.catch_warnings():
        # of observations that no draw disagrees on: every k is fine
        warnings.simplefilter("ignore", RuntimeWarning)
        log_weights, pareto_k = az.psislw(-log_likelihood.T)
    elpd = logsumexp(log_weights + log_likelihood.T, axis=1)
    return np.asarray(elpd), np.asarray(pareto_k)


def plot_trace(dataset: xr.Dataset, title: str) -> Figure:
    """Draw ArviZ's trace plot of every quantity, with rank plots where there are chains."""
    kind = "rank_bars" if dataset.sizes["chain"] > 1 else "trace"
    n_rows = sum(int(np.prod(v.shape[2:])) for v in dataset.values())
    figure = Figure(figsize=(10, 1.7 * n_rows), layout="constrained")
    axes = figure.subplots(n_rows, 2, squeeze=False)
    with warnings.catch_warnings():
        # ArviZ 0.23 calls what Matplotlib 3.11 deprecates
        warnings.simplefilter("ignore", MatplotlibDeprecationWarning)
        az.plot_trace(dataset, kind=kind, compact=False, axes=axes, backend="matplotlib")
    for row in axes:
        for axis in row:
            axis.title.set_fontsize(8)
            axis.tick_params(labelsize=7)
            axis.xaxis.label.set_fontsize(8)
            axis.yaxis.label.set_fontsize(8)
    for axis in axes[:-1, 1]:
        axis.set_xlabel("")
    figure.suptitle(title, fontsize=11)
    return figure
