"""Checks that decide whether a fit can be trusted, each with its sentence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lsm_stan.posterior import diagnostics
from lsm_stan.posterior.invariants import settled
from lsm_stan.text import counted
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
#: What CmdStan runs where nothing else is asked for; smaller steps that may cure divergences; how
#: many iterations a chain are advised at most.
ITERATIONS, ADAPT_DELTA, SMALLER_STEPS, LONGEST = 1000, 0.8, (0.95, 0.99), 20_000
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
#: Quantities that a sentence names, the worst first.
LISTED = 3
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
        What was seen.
    advice : str
        What to do about it, where there is anything.
    """

    name: str
    passed: bool
    message: str
    advice: str = ""

    @property
    def sentence(self) -> str:
        """What was seen, and what to do about it."""
        return f"{self.message}: {self.advice}" if self.advice else self.message


@dataclass(frozen=True)
class Finding:
    """One sentence of a verdict.

    Attributes
    ----------
    kind : {"good", "caution", "bad"}
        ``good`` to rely on, ``caution`` to know, ``bad`` to act on.
    text : str
        The sentence.
    about : str, default ""
        What it is about: a key of :data:`lsm_stan.criticism.meanings.MEANINGS`, or nothing that
        is explained.
    """

    kind: Literal["good", "caution", "bad"]
    text: str
    about: str = ""


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
    quantities: Mapping[str, FloatArray],
    stats: Mapping[str, NDArray[Any]],
    max_treedepth: int,
    asked: Mapping[str, Any] = MappingProxyType({}),
    *,
    meant: bool = False,
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
    asked : mapping of str to object, default empty
        The other arguments of the run: advice depends on what was done.
    meant : bool, default False
        Whether trees are meant to end at that depth.

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
        "saturated": None if meant else saturated,
        "gradients_per_draw": float(stats["n_steps"].mean()),
        "bfmi": bfmi if np.isfinite(bfmi) else None,
        "rhat_p95": rhat_p95,
        "ess_p05": ess_p05,
        "ess_median": None if ess_p05 is None else float(of_distances.median()),
        "ess_tail_p05": tail_p05,
        **_worst(table[1:]),
    }
    needed = longer(asked, min((n for n in (ess_p05, tail_p05) if n is not None), default=np.nan))
    checks = [
        Check(
            "divergences",
            divergent == 0,
            counted(divergent, "divergent transition"),
            _smaller_steps(asked) if divergent else "",
        ),
        _depth_check(saturated, max_treedepth, asked, meant),
        Check(
            "energy",
            bfmi >= MIN_BFMI,
            "BFMI could not be computed"
            if np.isnan(bfmi)
            else f"BFMI is {bfmi:.2f} in the worst chain"
            + ("" if bfmi >= MIN_BFMI else f" (below {MIN_BFMI})"),
            ""
            if bfmi >= MIN_BFMI or np.isnan(bfmi)
            else "run a longer warmup, iter_warmup ="
            f" {2 * (asked.get('iter_warmup') or ITERATIONS)}",
        ),
        _rhat_check(rhat_p95, values["distance"], needed),
        _ess_check("ess", "bulk", ess_p05, needed),
        _ess_check("ess_tail", "tail", tail_p05, needed),
        exploration_check(table[1:], asked),
    ]
    return checks, details


def _worst(quantities: pd.DataFrame) -> dict[str, float | None]:
    """Return the worst R-hat and ESS of quantities besides distances; None where there is none."""
    rhat = quantities["rhat_p95"].max(skipna=False)
    ess = quantities[["ess_bulk_p05", "ess_tail_p05"]].min(axis=1, skipna=False).min(skipna=False)
    worst = {"rhat_others": rhat, "ess_others": ess}
    return {name: None if np.isnan(value) else float(value) for name, value in worst.items()}


def longer(asked: Mapping[str, Any], ess: float) -> str:
    """Say how much longer a run of chains would have to be.

    Parameters
    ----------
    asked : mapping of str to object
        The arguments of the run.
    ess : float
        The smallest effective sample size, in draws; NaN where it is unknown.

    Returns
    -------
    str
        Advice.

    Examples
    --------
    >>> longer({"iter_sampling": 500}, 150.0)
    'run longer, iter_sampling = 2000'
    """
    factor = 2.0 if np.isnan(ess) else 1.25 * MIN_ESS / max(ess, 1.0)
    draws = (asked.get("iter_sampling") or ITERATIONS) * max(2, math.ceil(factor))
    if draws > LONGEST:
        return "try another start or model: a run would have to be far longer than this one"
    return f"run longer, iter_sampling = {draws}"


def exploration_check(
    quantities: pd.DataFrame, asked: Mapping[str, Any] = MappingProxyType({})
) -> Check:
    """Check R-hat, bulk and tail ESS of quantities by the limits that distances are held to.

    Parameters
    ----------
    quantities : DataFrame
        Rows of :func:`quantity_table`.
    asked : mapping of str to object, default empty
        The arguments of the run.

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
    least = ess.min(axis=1, skipna=False)
    excess = pd.Series(np.maximum((rhat - 1) / (MAX_RHAT - 1), MIN_ESS / least), rhat.index)
    failed = quantities.loc[excess.fillna(np.inf)[~explored].sort_values(ascending=False).index]
    figures = "; ".join(
        f"{WORDS.get(row['quantity'], row['quantity'])}: R-hat {_figure(row['rhat_p95'], 3)},"
        f" bulk ESS {_figure(row['ess_bulk_p05'], 0)}, tail ESS {_figure(row['ess_tail_p05'], 0)}"
        for row in failed.head(LISTED).to_dict("records")
    )
    if len(failed) > LISTED:
        figures += f"; and {counted(len(failed) - LISTED, 'other quantity', 'other quantities')}"
    return Check(
        "exploration",
        False,
        f"{figures} (R-hat at most {MAX_RHAT} and ESS at least {MIN_ESS:.0f} are needed, for"
        f" {SHARE:.0%} of pairs or nodes)",
        longer(asked, float(ess[~explored].to_numpy().min())),
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


def _smaller_steps(asked: Mapping[str, Any]) -> str:
    """Say what may keep a run free of divergences, of what it did not do."""
    delta = asked.get("adapt_delta") or ADAPT_DELTA
    smaller = next((value for value in SMALLER_STEPS if value > delta), None)
    steps = (
        "its steps are as small as is of use: try another model"
        if smaller is None
        else f"take smaller steps, adapt_delta = {smaller:g}"
    )
    at_random = isinstance(start := asked.get("init"), str) and start == "random"
    return f"{steps}, or start at a mode" if at_random else steps


def _deeper_trees(asked: Mapping[str, Any], limit: int) -> str:
    deeper = f"raise it, max_treedepth = {limit + 1}"
    plain = asked.get("precondition") is False
    return f"{deeper}, or sample in preconditioned coordinates" if plain else deeper


def _depth_check(share: float, limit: int, asked: Mapping[str, Any], meant: bool) -> Check:
    if meant:
        message = f"trees end at depth {limit} at the latest, with moves of nodes between them"
        return Check("tree_depth", True, message)
    message = f"{share:.1%} of draws stopped at max_treedepth = {limit}"
    if share <= MAX_SATURATED:
        return Check("tree_depth", True, message)
    too_many = f"{message} (at most {MAX_SATURATED:.0%} may)"
    return Check("tree_depth", False, too_many, _deeper_trees(asked, limit))


def _rhat_check(p95: float | None, distances: FloatArray, advice: str) -> Check:
    """Check R-hat of distances; where there is none, say why."""
    if p95 is not None:
        good = p95 <= MAX_RHAT
        figure = f"R-hat of distances is {p95:.3f} at its {SHARE:.0%} quantile"
        message = figure if good else f"{figure} (above {MAX_RHAT}; the chains have not mixed)"
        return Check("rhat", good, message, "" if good else advice)
    chains, draws = distances.shape[:2]
    if chains < 2 or draws < 4:
        return Check("rhat", False, "R-hat of distances needs at least 2 chains of 4 draws")
    stuck = int((np.ptp(distances, axis=1) == 0).any(axis=-1).sum())
    if not stuck:
        return Check("rhat", False, "R-hat of distances could not be computed")
    message = f"R-hat of distances is unknown, since {stuck} of {chains} chains did not move"
    return Check("rhat", False, message, "start elsewhere, or try another model")


def _ess_check(name: str, kind: str, p05: float | None, advice: str) -> Check:
    if p05 is None:
        return Check(name, False, f"{kind} ESS of distances could not be computed")
    sentence = f"{kind} ESS of distances is {p05:.0f} at its {1 - SHARE:.0%} quantile"
    good = p05 >= MIN_ESS
    return Check(
        name,
        good,
        sentence if good else f"{sentence} (below {MIN_ESS:.0f})",
        "" if good else advice,
    )


def _figure(value: float, digits: int) -> str:
    return "unknown" if np.isnan(value) else f"{value:.{digits}f}"


def _quantile(values: pd.Series[float], share: float) -> float:
    """Return a quantile; NaN where a value is NaN."""
    return float(np.quantile(values.to_numpy(), share))
