"""Tables of fits as pages and the command line show them: text."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lsm_stan.criticism.advice import STATISTICS
from lsm_stan.criticism.comparison import Comparison
from lsm_stan.criticism.ppc import PredictiveCheck
from lsm_stan.criticism.prior_check import PriorCheck
from lsm_stan.model.family import ModelSpec
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


def shown_checks(check: PredictiveCheck, spec: ModelSpec) -> pd.DataFrame:
    """Return the table of predictive checks as text; R networks tell no probability below 1/R.

    Parameters
    ----------
    check : PredictiveCheck
        Predictive checks of one fit.
    spec : ModelSpec
        Its model.

    Returns
    -------
    DataFrame
        Columns ``statistic``, ``observed``, ``predicted``, ``p`` and ``at fault``; those that
        failed come first, and ``at fault`` is there only if one did.
    """
    failed = [one.name for one in check.checks if not one.passed]
    shown = as_text(check.table)
    rows = []
    for row, text in zip(check.table.to_dict("records"), shown.to_dict("records"), strict=True):
        name, p = row["statistic"], row["p_value"]
        least = 1 / max(1, check.replicated[name].count())
        if p in (0, 1):
            text["p_value"] = f"> {1 - least:.3g}" if p else f"< {least:.3g}"
        more = row["observed"] > row["predicted_high"]
        ends = f"{text['predicted_low']} to {text['predicted_high']}"
        rows.append(
            {
                "statistic": STATISTICS[name].label.removeprefix("the "),
                "observed": text["observed"],
                "predicted": f"{text['predicted_median']} ({ends})" if not np.isnan(p) else "",
                "p": text["p_value"],
                "at fault": STATISTICS[name].cause(spec, more)[0] if name in failed else "",
            }
        )
    table = pd.DataFrame(rows)
    first = table["at fault"] != ""
    table = pd.concat([table[first], table[~first]], ignore_index=True)
    again = table["at fault"].eq(table["at fault"].shift()) & (table["at fault"] != "")
    table["at fault"] = table["at fault"].mask(again, "the same")
    return table if first.any() else table.drop(columns="at fault")


def shown_priors(check: PriorCheck) -> pd.DataFrame:
    """Return the table of networks that the priors expect, as text.

    Parameters
    ----------
    check : PriorCheck
        What the priors of a fit say.

    Returns
    -------
    DataFrame
        Columns ``statistic``, ``observed`` and ``the priors expect``.
    """
    text = as_text(check.predicted)
    labels = [STATISTICS[name].label.removeprefix("the ") for name in text["statistic"]]
    ends = " (" + text["prior_low"] + " to " + text["prior_high"] + ")"
    expected = (text["prior_median"] + ends).where(text["prior_median"] != "", "")
    return pd.DataFrame(
        {"statistic": labels, "observed": text["observed"], "the priors expect": expected}
    )
