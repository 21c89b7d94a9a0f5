"""What can be trusted of a fit, what cannot, and what to do next: in plain words."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from lsm_stan.criticism.chains import ModeReport, mode_report
from lsm_stan.criticism.ppc import PredictiveCheck
from lsm_stan.inference.fit import Fit
from lsm_stan.inference.fits import ensure_fits
from lsm_stan.inference.methods import METHODS
from lsm_stan.inference.mode_weights import MODES
from lsm_stan.inference.record import FitRecord
from lsm_stan.posterior import diagnostics
from lsm_stan.posterior import idata as container
from lsm_stan.posterior.checks import (
    MAX_PARETO_K,
    MAX_RHAT,
    MAX_SATURATED,
    MIN_BFMI,
    MIN_ESS,
    Check,
    Finding,
    exploration_check,
    quantity_table,
)
from lsm_stan.text import capital, counted

#: Invariants that the checks of a run leave out: sums over many pairs, and what needs the labels
#: of clusters to be matched.
OTHERS = ("radius", "strength", "out_strength", "in_strength", "theta", "sigma_cluster")

#: Share of statistics that may leave their 90 % intervals although the model holds.
CHANCE_FAILURES = 0.2

#: Modes whose losses differ by less than this many nats are as good as each other.
ALIKE = 10.0

#: Least gain of hops, in nats, that makes their end another mode than they began at.
HOP_GAIN = 0.01

#: Share of draws that may diverge without much harm: what one in a thousand is measured by.
FEW_DIVERGENCES = 0.001

#: How many times over its limit a check of a run is, from the numbers of the fit's record.
_EXCESS: dict[str, Callable[[dict[str, Any]], float]] = {
    "divergences": lambda d: d["divergences"] / (d["chains"] * d["draws"]) / FEW_DIVERGENCES,
    "tree_depth": lambda d: d["saturated"] / MAX_SATURATED / 10,  # slow, and not wrong
    "energy": lambda d: MIN_BFMI / d["bfmi"],
    "rhat": lambda d: (d["rhat_p95"] - 1) / (MAX_RHAT - 1),
    "ess": lambda d: MIN_ESS / d["ess_p05"],
    "ess_tail": lambda d: MIN_ESS / d["ess_tail_p05"],
    "exploration": lambda d: max(
        (d["rhat_others"] - 1) / (MAX_RHAT - 1), MIN_ESS / d["ess_others"]
    ),
}


@dataclass(frozen=True, eq=False)
class Verdict:
    """A fit judged by quantities that rotations leave unchanged.

    Attributes
    ----------
    findings : list of Finding
        Sentences in the order they should be read: problems first, the worst of them before the
        others, then cautions, then what is good.
    invariants : InferenceData or DataTree
        What :meth:`lsm_stan.inference.fit.Fit.invariants` returns.
    items : DataFrame
        Diagnostics of every invariant item of chains; empty for other fits.
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

    Raises
    ------
    InputError
        If `fit` is none.
    """
    ensure_fits(fit)
    invariants = fit.invariants()
    posterior = container.group(invariants, "posterior")
    items = quantities = pd.DataFrame()
    if METHODS[fit.method].chains:
        items = diagnostics.diagnostic_table(posterior)
        quantities = quantity_table(items)
    modes = mode_report(fit)
    found = [*_of_the_modes(fit, modes), *_of_the_approximation(fit), *_of_the_run(fit, modes)]
    if modes is not None:
        found += _of_other_quantities(fit, quantities, modes)
    found += cautions(fit)
    order = ("bad", "caution", "good")
    findings = sorted(found, key=lambda finding: order.index(finding.kind))
    return Verdict(findings, invariants, items, quantities, modes)


def in_one_sentence(fit: Fit, verdict: Verdict) -> Finding:
    """Say in short whether a fit is to be trusted: its worst problem, or what it is good for.

    Parameters
    ----------
    fit : Fit
        A fit by any method.
    verdict : Verdict
        What :func:`judge` said of it.

    Returns
    -------
    Finding
    """
    bad = [finding for finding in verdict.findings if finding.kind == "bad"]
    if bad:
        worst, more = bad[0], counted(len(bad) - 1, "further problem")
        text = f"{worst.text} ({capital(more)})" if len(bad) > 1 else worst.text
        return replace(worst, text=text)
    title, details = METHODS[fit.method].title, fit.record.details
    first = next((finding for finding in verdict.findings if finding.kind == "caution"), None)
    if fit.draws.shape[:2] == (1, 1):
        return first or Finding("caution", ONE_POINT, "mode-is-a-point")
    if details.get("rhat_p95") is None:
        good = [finding for finding in verdict.findings if finding.kind == "good"]
        return (good or verdict.findings)[0]
    text = (
        f"{title} passed every check: R-hat of distances is {details['rhat_p95']:.3f}, their"
        f" effective sample size {details['ess_p05']:,.0f} or more, and "
        + ("no transition diverged" if not details["divergences"] else "few transitions diverged")
    )
    if first is not None and _set_out_from_a_mode(fit):
        text += "; this holds of the surroundings of the mode that the chains started in"
    return Finding("good", f"{text}.", "passed")


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
    verb = "lies" if len(failed) == 1 else "lie"
    count = f"{len(failed)} of {len(check.checks)} statistics of the network {verb}"
    if len(failed) <= CHANCE_FAILURES * len(check.checks):
        text = f"The model reproduces the network: {count} outside 90 % of its predictions."
        return Finding("good", text, "model-fits")
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
        f" {count} outside 90 % of its predictions. {consequence}",
        "model-misses",
    )


#: What even the best mode leaves open.
ONE_POINT = "A mode is one point: it tells nothing of uncertainty."


def cautions(fit: Fit) -> list[Finding]:
    """Say what even a good fit by this method does not tell.

    Parameters
    ----------
    fit : Fit
        A fit by any method.

    Returns
    -------
    list of Finding
        A mode has others beside it: how many were found, and how near they come. Draws that began
        at a mode are about that one, unless modes have been weighed: what came of it.
    """
    if fit.draws.shape[:2] == (1, 1):
        others = _other_modes(fit.record.details)
        return [Finding("caution", f"{others}{ONE_POINT}", "mode-is-a-point")]
    if weighed := fit.record.details.get(MODES):
        text = f"{weighed['summary']}. Modes that no draw has come near are not among them."
        return [Finding("caution", text, "modes-weighed")]
    if not _set_out_from_a_mode(fit):
        return []
    title = METHODS[fit.method].title
    return [
        Finding(
            "caution",
            f"{title} explores the surroundings of the mode it starts in, not the whole posterior:"
            " other modes are not weighed against this one.",
            "one-mode-explored",
        )
    ]


def _set_out_from_a_mode(fit: Fit) -> bool:
    start = fit.record.arguments.get("init")
    return not (isinstance(start, str) and start == "random")


def _other_modes(details: dict[str, Any]) -> str:
    """Say how many modes the starts found, and how many are as good as the best of them."""
    n_modes = details.get("distinct_modes", 1)
    if n_modes < 2:
        return ""
    losses: dict[int, float] = {}
    for start in details.get("starts", []):
        losses.setdefault(start["mode"], start["loss"])
    gain = details.get("hop_gain", 0.0)
    hopped = gain > HOP_GAIN
    text = f"{n_modes} different modes were found, of which this is the best. "
    if hopped:
        text = (
            f"The starts ended in {n_modes} different modes; moving nodes from the best of them to"
            f" better places gained another {gain:,.1f} nats. "
        )
    behind = sorted(loss - min(losses.values()) for loss in losses.values())
    near = [gap + gain for gap in behind[not hopped :] if gap + gain < ALIKE]
    if not near:
        return text
    verb = "comes" if len(near) == 1 else "come"
    return (
        f"{text}{len(near)} of the others {verb} within {near[-1]:,.1f} nats of it: another seed"
        " may end in another arrangement. "
    )


def _of_the_run(fit: Fit, modes: ModeReport | None) -> list[Finding]:
    """Say which of the method's checks failed, the worst first, or that none did."""
    failed = worst_first(fit.record)
    if not failed:
        passed = "; ".join(check.message for check in fit.record.checks)
        text = capital(f"{METHODS[fit.method].title} passed its checks: {passed}")
        return [Finding("good", text, "passed")]
    apart = modes is not None and modes.apart
    return [Finding("bad", capital(_told(check, apart)), check.name) for check in failed]


def worst_first(record: FitRecord) -> list[Check]:
    """Return the checks that failed, the worst first.

    Parameters
    ----------
    record : FitRecord
        The record of a fit.

    Returns
    -------
    list of Check
        Sorted by how many times over its limit each is.
    """
    failed = [check for check in record.checks if not check.passed]
    return sorted(failed, key=lambda check: -_excess(check, record.details))


def _excess(check: Check, details: dict[str, Any]) -> float:
    """Return how many times over its limit a failed check is; what has no measure is the worst."""
    try:
        return _EXCESS[check.name](details)
    except (KeyError, TypeError, ZeroDivisionError):
        return math.inf


def _told(check: Check, apart: bool) -> str:
    """Return a check's sentence; chains in different modes need other advice than a longer run."""
    mixing = check.name in ("rhat", "ess", "ess_tail", "exploration")
    return check.message if apart and mixing else check.sentence


def _of_the_approximation(fit: Fit) -> list[Finding]:
    details = fit.record.details
    if "khat" not in details:
        return []
    khat = details["khat"]
    if khat is None:
        text = "PSIS k-hat could not be computed: nothing is known of the approximation's error."
        return [Finding("caution", text, "approximation-unknown")]
    if khat <= MAX_PARETO_K:
        text = f"The approximation is near the posterior: PSIS k-hat {khat:.2f}."
        return [Finding("good", text, "approximation-near")]
    return [
        Finding(
            "bad",
            f"The approximation is far from the posterior (PSIS k-hat {khat:.1f}, above"
            f" {MAX_PARETO_K}): its means are a rough picture; its spreads and intervals are not"
            " to be trusted. Use NUTS for those.",
            "approximation-far",
        )
    ]


def _of_the_modes(fit: Fit, modes: ModeReport | None) -> list[Finding]:
    if modes is None:
        return []
    chains, farthest = modes.chains, modes.chains["farthest"].max()
    if not modes.apart:
        text = (
            f"All chains explore the same mode: their mean positions differ by {farthest:.2f} at"
            f" most, the two halves of one chain by {chains['halves'].max():.2f} (root mean square"
            " a node)."
        )
        return [Finding("good", text, "modes-same")]
    weights = ", ".join(f"{weight:.2f}" for weight in chains["weight"])
    best, worst = chains["log_joint"].max(), chains["log_joint"].min()
    advice = (
        "They left the mode that they started in: report each mode by itself"
        if _set_out_from_a_mode(fit)
        else 'Start all chains from the best mode (init="map"), or report each mode by itself'
    )
    if MODES not in fit.record.details:
        advice += ", or weigh the modes by the mass around each (lsm-stan weigh)"
    return [
        Finding(
            "bad",
            f"The chains sit in different modes: their mean positions differ by up to"
            f" {farthest:.2f}, the two halves of one chain by {chains['halves'].max():.2f} at most,"
            f" and their mean log joints by {best - worst:,.1f} nats. Draws pooled over chains"
            f" describe no posterior. {advice}; as a mixture for prediction, stacking weighs the"
            f" chains {weights}.",
            "modes-apart",
        )
    ]


def _of_other_quantities(fit: Fit, quantities: pd.DataFrame, modes: ModeReport) -> list[Finding]:
    """Say whether the invariants besides those of the run's checks have been explored enough."""
    others = quantities[quantities["quantity"].isin(OTHERS)]
    check = exploration_check(others, fit.record.arguments)
    text = capital(_told(check, modes.apart))
    return [Finding("good" if check.passed else "bad", text, check.name)]
