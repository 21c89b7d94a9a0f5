"""Tables of fits as pages and the command line show them: text."""

from __future__ import annotations

import pandas as pd

from lsm_stan.criticism.comparison import Comparison
from lsm_stan.criticism.ppc import PredictiveCheck
from lsm_stan.report.report import Report
from lsm_stan.text import as_text


def shown_fits(report: Report) -> pd.DataFrame:
    """Return the summary as text, with the log joint of draws in place of that of their mean.

    A mean of positions need not be a likely point itself, and has no loss.

    Parameters
    ----------
    report : Report
        A report.

    Returns
    -------
    DataFrame
    """
    means = report.summary["fit"].isin(report.sampled)
    drawn = shown_comparison(report.comparison)["log_joint_draws"]
    return as_text(report.summary.assign(log_joint=drawn, loss=report.summary["loss"].mask(means)))


def shown_comparison(comparison: Comparison) -> pd.DataFrame:
    """Return the table of a comparison as text, the fits' names first.

    Parameters
    ----------
    comparison : Comparison
        Fits of one network.

    Returns
    -------
    DataFrame
    """
    table = comparison.table
    shown = as_text(table.drop(columns=["fit", "method", "log_joint", "log_joint_draws_sd"]))
    shown.insert(0, "fit", table["fit"])
    sd = as_text(table[["log_joint_draws_sd"]])["log_joint_draws_sd"]
    shown["log_joint_draws"] += [f" ± {text}" if text else "" for text in sd]
    return shown


def shown_checks(check: PredictiveCheck) -> pd.DataFrame:
    """Return the table of predictive checks as text; R networks tell no probability below 1/R.

    Parameters
    ----------
    check : PredictiveCheck
        Predictive checks of one fit.

    Returns
    -------
    DataFrame
    """
    table = check.table
    shown = as_text(table)
    for row, (name, p) in enumerate(zip(table["statistic"], table["p_value"], strict=True)):
        least = 1 / max(1, check.replicated[name].count())
        if p in (0, 1):
            shown.loc[row, "p_value"] = f"> {1 - least:.3g}" if p else f"< {least:.3g}"
    return shown
