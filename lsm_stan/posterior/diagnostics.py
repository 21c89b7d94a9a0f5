"""ArviZ's numbers of draws: summaries, convergence diagnostics, importance sampling, stacking."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from scipy.optimize import LinearConstraint, minimize
from scipy.special import logsumexp

from lsm_stan.posterior.arviz import az
from lsm_stan.posterior.idata import InferenceData, group
from lsm_stan.typing import FloatArray


def as_dataset(**quantities: FloatArray) -> xr.Dataset:
    """Return arrays as an ArviZ dataset.

    Parameters
    ----------
    **quantities : ndarray of shape (chain, draw) or (chain, draw, item)
        Draws by name.

    Returns
    -------
    xarray.Dataset
    """
    return xr.Dataset(
        {
            name: (("chain", "draw", f"{name}_item")[: values.ndim], values)
            for name, values in quantities.items()
        }
    )


#: Dims that statistics are taken over.
BY_DRAW = ("chain", "draw")

#: The quantiles whose effective sample size is that of the tails (Vehtari et al.).
TAILS = (0.05, 0.95)

#: Kinds of effective sample size.
ESS = ("bulk", "tail")

#: Columns of :func:`diagnostics`, each from ArviZ's function of that name (and method).
DIAGNOSTICS = ("rhat", "ess_bulk", "ess_tail", "mcse_mean", "sd")


def diagnostic_table(dataset: xr.Dataset) -> pd.DataFrame:
    """Return convergence diagnostics of every item of every quantity.

    Parameters
    ----------
    dataset : xarray.Dataset
        Invariant quantities with dims ``chain``, ``draw`` and at most one more; at least 2
        chains of 4 draws for an R-hat.

    Returns
    -------
    DataFrame
        Columns ``quantity``, ``item`` and those of :data:`DIAGNOSTICS`: rank-normalised R-hat,
        bulk and tail effective sample size, Monte-Carlo standard error of the mean (Vehtari et
        al., Bayesian Analysis 16, 2021) and standard deviation; NaN where there are too few draws.
    """
    return _table(_statistics(dataset, DIAGNOSTICS), dataset, DIAGNOSTICS)


#: Fewest draws that ArviZ fits a tail to.
MIN_TAIL = 5

#: What :func:`summarise` calls its columns, and those of them that need more than one draw.
SUMMARY = ("mean", "sd", "hdi_3%", "hdi_97%")
SUMMARY_OF_DRAWS = ("mcse_mean", "mcse_sd", "ess_bulk", "ess_tail", "r_hat")


def summarise(invariants: InferenceData) -> pd.DataFrame:
    """Return a summary table of a container's posterior, as ArviZ 0.23 calls and orders it.

    Parameters
    ----------
    invariants : arviz.InferenceData or xarray.DataTree
        What :func:`invariants` returns.

    Returns
    -------
    DataFrame
        A row an item, named ``quantity[item]``: mean, standard deviation, 94 % highest density
        interval, and, where there is more than one draw, Monte-Carlo errors, effective sample
        sizes and R-hat; rounded to 6 decimals.
    """
    dataset = group(invariants, "posterior")
    interval = az.hdi(dataset, 0.94)  # the ends are the last dim, of one name or another
    statistics = {
        **_statistics(dataset, ("sd", "mcse_mean", "mcse_sd", "ess_bulk", "ess_tail", "rhat")),
        "mean": dataset.mean(BY_DRAW),
        "hdi_3%": interval.map(lambda ends: ends[..., 0]),
        "hdi_97%": interval.map(lambda ends: ends[..., 1]),
    }
    statistics["r_hat"] = statistics["rhat"]
    many = dataset.sizes["draw"] > 1
    table = _table(statistics, dataset, SUMMARY + (SUMMARY_OF_DRAWS if many else ()))
    names = [
        f"{quantity}[{item}]" if dataset[quantity].ndim > 2 else quantity
        for quantity, item in zip(table.pop("quantity"), table.pop("item"), strict=True)
    ]
    return table.set_axis(names).round(6)


#: How each statistic is computed.
_STATISTICS: dict[str, Callable[[xr.Dataset], xr.Dataset]] = {
    "sd": lambda dataset: dataset.std(BY_DRAW, ddof=1),
    "rhat": lambda dataset: az.rhat(dataset, method="rank"),
    "ess_bulk": lambda dataset: az.ess(dataset, method="bulk"),
    "ess_tail": lambda dataset: az.ess(dataset, method="tail", prob=TAILS),
    "mcse_mean": lambda dataset: az.mcse(dataset, method="mean"),
    "mcse_sd": lambda dataset: az.mcse(dataset, method="sd"),
}


def _statistics(dataset: xr.Dataset, names: Sequence[str]) -> dict[str, xr.Dataset]:
    """Return standard deviations and ArviZ's diagnostics; NaN where there are too few draws."""
    n_chains, n_draws = (dataset.sizes[dim] for dim in BY_DRAW)
    enough = {"sd": n_chains * n_draws > 1, "rhat": n_chains > 1 and n_draws >= 4}
    unknown = dataset.mean(BY_DRAW) * np.nan
    with np.errstate(invalid="ignore"):  # 0 / 0, of quantities that never change
        return {
            name: _STATISTICS[name](dataset) if enough.get(name, n_draws >= 4) else unknown
            for name in names
        }


def _table(
    statistics: Mapping[str, xr.Dataset], dataset: xr.Dataset, columns: Sequence[str]
) -> pd.DataFrame:
    """Set statistics of a dataset side by side: a row an item of a quantity."""
    tables = []
    for name, variable in dataset.items():
        dims = [dim for dim in variable.dims if dim not in BY_DRAW]
        items = variable[dims[0]].to_numpy() if dims else [""]
        values = {key: np.atleast_1d(statistics[key][name].to_numpy()) for key in columns}
        tables.append(pd.DataFrame({"quantity": str(name), "item": items, **values}))
    return pd.concat(tables, ignore_index=True)


def ess(values: FloatArray, method: str = "bulk") -> float:
    """Return the effective sample size of one quantity.

    Parameters
    ----------
    values : ndarray of shape (chain, draw)
        Draws.
    method : str, default "bulk"
        A kind in :data:`ESS`.

    Returns
    -------
    float
        In draws.
    """
    return float(az.ess(values, method=method, prob=TAILS if method == "tail" else None))


def mcse(values: FloatArray, method: str) -> FloatArray:
    """Return Monte-Carlo standard errors of means, or standard deviations.

    Parameters
    ----------
    values : ndarray of shape (chain, draw, item)
        Draws.
    method : {"mean", "sd"}
        What the errors are of.

    Returns
    -------
    ndarray of shape (item,)
        Errors, in units of the values.
    """
    return np.asarray(az.mcse(as_dataset(q=values), method=method)["q"].to_numpy())


def bfmi(energy: FloatArray) -> FloatArray:
    """Return the estimated Bayesian fraction of missing information (Betancourt, arXiv:1604.00695).

    Parameters
    ----------
    energy : ndarray of shape (chain, draw)
        Energies of the sampler, in nats.

    Returns
    -------
    ndarray of shape (chain,)
        One number a chain; NaN where there are fewer than 2 draws.
    """
    if energy.shape[1] < 2:
        return np.full(len(energy), np.nan)
    return np.asarray(az.bfmi(energy))


def pareto_k(log_ratio: FloatArray) -> float:
    """Return PSIS k-hat of the importance ratios of draws.

    Below 0.7 the draws can stand for the target density; the higher, the further they are from
    it (Vehtari et al., JMLR 25, 2024; Yao et al., ICML 2018).

    Parameters
    ----------
    log_ratio : ndarray of shape (S,)
        Log importance ratios of the draws, in nats.

    Returns
    -------
    float
    """
    return float(_psislw(log_ratio[None], 1.0)[1][0])


def importance_weights(log_ratio: FloatArray) -> tuple[FloatArray, float]:
    """Return Pareto-smoothed importance weights of draws, and k-hat.

    Parameters
    ----------
    log_ratio : ndarray of shape (S,)
        Log densities wanted less those drawn from, in nats, up to a constant.

    Returns
    -------
    weights : ndarray of shape (S,)
        They sum to 1.
    khat : float
        Above 0.7 the weights are not to be relied on.
    """
    log_weights, khat = _psislw(log_ratio[None], 1.0)
    weights = np.exp(log_weights[0] - log_weights[0].max())
    return weights / weights.sum(), float(khat[0])


def stacking_weights(log_likelihood: FloatArray) -> FloatArray:
    """Return the stacking weight of every chain, by leave-one-out prediction of observations.

    Yao, Vehtari and Gelman (JMLR 23, 2022) weigh chains that sit in different modes by it.

    Parameters
    ----------
    log_likelihood : ndarray of shape (chain, draw, observation)
        Log likelihoods, in nats.

    Returns
    -------
    ndarray of shape (chain,)
        Weights that sum to 1.
    """
    elpd = np.stack([psis(of_chain, reff=1.0)[0] for of_chain in log_likelihood])
    density = np.exp(elpd - elpd.max(axis=0))
    n_chains = len(density)

    def loss(weights: FloatArray) -> float:  # convex
        return -float(np.log(weights @ density).mean())

    def gradient(weights: FloatArray) -> FloatArray:
        return np.asarray(-(density / (weights @ density)).mean(axis=1))

    optimum = minimize(
        loss,
        np.full(n_chains, 1 / n_chains),
        jac=gradient,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * n_chains,
        constraints=LinearConstraint(np.ones(n_chains), 1, 1),
        options={"ftol": 1e-10},
    )
    return np.asarray(optimum.x)


def psis(log_likelihood: FloatArray, reff: float) -> tuple[FloatArray, FloatArray]:
    """Return the log predictive density of each observation left out, and its Pareto k.

    Both are by Pareto smoothed importance sampling (Vehtari, Gelman & Gabry, Statistics and
    Computing 27, 2017).

    Parameters
    ----------
    log_likelihood : ndarray of shape (S, D)
        Log likelihoods of D observations at S draws, in nats.
    reff : float
        How many independent draws one is worth.

    Returns
    -------
    elpd : ndarray of shape (D,)
        Log predictive densities, in nats.
    pareto_k : ndarray of shape (D,)
        Pareto k of the observations.
    """
    log_weights, pareto_k = _psislw(-log_likelihood.T, reff)
    return np.asarray(logsumexp(log_weights + log_likelihood.T, axis=1)), pareto_k


def _psislw(log_ratio: FloatArray, reff: float) -> tuple[FloatArray, FloatArray]:
    """Return ArviZ's smoothed, normalised log weights of ``(D, S)`` log ratios, and ``(D,)`` k.

    Ratios without a tail, the largest being equal or few, are not smoothed: their k is infinite.
    """
    if hasattr(az, "psislw"):
        with np.errstate(divide="ignore", invalid="ignore"):  # ratios without a tail
            log_weights, pareto_k = az.psislw(log_ratio, reff=reff)
        return np.asarray(log_weights), np.nan_to_num(pareto_k, nan=np.inf, posinf=np.inf)
    # ArviZ 1 refuses ratios without a tail; this is its size there
    n_draws = log_ratio.shape[1]
    n_tail = int(3 * math.sqrt(n_draws / reff) if n_draws * reff > 225 else n_draws / 5)
    log_weights, pareto_k = log_ratio.copy(), np.full(len(log_ratio), np.inf)
    if n_tail >= MIN_TAIL:
        ordered = np.sort(log_ratio, axis=1)
        tailed = ordered[:, -1] > ordered[:, -n_tail]
        # and it takes log likelihoods, which are minus the log ratios
        log_likelihood = xr.DataArray(-log_ratio[tailed], dims=("observation", "draw"))
        log_weights[tailed], tailed_k = log_likelihood.azstats.psislw(dim="draw", r_eff=reff)
        pareto_k[tailed] = np.nan_to_num(tailed_k, nan=np.inf, posinf=np.inf)
    return log_weights - logsumexp(log_weights, axis=1, keepdims=True), pareto_k
