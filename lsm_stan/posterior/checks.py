"""Checks that decide whether a fit can be trusted, each with its sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lsm_stan.posterior import diagnostics
from lsm_stan.posterior.invariants import settled
from lsm_stan.typing import FloatArray

#: Limits of Vehtari et al. (Bayesian Analysis 16, 2021): each scalar has to keep them, and this
#: share of pairs and nodes.
MAX_RHAT, MIN_ESS, SHARE = 1.01, 400.0, 0.95
#: Largest share of draws at the depth limit.
MAX_SATURATED = 0.02
#: Smallest Bayesian fraction of missing information (Betancourt 2016; Stan's own limit).
MIN_BFMI = 0.3
#: Largest PSIS k-hat of an approximation whose draws can stand for the posterior's.
MAX_PARETO_K = 0.7
#: What quantities are called in sentences, where not by their names.
WORDS = {
    "log_joint": "log joint density",
    "log_mean": "log mean weights",
    "sender_effect": "sender effects",
    "receiver_effect": "receiver effects",
    "role": "sizes of roles",
    "radius": "distances from the centre",
    "strength": "expected strengths",
    "out_strength": "expected out-strengths",
    "in_strength": "expected in-strengths",
}
#: Fewest draws whose largest tenth has a tail that a Pareto distribution can be fitted to.
MIN_PARETO_DRAWS = 100


@dataclass(frozen=True)
class Check:
    """One check of a fit: what was asked, whether it held, and the sentence that says so.

    Attributes
    ----------
    name : str
        What was asked.
    passed : bool
        Whether it held.
    message : str
        The sentence.
    """

    name: str
    passed: bool
    message: str


@dataclass(frozen=True)
class Finding:
    """One sentence of a verdict.

    Attributes
    ----------
    kind : {"good", "caution", "bad"}
        ``good`` to rely on, ``caution`` to know, ``bad`` to act on.
    text : str
        The sentence.
    """

    kind: Literal["good", "caution", "bad"]
    text: str


def quantity_table(items: pd.DataFrame) -> pd.DataFrame:
    """Condense the diagnostics of items to a row a quantity.

    Parameters
    ----------
    items : DataFrame
        What :func:`lsm_stan.posterior.diagnostics.diagnostic_table` returns.

    Returns
    -------
    DataFrame
        Columns ``quantity``, ``items``, ``rhat_max``, ``rhat_p95``, ``ess_bulk_min``,
        ``ess_bulk_p05``, ``ess_tail_min``, ``ess_tail_p05`` and ``mcse_ratio``, the largest
        Monte-Carlo error of a mean in standard deviations. NaN where an item has none.
    """
    rows = []
    for quantity, group in items.groupby("quantity", sort=False):
        row: dict[str, Any] = {"quantity": quantity, "items": len(group)}
        row["rhat_max"] = group["rhat"].max(skipna=False)
        row["rhat_p95"] = _quantile(group["rhat"], SHARE)
        for kind in ("ess_bulk", "ess_tail"):
            row[f"{kind}_min"] = group[kind].min(skipna=False)
            row[f"{kind}_p05"] = _quantile(group[kind], 1 - SHARE)
        row["mcse_ratio"] = (group["mcse_mean"] / group["sd"]).max(skipna=False)
        rows.append(row)
    return pd.DataFrame(rows)


def sampler_checks(
    quantities: Mapping[str, FloatArray], stats: Mapping[str, NDArray[Any]], max_treedepth: int
) -> tuple[list[Check], dict[str, Any]]:
    """Judge a sample by invariant quantities.

    Parameters
    ----------
    quantities : mapping of str to ndarray
        What :func:`lsm_stan.posterior.invariants.monitored` returns: ``distance`` first.
    stats : mapping of str to ndarray of shape (chain, draw)
        Columns ``diverging``, ``tree_depth``, ``n_steps`` and ``energy``.
    max_treedepth : int
        The depth limit of the run.

    Returns
    -------
    checks : list of Check
        Divergences, tree depth, BFMI, R-hat and effective sample sizes.
    details : dict of str to object
        The numbers behind them, for ``fit.json``.
    """
    divergent = int(stats["diverging"].sum())
    saturated = float((stats["tree_depth"] >= max_treedepth).mean())
    bfmi = float(diagnostics.bfmi(stats["energy"]).min())
    values = {name: settled(draws) for name, draws in quantities.items()}
    items = diagnostics.diagnostic_table(diagnostics.as_dataset(**values))
    of_distances = items["ess_bulk"][items["quantity"] == "distance"]
    table = quantity_table(items)
    rhat_p95, ess_p05, tail_p05 = (
        None if np.isnan(table[name][0]) else float(table[name][0])
        for name in ("rhat_p95", "ess_bulk_p05", "ess_tail_p05")
    )
    details: dict[str, Any] = {
        "chains": int(quantities["distance"].shape[0]),
        "draws": int(quantities["distance"].shape[1]),
        "divergences": divergent,
        "saturated": saturated,
        "gradients_per_draw": float(stats["n_steps"].mean()),
        "bfmi": bfmi if np.isfinite(bfmi) else None,
        "rhat_p95": rhat_p95,
        "ess_p05": ess_p05,
        "ess_median": None if ess_p05 is None else float(of_distances.median()),
        "ess_tail_p05": tail_p05,
    }
    mixed = "chains do not agree: run longer, or see whether they sit in different modes"
    checks = [
        Check(
            "divergences",
            divergent == 0,
            f"{divergent} divergent transitions"
            + (": raise adapt_delta, or start at a mode" if divergent else ""),
        ),
        Check(
            "tree_depth",
            saturated <= MAX_SATURATED,
            f"{saturated:.1%} of draws stopped at max_treedepth = {max_treedepth}"
            + (
                ""
                if saturated <= MAX_SATURATED
                else f" (at most {MAX_SATURATED:.0%} are acceptable): raise max_treedepth, or"
                " sample in preconditioned coordinates"
            ),
        ),
        Check(
            "energy",
            bfmi >= MIN_BFMI,
            "BFMI could not be computed"
            if np.isnan(bfmi)
            else f"BFMI is {bfmi:.2f} in the worst chain"
            + ("" if bfmi >= MIN_BFMI else f" (below {MIN_BFMI}): run a longer warmup"),
        ),
        Check(
            "rhat",
            rhat_p95 is not None and rhat_p95 <= MAX_RHAT,
            "R-hat of distances needs at least 2 chains of 4 draws"
            if rhat_p95 is None
            else f"R-hat of distances is {rhat_p95:.3f} at its {SHARE:.0%} quantile"
            + ("" if rhat_p95 <= MAX_RHAT else f" (above {MAX_RHAT}): {mixed}"),
        ),
        _ess_check("ess", "bulk", ess_p05),
        _ess_check("ess_tail", "tail", tail_p05),
        exploration_check(table[1:]),
    ]
    return checks, details


def exploration_check(quantities: pd.DataFrame) -> Check:
    """Check R-hat, bulk and tail ESS of quantities by the limits that distances are held to.

    Parameters
    ----------
    quantities : DataFrame
        Rows of :func:`quantity_table`.

    Returns
    -------
    Check
    """
    rhat, ess = quantities["rhat_p95"], quantities[["ess_bulk_p05", "ess_tail_p05"]]
    explored = (rhat <= MAX_RHAT) & (ess >= MIN_ESS).all(axis=1)
    if explored.all():
        names = ", ".join(WORDS.get(name, name) for name in quantities["quantity"])
        least = ess.to_numpy().min()
        message = f"R-hat of {names} is {rhat.max():.3f} at most, ESS {least:.0f} at least"
        return Check("exploration", True, message)
    figures = "; ".join(
        f"{WORDS.get(row['quantity'], row['quantity'])}: R-hat {_figure(row['rhat_p95'], 3)},"
        f" bulk ESS {_figure(row['ess_bulk_p05'], 0)}, tail ESS {_figure(row['ess_tail_p05'], 0)}"
        for row in quantities[~explored].to_dict("records")
    )
    return Check(
        "exploration",
        False,
        f"{figures} (R-hat at most {MAX_RHAT} and ESS at least {MIN_ESS:.0f} are needed, for"
        f" {SHARE:.0%} of pairs or nodes): run longer",
    )


def approximation_khat(log_ratio: FloatArray) -> float | None:
    """Return PSIS k-hat of an approximation's draws against the model's density.

    Yao, Vehtari, Simpson & Gelman (ICML 2018) judge variational inference by it.

    Parameters
    ----------
    log_ratio : ndarray of shape (S,)
        Log densities of the model less those of the approximation, in nats, up to a constant.

    Returns
    -------
    float or None
        None where there are too few draws, or no finite result.
    """
    if len(log_ratio) < MIN_PARETO_DRAWS or not np.isfinite(log_ratio).all():
        return None
    khat = diagnostics.pareto_k(log_ratio)
    return khat if np.isfinite(khat) else None


def _ess_check(name: str, kind: str, p05: float | None) -> Check:
    if p05 is None:
        return Check(name, False, f"{kind} ESS of distances could not be computed")
    sentence = f"{kind} ESS of distances is {p05:.0f} at its {1 - SHARE:.0%} quantile"
    good = p05 >= MIN_ESS
    return Check(name, good, sentence + ("" if good else f" (below {MIN_ESS:.0f}): run longer"))


def _figure(value: float, digits: int) -> str:
    return "unknown" if np.isnan(value) else f"{value:.{digits}f}"


def _quantile(values: pd.Series[float], share: float) -> float:
    """Return a quantile; NaN where a value is NaN."""
    return float(np.quantile(values.to_numpy(), share))
