"""Checks that decide whether a fit can be trusted, each with its sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsm_stan import idata as container
from lsm_stan.invariants import pair_distances, sample_pairs

FloatArray = NDArray[np.float64]

#: The distances a fit is judged by: a fixed random set of this many pairs.
MONITORED_PAIRS = 500
#: Limits of Vehtari et al. (Bayesian Analysis 16, 2021), for this share of the monitored pairs.
MAX_RHAT, MIN_ESS, SHARE = 1.01, 400.0, 0.95
#: Largest share of draws at the depth limit.
MAX_SATURATED = 0.02


@dataclass(frozen=True)
class Check:
    """One check of a fit: what was asked, whether it held, and the sentence that says so."""

    name: str
    passed: bool
    message: str

    def as_record(self) -> dict[str, Any]:
        """Return the check for ``fit.json``."""
        return asdict(self)


def distance_diagnostics(draws: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return R-hat and bulk ESS of the monitored distances.

    Parameters
    ----------
    draws
        ``(chain, draw, N, K)`` positions.

    Returns
    -------
    rhat, ess : numpy.ndarray
        ``(P,)`` each, for the pairs of ``sample_pairs(N, MONITORED_PAIRS)``.
    """
    pairs = sample_pairs(draws.shape[2], MONITORED_PAIRS)
    return container.diagnostics(pair_distances(draws, pairs))


def sampler_checks(
    draws: FloatArray, stats: Mapping[str, NDArray[Any]], max_treedepth: int
) -> tuple[list[Check], dict[str, Any]]:
    """Judge a sample by invariant quantities.

    Parameters
    ----------
    draws
        ``(chain, draw, N, K)`` positions.
    stats
        ``(chain, draw)`` columns ``diverging``, ``tree_depth`` and ``n_steps``.
    max_treedepth
        The depth limit of the run.

    Returns
    -------
    checks : list of Check
    details : dict
        The numbers behind them, for ``fit.json``.
    """
    n_chains = draws.shape[0]
    divergent = int(stats["diverging"].sum())
    saturated = float((stats["tree_depth"] >= max_treedepth).mean())
    rhat, ess = distance_diagnostics(draws)
    rhat_p95 = float(np.quantile(rhat, SHARE)) if np.isfinite(rhat).all() else None
    ess_p05 = float(np.quantile(ess, 1 - SHARE)) if np.isfinite(ess).all() else None
    details: dict[str, Any] = {
        "chains": n_chains,
        "draws": int(draws.shape[1]),
        "divergences": divergent,
        "saturated": saturated,
        "gradients_per_draw": float(stats["n_steps"].mean()),
        "rhat_p95": rhat_p95,
        "ess_p05": ess_p05,
        "ess_median": float(np.median(ess)) if np.isfinite(ess).all() else None,
    }
    mixed = "chains do not agree: run longer, or see whether they sit in different modes"
    checks = [
        Check("divergences", divergent == 0, f"{divergent} divergent transitions"),
        Check(
            "tree_depth",
            saturated <= MAX_SATURATED,
            f"{saturated:.1%} of draws stopped at max_treedepth = {max_treedepth}"
            f" (at most {MAX_SATURATED:.0%} are acceptable)",
        ),
        Check(
            "rhat",
            rhat_p95 is not None and rhat_p95 <= MAX_RHAT,
            "R-hat of distances needs at least 2 chains"
            if rhat_p95 is None
            else f"R-hat of distances is {rhat_p95:.3f} at its {SHARE:.0%} quantile"
            + ("" if rhat_p95 <= MAX_RHAT else f" (above {MAX_RHAT}): {mixed}"),
        ),
        Check(
            "ess",
            ess_p05 is not None and ess_p05 >= MIN_ESS,
            "bulk ESS of distances could not be computed"
            if ess_p05 is None
            else f"bulk ESS of distances is {ess_p05:.0f} at its {1 - SHARE:.0%} quantile"
            + ("" if ess_p05 >= MIN_ESS else f" (below {MIN_ESS:.0f}): run longer"),
        ),
    ]
    return checks, details
