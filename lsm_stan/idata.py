"""Everything that touches ArviZ's container and numbers (ArviZ 1 replaces it by a DataTree).

A fit's InferenceData has the groups

- ``posterior``: ``z`` with dims ``(chain, draw, node, dim)``; one chain and one draw for a mode;
  and the model's other parameters (:mod:`lsm_stan.parameters`), with dim ``node`` or none;
- ``sample_stats``: ``lp``, the log joint density of each draw, and the sampler's own columns;
- ``estimate``: ``z`` with dims ``(node, dim)``, the one position set a report shows, and the
  other parameters that go with it;
- ``observed_data``: the weighted edges, ``edge_weight`` with dim ``edge`` and coordinates
  ``edge_sender``, ``edge_receiver``;
- ``constant_data``: the numbers of the model that were not estimated;

and on request (:class:`lsm_stan.fit.Fit`) ``log_likelihood``, ``log_prior``,
``posterior_predictive``, ``prior`` and ``prior_predictive``, with what they are compared with in
``observed_data``: ``weight`` of dyads, statistics of the network, strengths of nodes.
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
from numpy.typing import NDArray
from scipy.special import logsumexp

from lsm_stan.groups import provenance, variables
from lsm_stan.invariants import settled
from lsm_stan.network import Network
from lsm_stan.parameters import Parameters

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
    coords: Mapping[str, Sequence[Any]] | None = None,
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
    coords
        Of the dims that are neither nodes' nor latent.
    attrs
        Further provenance, set on the posterior.

    Returns
    -------
    arviz.InferenceData
    """
    names = np.asarray(network.names, dtype=str)
    n_chains, n_draws, _, dim = draws["z"].shape
    labels: dict[str, Any] = {"node": names, "dim": np.arange(1, dim + 1), **(coords or {})}
    by_draw = ("chain", "draw")
    draw_coords = {"chain": np.arange(n_chains), "draw": np.arange(n_draws)}
    stats = {"lp": log_joint, **(sample_stats or {})}
    edges = xr.Dataset(
        {"edge_weight": ("edge", network.weight)},
        coords={
            "edge_sender": ("edge", names[network.sender]),
            "edge_receiver": ("edge", names[network.receiver]),
        },
        attrs=provenance(),
    )
    return InferenceData(
        posterior=xr.Dataset(
            variables(draws, by_draw),
            coords={**draw_coords, **labels},
            attrs={**provenance(), **(attrs or {})},
        ),
        sample_stats=xr.Dataset(
            {name: (by_draw, value) for name, value in stats.items()},
            coords=draw_coords,
            attrs=provenance(),
        ),
        estimate=xr.Dataset(variables(estimate, ()), coords=labels, attrs=provenance()),
        observed_data=edges,
        constant_data=xr.Dataset(dict(constants or {}), attrs=provenance()),
    )


def group(idata: InferenceData, name: str) -> xr.Dataset:
    """Return a group of a container as a dataset."""
    found = idata[name]
    return found if isinstance(found, xr.Dataset) else found.to_dataset()


def attach(idata: InferenceData, groups: Mapping[str, xr.Dataset]) -> None:
    """Put groups into a container, in place of those of the same names."""
    for name, dataset in groups.items():
        if isinstance(idata, xr.DataTree):
            idata[name] = xr.DataTree(dataset)
            continue
        if name in idata.groups():
            delattr(idata, name)
        idata.add_groups({name: dataset})


def draw_labels(idata: InferenceData, thin: int = 1) -> dict[str, NDArray[Any]]:
    """Return the coordinates of chains and of every ``thin``-th draw."""
    posterior = idata.posterior
    return {
        "chain": posterior["chain"].to_numpy(),
        "draw": posterior["draw"].to_numpy()[::thin],
    }


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


def invariants(
    idata: InferenceData, quantities: Mapping[str, tuple[str, Sequence[str], FloatArray]]
) -> InferenceData:
    """Set invariant quantities in the place of the positions of a fit.

    Parameters
    ----------
    idata
        The fit's.
    quantities
        Name to a dim, the labels of its items, and ``(chain, draw, item)`` values; or to no dim,
        no labels and ``(chain, draw)`` values. Settled here.

    Returns
    -------
    arviz.InferenceData
        Group ``posterior`` with ``log_joint`` and the quantities, and the fit's
        ``sample_stats``.
    """
    stats = idata.sample_stats
    variables: dict[str, Any] = {
        "log_joint": stats["lp"].copy(data=settled(stats["lp"].to_numpy()))
    }
    coords: dict[str, Any] = {name: stats[name] for name in ("chain", "draw")}
    for name, (dim, labels, values) in quantities.items():
        variables[name] = (("chain", "draw", *([dim] if dim else [])), settled(values))
        if dim:
            coords[dim] = np.asarray(labels, dtype=str)
    return InferenceData(posterior=xr.Dataset(variables, coords=coords), sample_stats=stats)


def summarise(invariants: InferenceData) -> pd.DataFrame:
    """Return ArviZ's summary table: means, intervals, and diagnostics where there are draws."""
    dataset = invariants.posterior
    one_draw = dataset.sizes["draw"] == 1
    with warnings.catch_warnings():
        # NumPy says of every quantity that one draw has no spread
        warnings.simplefilter("ignore", RuntimeWarning)
        frame = az.summary(dataset, kind="stats" if one_draw else "all", round_to=6)
    return pd.DataFrame(frame)


def as_dataset(**quantities: FloatArray) -> xr.Dataset:
    """Return arrays ``(chain, draw)`` or ``(chain, draw, item)`` as an ArviZ dataset."""
    return xr.Dataset(
        {
            name: (("chain", "draw", f"{name}_item")[: values.ndim], values)
            for name, values in quantities.items()
        }
    )


#: Columns of :func:`diagnostics`, each from ArviZ's function of that name (and method).
DIAGNOSTICS = ("rhat", "ess_bulk", "ess_tail", "mcse_mean", "sd")


def diagnostics(dataset: xr.Dataset) -> pd.DataFrame:
    """Return convergence diagnostics of every item of every quantity.

    Parameters
    ----------
    dataset
        Invariant quantities with dims ``chain``, ``draw`` and at most one more; at least 2
        chains of 4 draws for an R-hat.

    Returns
    -------
    pandas.DataFrame
        Columns ``quantity``, ``item`` and those of :data:`DIAGNOSTICS`: rank-normalised R-hat,
        bulk and tail effective sample size, Monte-Carlo standard error of the mean (Vehtari et
        al., Bayesian Analysis 16, 2021) and standard deviation; NaN where there are too few draws.
    """
    by_draw = ("chain", "draw")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of quantities that never change
        found = {
            "rhat": az.rhat(dataset, method="rank"),
            "ess_bulk": az.ess(dataset, method="bulk"),
            "ess_tail": az.ess(dataset, method="tail"),
            "mcse_mean": az.mcse(dataset, method="mean"),
            "sd": dataset.std(by_draw, ddof=1),
        }
    tables = []
    for name, variable in dataset.items():
        dims = [dim for dim in variable.dims if dim not in by_draw]
        items = variable[dims[0]].to_numpy() if dims else [""]
        columns = {key: np.atleast_1d(found[key][name].to_numpy()) for key in DIAGNOSTICS}
        tables.append(pd.DataFrame({"quantity": str(name), "item": items, **columns}))
    return pd.concat(tables, ignore_index=True)


def bfmi(energy: FloatArray) -> FloatArray:
    """Return the estimated Bayesian fraction of missing information of ``(chain, draw)`` energies.

    One number a chain (Betancourt, arXiv:1604.00695, 2016); NaN of fewer than 2 draws.
    """
    if energy.shape[1] < 2:
        return np.full(len(energy), np.nan)
    return np.asarray(az.bfmi(energy))


def pareto_k(log_ratio: FloatArray) -> float:
    """Return PSIS k-hat of the log importance ratios of draws, ``(S,)``.

    Below 0.7 the draws can stand for the target density; the higher, the further they are from
    it (Vehtari et al., JMLR 25, 2024; Yao et al., ICML 2018).
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that k-hat is high is what is asked
        return float(az.psislw(log_ratio)[1])


def stacking_weights(log_likelihood: FloatArray) -> FloatArray:
    """Return the stacking weight of every chain, by leave-one-out prediction of observations.

    Parameters
    ----------
    log_likelihood
        ``(chain, draw, observation)``.

    Returns
    -------
    numpy.ndarray
        ``(chain,)`` weights that sum to 1 (Yao, Vehtari and Gelman, JMLR 23, 2022).
    """
    scores = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of k-hat of single observations
        warnings.simplefilter("ignore", DeprecationWarning)  # ArviZ 0.23 on pandas 3
        for chain, values in enumerate(log_likelihood):
            one = az.from_dict(
                posterior={"lp": values[None, :, 0]}, log_likelihood={"pair": values[None]}
            )
            scores[str(chain)] = az.loo(one, pointwise=True)
        weights = az.compare(scores, method="stacking")["weight"]
    return np.array([weights[str(chain)] for chain in range(len(log_likelihood))])


def psis(log_likelihood: FloatArray, reff: float) -> tuple[FloatArray, FloatArray]:
    """Return the log predictive density of each observation left out, and its Pareto k.

    Parameters
    ----------
    log_likelihood
        ``(S, D)``, of S draws.
    reff
        How many independent draws one is worth.

    Returns
    -------
    elpd, pareto_k : numpy.ndarray
        ``(D,)`` each, by Pareto smoothed importance sampling.
    """
    with warnings.catch_warnings():
        # of observations that no draw disagrees on: every k is fine
        warnings.simplefilter("ignore", RuntimeWarning)
        log_weights, pareto_k = az.psislw(-log_likelihood.T, reff=reff)
    elpd = logsumexp(log_weights + log_likelihood.T, axis=1)
    return np.asarray(elpd), np.asarray(pareto_k)
