"""Tables of several fits of one network, from their records and their draws."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from lsm_stan.criticism.comparison import comparable_log_joints
from lsm_stan.inference.fit import Fit
from lsm_stan.network.network import Network
from lsm_stan.posterior import diagnostics
from lsm_stan.posterior.intervals import interval
from lsm_stan.posterior.invariants import sample_pairs
from lsm_stan.text import brief, with_error
from lsm_stan.typing import IntArray

#: How many of the heaviest pairs, and how many random ones, the tables and traces show.
HEAVIEST_PAIRS, RANDOM_PAIRS = 6, 6

#: Numbers of a fit's details that the summary table carries, where a method has them.
DETAILS = (
    "draws", "elbo", "rhat_p95", "ess_p05", "ess_median", "divergences", "saturated",
    "gradients_per_draw", "distinct_modes",
)  # fmt: skip


def summary_table(fits: Mapping[str, Fit]) -> pd.DataFrame:
    """Return one row a fit: time, log joint, convergence and what qualifies them.

    Parameters
    ----------
    fits : Mapping of str to Fit
        Fits of one network, by name.

    Returns
    -------
    DataFrame
        Columns ``method, fit, seed, seconds, log_joint, loss, converged``, some details of the
        methods, and ``warnings``. The log joint and the loss are NaN where they are of another
        density than the reference fit's
        (:func:`lsm_stan.criticism.comparison.comparable_log_joints`).
    """
    comparable = comparable_log_joints(fits)
    rows = []
    for name, fit in fits.items():
        record = fit.record
        rows.append(
            {
                "method": fit.method,
                "fit": name,
                "seed": record.seed,
                "seconds": record.seconds,
                "log_joint": fit.log_joint if name in comparable else np.nan,
                "loss": fit.loss if name in comparable else np.nan,
                "converged": fit.converged,
                **{key: record.details.get(key) for key in DETAILS},
                "warnings": "; ".join(fit.warnings),
            }
        )
    return pd.DataFrame(rows)


def reported_pairs(network: Network) -> IntArray:
    """Return the fixed pairs whose distances and rates are shown: the heaviest and random ones.

    Parameters
    ----------
    network : Network
        N nodes.

    Returns
    -------
    ndarray of int64 of shape (P, 2)
        Node indices i < j, from 0; heaviest pairs first, none twice.

    Examples
    --------
    >>> network = Network.from_edges(["a", "b"], ["b", "c"], [1, 3])
    >>> reported_pairs(network)[0].tolist()
    [1, 2]
    """
    pair = np.sort(np.column_stack([network.sender, network.receiver]), axis=1)
    edges = pd.DataFrame({"i": pair[:, 0], "j": pair[:, 1], "weight": network.weight})
    weights = edges[edges.i != edges.j].groupby(["i", "j"])["weight"].sum()
    heaviest = weights.sort_values(ascending=False, kind="stable").index
    chosen = [
        *heaviest[:HEAVIEST_PAIRS],
        *sample_pairs(network.n_nodes, RANDOM_PAIRS).tolist(),
    ]
    return np.array(list(dict.fromkeys((int(i), int(j)) for i, j in chosen)), dtype=np.int64)


def coefficients_table(fits: Mapping[str, Fit]) -> pd.DataFrame:
    """Return the coefficients of the covariates of several fits of one model.

    Parameters
    ----------
    fits : Mapping of str to Fit
        Fits of one model, by name.

    Returns
    -------
    DataFrame
        A row a coefficient and fit: ``covariate``, ``fit``, ``mean``, ``sd``, and ``low`` and
        ``high``, the ends of its 90 % interval; the last three are NaN for a mode. A model without
        covariates has no rows.
    """
    rows: list[tuple[Any, ...]] = []
    for name, fit in fits.items():
        labels = fit.spec.coords.get("covariate", [])
        draws = fit.parameters["beta"].reshape(-1, len(labels)) if labels else np.zeros((1, 0))
        sd = draws.std(axis=0, ddof=1) if len(draws) > 1 else np.full(len(labels), np.nan)
        rows += zip(
            labels, [name] * len(labels), draws.mean(axis=0), sd, *interval(draws), strict=True
        )
    table = pd.DataFrame(rows, columns=["covariate", "fit", "mean", "sd", "low", "high"])
    order = {label: rank for rank, label in enumerate(table["covariate"].unique())}
    return table.sort_values(
        "covariate", key=lambda c: c.map(order), kind="stable", ignore_index=True
    )


def interval_text(row: Mapping[Hashable, Any]) -> str:
    """Return a row of :func:`coefficients_table` as text: the mean, and the 90 % interval.

    Parameters
    ----------
    row : Mapping
        ``mean``, ``sd``, ``low`` and ``high``.

    Returns
    -------
    str

    Examples
    --------
    >>> interval_text({"mean": 0.5, "sd": 0.1, "low": 0.25, "high": 0.75})
    '0.5 (0.25 to 0.75)'
    """
    mean, low, high = (brief(row[name]) for name in ("mean", "low", "high"))
    return mean if np.isnan(row["sd"]) else f"{mean} ({low} to {high})"


def coefficients_beside(coefficients: pd.DataFrame) -> pd.DataFrame:
    """Set coefficients of several fits beside each other, as text.

    Parameters
    ----------
    coefficients : DataFrame
        What :func:`coefficients_table` returns.

    Returns
    -------
    DataFrame
        A row a covariate, a column a fit.
    """
    text = coefficients[["covariate", "fit"]].assign(text=coefficients.apply(interval_text, axis=1))
    return _beside(text, "covariate")


def invariants_table(fits: Mapping[str, Fit]) -> pd.DataFrame:
    """Return ArviZ's summary of the reported pairs of several fits, one below the other.

    Parameters
    ----------
    fits : Mapping of str to Fit
        Fits of one network, by name.

    Returns
    -------
    DataFrame
        ``fit``, ``quantity``, and the summary's columns; without the log joints that
        :func:`lsm_stan.criticism.comparison.comparable_log_joints` leaves out.
    """
    comparable = comparable_log_joints(fits)
    tables = {
        name: diagnostics.summarise(fit.invariants(reported_pairs(fit.network), nodes=[]))
        for name, fit in fits.items()
    }
    table = pd.concat(tables, names=["fit", "quantity"]).reset_index()
    return table[(table["quantity"] != "log_joint") | table["fit"].isin(comparable)]


def side_by_side(invariants: pd.DataFrame) -> pd.DataFrame:
    """Set the invariants of several fits beside each other, as text.

    Parameters
    ----------
    invariants : DataFrame
        What :func:`invariants_table` returns.

    Returns
    -------
    DataFrame
        A row a quantity, a column a fit: the mean, and the standard deviation where there is one.
    """

    def cell(row: pd.Series[float]) -> str:
        return with_error(row["mean"], row["sd"], 1 if abs(row["mean"]) >= 1000 else 3)

    text = invariants[["mean", "sd"]].apply(cell, axis=1)
    return _beside(invariants[["quantity", "fit"]].assign(text=text), "quantity")


def _beside(rows: pd.DataFrame, what: str) -> pd.DataFrame:
    """Return texts in a row for each of what they are of, and a column a fit; "" for none."""
    order, names = rows[what].unique(), rows["fit"].unique()
    beside = rows.pivot(index=what, columns="fit", values="text")  # noqa: PD010 - of text
    return beside.loc[order, names].fillna("")
