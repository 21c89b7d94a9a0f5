"""What can be trusted of a fit, what cannot, and what to do next: in plain words."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from lsm_stan.criticism.chains import ModeReport, mode_report
from lsm_stan.criticism.ppc import PredictiveCheck
from lsm_stan.inference.fit import Fit
from lsm_stan.inference.methods import METHODS
from lsm_stan.posterior import diagnostics
from lsm_stan.posterior import idata as container
from lsm_stan.posterior.checks import (
    MAX_PARETO_K,
    Finding,
    exploration_check,
    quantity_table,
)
from lsm_stan.text import capital

#: Invariants that the checks of a run leave out: sums over many pairs, and what needs the labels
#: of clusters to be matched.
OTHERS = ("radius", "strength", "out_strength", "in_strength", "theta", "sigma_cluster")

#: Share of statistics that may leave their 90 % intervals although the model holds.
CHANCE_FAILURES = 0.2


@dataclass(frozen=True, eq=False)
class Verdict:
    """A fit judged by quantities that rotations leave unchanged.

    Attributes
    ----------
    findings : list of Finding
        Sentences in the order they should be read.
    invariants : InferenceData or DataTree
        What :meth:`lsm_stan.inference.fit.Fit.invariants` returns.
    items : DataFrame
        Diagnostics of every invariant item; empty for a fit of one draw.
    quantities : DataFrame
        The same condensed, a row a quantity.
    modes : ModeReport or None
        Modes that the chains are in; None with fewer than two chains.
    """

    findings: list[Finding]
    invariants: container.InferenceData
    items: pd.DataFrame
    quantities: pd.DataFrame
    modes: ModeReport | None


def judge(fit: Fit) -> Verdict:
    """Judge a fit.

    Parameters
    ----------
    fit : Fit
        A fit by any method.

    Returns
    -------
    Verdict
    """
    invariants = fit.invariants()
    posterior = container.group(invariants, "posterior")
    many = posterior.sizes["draw"] > 1
    items = diagnostics.diagnostic_table(posterior) if many else pd.DataFrame()
    quantities = quantity_table(items) if many else pd.DataFrame()
    modes = mode_report(fit)
    findings = [*_of_the_run(fit), *_of_the_approximation(fit)]
    if modes is not None:
        findings += [*_of_the_modes(modes), _of_other_quantities(quantities)]
    findings += _of_the_scope(fit)
    return Verdict(findings, invariants, items, quantities, modes)


def judge_model(check: PredictiveCheck) -> Finding:
    """Say in one sentence which features of the network the model does not reproduce.

    Parameters
    ----------
    check : PredictiveCheck
        Predictive checks of one fit.

    Returns
    -------
    Finding
        ``bad`` where more statistics fail than chance lets: the plainest failures with figures.
    """
    table = check.table.dropna().set_index("statistic")
    failed = [item.name for item in check.checks if not item.passed]
    count = f"{len(failed)} of {len(check.checks)} statistics of the network"
    if len(failed) <= CHANCE_FAILURES * len(check.checks):
        text = f"The model reproduces the network: {count} lie outside 90 % of its predictions."
        return Finding("good", text)
    plain = [name for name in ("share_zero", "dispersion") if name in failed]
    parts = []
    for name in plain or failed[:2]:
        row = table.loc[name]
        fewer = row["observed"] > row["predicted_median"]
        percent = name.startswith("share")
        seen, predicted = (
            f"{value:.1%}" if percent else f"{value:,.3g}"
            for value in (row["observed"], row["predicted_median"])
        )
        what = {"share_zero": "few zeros" if fewer else "many zeros"}.get(
            name, f"{'little' if fewer else 'much'} {name.replace('_', ' ')}"
        )
        parts.append(f"too {what} ({predicted}, observed {seen})")
    consequence = (
        "What depends on the fitted rates, such as the probability of a new edge, is off by as"
        " much."
        if "share_zero" in failed
        else "The share of zeros is as predicted, which speaks for probabilities of edges;"
        " expected weights, and what depends on them, are off by as much."
    )
    return Finding(
        "bad",
        f"The model does not describe this network well: it predicts {' and '.join(parts)};"
        f" {count} lie outside 90 % of its predictions. {consequence}",
    )


def _of_the_run(fit: Fit) -> list[Finding]:
    """Say which of the method's checks failed, or that none did."""
    failed = [Finding("bad", capital(message)) for message in fit.warnings]
    if failed:
        return failed
    passed = "; ".join(check.message for check in fit.record.checks)
    return [Finding("good", capital(f"{METHODS[fit.method].title} passed its checks: {passed}"))]


def _of_the_approximation(fit: Fit) -> list[Finding]:
    details = fit.record.details
    if "khat" not in details:
        return []
    khat = details["khat"]
    if khat is None:
        text = "PSIS k-hat could not be computed: nothing is known of the approximation's error."
        return [Finding("caution", text)]
    if khat <= MAX_PARETO_K:
        return [Finding("good", f"The approximation is near the posterior: PSIS k-hat {khat:.2f}.")]
    return [
        Finding(
            "bad",
            f"The approximation is far from the posterior (PSIS k-hat {khat:.1f}, above"
            f" {MAX_PARETO_K}): its means are a rough picture; its spreads and intervals are not"
            " to be trusted. Use NUTS for those.",
        )
    ]


def _of_the_modes(modes: ModeReport) -> list[Finding]:
    chains, farthest = modes.chains, modes.chains["farthest"].max()
    if not modes.apart:
        text = (
            f"All chains explore the same mode: their mean positions differ by {farthest:.2f} at"
            f" most, the two halves of one chain by {chains['halves'].max():.2f} (root mean square"
            " a node)."
        )
        return [Finding("good", text)]
    weights = ", ".join(f"{weight:.2f}" for weight in chains["weight"])
    best, worst = chains["log_joint"].max(), chains["log_joint"].min()
    return [
        Finding(
            "bad",
            f"The chains sit in different modes: their mean positions differ by up to"
            f" {farthest:.2f}, the two halves of one chain by {chains['halves'].max():.2f} at most,"
            f" and their mean log joints by {best - worst:,.1f} nats. Draws pooled over chains"
            ' describe no posterior. Start all chains from the best mode (init="map"), or report'
            f" each mode by itself; as a mixture for prediction, stacking weighs the chains"
            f" {weights}.",
        )
    ]


def _of_other_quantities(quantities: pd.DataFrame) -> Finding:
    """Say whether the invariants besides those of the run's checks have been explored enough."""
    check = exploration_check(quantities[quantities["quantity"].isin(OTHERS)])
    return Finding("good" if check.passed else "bad", capital(check.message))


def _of_the_scope(fit: Fit) -> list[Finding]:
    """Say what even a good fit by this method does not tell."""
    details = fit.record.details
    if fit.draws.shape[:2] == (1, 1):
        n_modes = details.get("distinct_modes", 1)
        many = (
            f"{n_modes} different modes were found, of which this is the best. "
            if n_modes > 1
            else ""
        )
        return [Finding("caution", f"{many}A mode is one point: it tells nothing of uncertainty.")]
    if fit.record.arguments.get("init") == "random":
        return []
    return [
        Finding(
            "caution",
            f"{METHODS[fit.method].title} explores the surroundings of the mode it starts in, not"
            " the whole posterior:"
            " other modes are not weighed against this one.",
        )
    ]
