"""Leave-one-dyad-out cross-validation and WAIC, from the draws of one fit.

PSIS-LOO (Vehtari, Gelman & Gabry, Statistics and Computing 27, 2017) estimates from the draws of
the whole posterior what a fit without a dyad would have predicted there. The largest Pareto k says
of each dyad whether that works: a dyad that its two nodes' positions owe much to is too far from
its own prediction. Dyads come in blocks, so that memory is bounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lsm_stan import idata as container
from lsm_stan.dyads import network_log_likelihood
from lsm_stan.errors import InputError
from lsm_stan.fit import Fit
from lsm_stan.scores import flat_draws, log_mean_exp

FloatArray = NDArray[np.float64]

#: The fewest draws that a tail can be smoothed with.
MIN_DRAWS = 100


@dataclass(frozen=True)
class LOO:
    """What :func:`loo` finds.

    Attributes
    ----------
    table
        Rows ``loo`` and ``waic``; columns ``elpd`` (expected log predictive density, summed over
        dyads, nats), ``se`` (its standard error), ``p`` (effective number of parameters),
        ``mean`` (``elpd`` a dyad) and ``warning`` (a sentence, or empty).
    pareto_k
        ``(D,)`` of every observed dyad, in the order of edges.
    elpd
        ``(D,)`` of PSIS-LOO.
    good_k
        Up to where a Pareto k is fine, by the number of draws.
    """

    table: pd.DataFrame
    pareto_k: FloatArray
    elpd: FloatArray
    good_k: float


def loo(fit: Fit, max_draws: int = 1000) -> LOO:
    """Estimate how well a fit predicts each observed dyad from all others.

    In ``dyadic`` a pair's second direction is predicted given its first.

    Parameters
    ----------
    fit
        With draws of the posterior (NUTS). Those of an approximation are taken as if they were.
    max_draws
        More are thinned.

    Returns
    -------
    LOO

    Raises
    ------
    InputError
        If there are fewer than 100 draws, as of a mode.
    """
    draws = _thinned("the fit", fit, max_draws)
    n_draws = len(draws["z"])
    parts = [
        (*container.psis(log_lik), log_mean_exp(log_lik), log_lik.var(axis=0, ddof=1))
        for _, _, log_lik in network_log_likelihood(fit.spec, draws, fit.network)
    ]
    elpd, pareto_k, within, variance = map(np.concatenate, zip(*parts, strict=True))
    good_k = float(min(1 - 1 / np.log10(n_draws), 0.7))

    def told(bad: NDArray[np.bool_], what: str) -> str:
        return f"{bad.sum():,} of {len(bad):,} dyads have {what}" if bad.any() else ""

    rows = {
        "loo": _row(elpd, within, told(pareto_k > good_k, f"a Pareto k above {good_k:.2f}")),
        "waic": _row(
            within - variance, within, told(variance > 0.4, "a posterior variance above 0.4")
        ),
    }
    return LOO(pd.DataFrame.from_dict(rows, orient="index"), pareto_k, elpd, good_k)


def loo_table(fits: Mapping[str, Fit], max_draws: int = 1000) -> pd.DataFrame:
    """Set fits of one network, of any models, side by side by PSIS-LOO.

    Parameters
    ----------
    fits
        By name.
    max_draws
        As in :func:`loo`.

    Returns
    -------
    pandas.DataFrame
        A row a fit, best first: ``fit``, ``model``, ``dim``, ``elpd``, ``se``, ``p``;
        ``difference`` from the best, dyad by dyad, and its standard error ``difference_se``;
        ``waic``; and ``warning``, what keeps the numbers from being trusted.

    Raises
    ------
    InputError
        If the networks differ, or a fit has too few draws.
    """
    one = next(iter(fits.values())).network
    for name, fit in fits.items():
        if fit.network.digest != one.digest:
            raise InputError(f"{name} is a fit of another network; LOO compares fits of one")
        _thinned(name, fit, max_draws)  # refuses before anything is computed
    found = {name: loo(fit, max_draws) for name, fit in fits.items()}
    names = sorted(found, key=lambda name: -found[name].elpd.sum())
    rows = []
    for name in names:
        numbers, difference = found[name].table, found[name].elpd - found[names[0]].elpd
        of_loo = numbers.loc["loo"]
        rows.append(
            {
                "fit": name,
                "model": fits[name].spec.label,
                "dim": fits[name].record["dim"],
                "elpd": of_loo["elpd"],
                "se": of_loo["se"],
                "p": of_loo["p"],
                "difference": float(difference.sum()),
                "difference_se": float(np.sqrt(len(difference)) * np.std(difference)),
                "waic": numbers.loc["waic", "elpd"],
                "warning": "; ".join(
                    filter(None, [*fits[name].warnings, *numbers["warning"].astype(str)])
                ),
            }
        )
    return pd.DataFrame(rows)


def _thinned(name: str, fit: Fit, max_draws: int) -> dict[str, FloatArray]:
    """Return the draws of a fit, at most `max_draws`; raise InputError if there are too few."""
    draws = flat_draws(fit.parameters, max_draws)
    n_draws = len(draws["z"])
    if n_draws < MIN_DRAWS:
        raise InputError(
            f"{name} has {n_draws} draws; LOO and WAIC need at least {MIN_DRAWS}: take method"
            f" nuts, or hold dyads out (lsm-stan select)"
        )
    return draws


def _row(elpd: FloatArray, within: FloatArray, warning: str) -> dict[str, float | str]:
    return {
        "elpd": float(elpd.sum()),
        "se": float(np.sqrt(len(elpd)) * np.std(elpd)),
        "p": float((within - elpd).sum()),
        "mean": float(elpd.mean()),
        "warning": warning,
    }
