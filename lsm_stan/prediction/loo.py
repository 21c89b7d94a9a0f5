"""Leave-one-dyad-out cross-validation, from the draws of one fit.

PSIS-LOO (Vehtari, Gelman & Gabry, Statistics and Computing 27, 2017) estimates from the draws of
the whole posterior what a fit without a dyad would have predicted there. The largest Pareto k says
of each dyad whether that works: a dyad that its two nodes' positions owe much to is too far from
its own prediction. Dyads come in blocks, so that memory is bounded.

What is left out is a dyad, and all others are known, its reverse too. In ``dyadic`` both its
prediction and its weights 1 / p are therefore those given the reverse, where that was observed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lsm_stan.errors import InputError
from lsm_stan.inference.fit import Fit
from lsm_stan.inference.fits import ensure_fits
from lsm_stan.model.likelihood import conditional_log_likelihood, log_mean
from lsm_stan.network.pairs import pair_number
from lsm_stan.posterior import diagnostics
from lsm_stan.posterior.checks import MAX_PARETO_K
from lsm_stan.posterior.draws import MAX_DRAWS
from lsm_stan.posterior.invariants import MONITORED_PAIRS, sample_pairs
from lsm_stan.prediction.scores import log_mean_exp, standard_error
from lsm_stan.progress import doing
from lsm_stan.typing import FloatArray, IntArray

#: The fewest draws that a tail can be smoothed with.
MIN_DRAWS = 100


@dataclass(frozen=True)
class LOO:
    """What :func:`loo` finds.

    Names are ArviZ's: ``az.loo`` finds the same on ``fit.log_likelihood(thin=thin)`` with ``reff``,
    but for ``se``, which there takes all dyads as independent.

    Attributes
    ----------
    elpd : float
        Expected log predictive density, summed over dyads, in nats.
    se : float
        Its standard error, pairs of nodes taken as independent.
    p : float
        Effective number of parameters.
    warning : str
        What keeps the numbers from being trusted, a sentence; or empty.
    elpd_i, pareto_k : ndarray of shape (D,)
        Density, in nats, and Pareto k of every observed dyad, in the order of edges.
    good_k : float
        Largest Pareto k that is fine for so many draws.
    pair : ndarray of int64 of shape (D,)
        Numbers of the pairs that the dyads belong to.
    thin : int
        Step: every ``thin``-th draw of each chain was taken.
    reff : float
        Number of independent draws that each of them is worth.
    """

    elpd: float
    se: float
    p: float
    warning: str
    elpd_i: FloatArray
    pareto_k: FloatArray
    good_k: float
    pair: IntArray
    thin: int
    reff: float


def loo(fit: Fit) -> LOO:
    """Estimate how well a fit predicts each observed dyad from all others.

    Parameters
    ----------
    fit : Fit
        A fit with draws of the posterior (NUTS), which are thinned to about a thousand. Draws of
        an approximation are taken as if they were of the posterior.

    Returns
    -------
    LOO

    Raises
    ------
    InputError
        If `fit` is none, or there are fewer than 100 draws, as a mode has.
    """
    ensure_fits(fit)
    _ensure_draws("the fit", fit)
    doing("leaving out each dyad in turn")
    thin = max(1, -(-fit.draws[..., 0, 0].size // MAX_DRAWS))
    draws = {name: v[:, ::thin].reshape(-1, *v.shape[2:]) for name, v in fit.parameters.items()}
    n_draws = len(draws["z"])
    reff = _relative_efficiency(fit, n_draws)
    parts = [
        (pair_number(sender, receiver), *diagnostics.psis(log_lik, reff), log_mean_exp(log_lik))
        for sender, receiver, log_lik in conditional_log_likelihood(fit.spec, draws, fit.network)
    ]
    pair, elpd, pareto_k, within = map(np.concatenate, zip(*parts, strict=True))
    good_k = float(min(1 - 1 / np.log10(n_draws), 0.7))
    bad = int(np.count_nonzero(pareto_k > good_k))
    return LOO(
        elpd=float(elpd.sum()),
        se=len(elpd) * standard_error(elpd, pair),
        p=float((within - elpd).sum()),
        warning=f"{bad:,} of {len(elpd):,} dyads have a Pareto k above {good_k:.2f}" if bad else "",
        elpd_i=elpd,
        pareto_k=pareto_k,
        good_k=good_k,
        pair=pair,
        thin=thin,
        reff=reff,
    )


def loo_table(fits: Mapping[str, Fit]) -> pd.DataFrame:
    """Set fits of one network, of any models, side by side by PSIS-LOO.

    Parameters
    ----------
    fits : Mapping of str to Fit
        Fits of one network, by name.

    Returns
    -------
    DataFrame
        A row a fit, best first: ``fit``, ``model``, ``dim``, ``elpd``, ``se`` (in nats), ``p``;
        ``difference`` from the best, dyad by dyad, and its standard error ``difference_se``, pairs
        of nodes taken as independent; and ``warning``, what keeps the numbers from being trusted.

    Raises
    ------
    InputError
        If one of `fits` is none, the networks differ, or a fit has too few draws.
    """
    ensure_fits(fits)
    network = next(iter(fits.values())).network
    for name, fit in fits.items():
        if fit.network.digest != network.digest:
            raise InputError(f"{name} is a fit of another network; LOO compares fits of one")
        _ensure_draws(name, fit)
    estimates = {name: loo(fit) for name, fit in fits.items()}
    names = sorted(estimates, key=lambda name: -estimates[name].elpd)
    rows = []
    for name in names:
        numbers = estimates[name]
        difference = numbers.elpd_i - estimates[names[0]].elpd_i
        warnings = [*fits[name].warnings, _approximation(fits[name]), numbers.warning]
        rows.append(
            {
                "fit": name,
                "model": fits[name].spec.label,
                "dim": fits[name].record.dim,
                "elpd": numbers.elpd,
                "se": numbers.se,
                "p": numbers.p,
                "difference": float(difference.sum()),
                "difference_se": len(difference) * standard_error(difference, numbers.pair),
                "warning": "; ".join(filter(None, warnings)),
            }
        )
    return pd.DataFrame(rows)


def _approximation(fit: Fit) -> str:
    """Say of an approximation's draws that they are not the posterior's, where they are not."""
    khat = fit.record.details.get("khat", 0.0)
    if khat is not None and khat <= MAX_PARETO_K:
        return ""
    how = "could not be computed" if khat is None else f"is {khat:.1f} (above {MAX_PARETO_K})"
    return f"the draws are those of an approximation, whose PSIS k-hat {how}"


def _relative_efficiency(fit: Fit, n_draws: int) -> float:
    """Return how many independent draws each of so many of a fit is worth, of a log mean."""
    pairs = sample_pairs(fit.network.n_nodes, MONITORED_PAIRS)
    log_means = diagnostics.as_dataset(log_mean=log_mean(fit.spec, fit.parameters, *pairs.T))
    table = diagnostics.diagnostic_table(log_means)
    effective = ((table["sd"] / table["mcse_mean"]) ** 2).mean()
    return min(1.0, float(effective) / n_draws)


def _ensure_draws(name: str, fit: Fit) -> None:
    """Raise InputError if a fit has too few draws."""
    n_draws = fit.draws[..., 0, 0].size
    if n_draws < MIN_DRAWS:
        raise InputError(
            f"{name} has {n_draws} draws; LOO needs at least {MIN_DRAWS}: take method nuts, or hold"
            f" dyads out (lsm-stan select)"
        )
