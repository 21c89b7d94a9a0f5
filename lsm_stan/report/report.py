"""What fits of one network say, computed once: the page and the command line show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from lsm_stan.blas import on_one_blas_thread
from lsm_stan.criticism.comparison import Comparison, compare
from lsm_stan.criticism.ppc import PredictiveCheck, predictive_checks
from lsm_stan.criticism.prior_check import PriorCheck, check_priors
from lsm_stan.criticism.tables import (
    coefficients_table,
    invariants_table,
    summary_table,
)
from lsm_stan.criticism.verdict import Verdict, judge
from lsm_stan.inference.fit import Fit
from lsm_stan.network.grouping import grouping
from lsm_stan.posterior.clusters import cluster_table
from lsm_stan.progress import Progress
from lsm_stan.report.nodes import node_table


@dataclass(frozen=True, eq=False)
class Report:
    """Everything the page shows, computed once.

    Attributes
    ----------
    fits : Mapping of str to Fit
        Fits of one network, by name.
    comparison : Comparison
        The fits compared; its ``reference`` is the fit that single figures show.
    verdicts : Mapping of str to Verdict
        Verdicts by the fits' names.
    checks : Mapping of str to PredictiveCheck
        Predictive checks by the fits' names.
    summary, invariants, coefficients : DataFrame
        Tables of all fits (:mod:`lsm_stan.criticism.tables`).
    nodes : DataFrame
        A row a node of the reference fit (:func:`lsm_stan.report.nodes.node_table`).
    clusters : DataFrame
        A row a cluster of the reference fit (:func:`lsm_stan.posterior.clusters.cluster_table`);
        empty where the model has none.
    priors : PriorCheck
        What the priors of the reference fit say.
    groups : Series of shape (N,), or None
        The group of every node, which figures show by colour; None where there are none.
    """

    fits: Mapping[str, Fit]
    comparison: Comparison
    verdicts: Mapping[str, Verdict]
    checks: Mapping[str, PredictiveCheck]
    summary: pd.DataFrame
    invariants: pd.DataFrame
    coefficients: pd.DataFrame
    nodes: pd.DataFrame
    clusters: pd.DataFrame
    priors: PriorCheck
    groups: pd.Series[str] | None = None

    @property
    def reference(self) -> Fit:
        """The fit that single figures show, by the most exact method."""
        return self.fits[self.comparison.reference]

    @property
    def sampled(self) -> dict[str, Fit]:
        """The fits with draws."""
        return {name: fit for name, fit in self.fits.items() if fit.draws.shape[1] > 1}

    def predictive_table(self) -> pd.DataFrame:
        """Return the predictive checks of all fits: ``ppc.csv``.

        Returns
        -------
        DataFrame
            ``fit``, and the columns of :attr:`lsm_stan.criticism.ppc.PredictiveCheck.table`.
        """
        tables = {name: check.table for name, check in self.checks.items()}
        return pd.concat(tables, names=["fit"]).reset_index("fit").reset_index(drop=True)


@on_one_blas_thread
def make_report(
    fits: Mapping[str, Fit], say: Progress = print, *, colour_by: str | None = None
) -> Report:
    """Judge and compare fits of one network.

    Parameters
    ----------
    fits : Mapping of str to Fit
        One or more fits by name.
    say : callable, default print
        It is called with a sentence for everything that happens.
    colour_by : str or None, default None
        The column of the node table that says which nodes belong together; by default the first
        of :data:`lsm_stan.network.grouping.GROUPINGS`, such as ``class``, that it has.

    Returns
    -------
    Report

    Raises
    ------
    InputError
        If the fits are not of one network, or its table of nodes has no such column.
    """
    comparison = compare(fits)
    groups = grouping(fits[comparison.reference].network, colour_by)
    verdicts, checks = {}, {}
    for name, fit in fits.items():
        say(f"{name}: diagnostics and predictive checks")
        verdicts[name] = judge(fit)
        checks[name] = predictive_checks(fit, show_progress=True)
    say(f"{comparison.reference}: networks of the priors, and what the priors move")
    clusters = fits[comparison.reference].clusters
    return Report(
        fits,
        comparison,
        verdicts,
        checks,
        summary_table(fits),
        invariants_table(fits),
        coefficients_table(fits),
        node_table(fits[comparison.reference]),
        pd.DataFrame() if clusters is None else cluster_table(clusters),
        check_priors(
            fits[comparison.reference], invariants=verdicts[comparison.reference].invariants
        ),
        groups,
    )
