"""The sections of a report's page that say what can be trusted: model, priors, each fit."""

from __future__ import annotations

from lsm_stan.criticism.prior_check import PRIORS
from lsm_stan.posterior.checks import Finding
from lsm_stan.posterior.power_scaling import MOVED
from lsm_stan.report.diagnostic_plots import (
    plot_convergence,
    plot_energy,
    plot_ess,
    plot_predictive,
    plot_trace,
    plot_weights,
)
from lsm_stan.report.page import PageFigure, PageTable, Section
from lsm_stan.report.report import Report
from lsm_stan.report.shown import shown_checks
from lsm_stan.text import capital


def model_section(report: Report) -> Section:
    """Show what the model gets wrong.

    Parameters
    ----------
    report : Report
        What :func:`lsm_stan.report.report.make_report` returns.

    Returns
    -------
    Section
    """
    name = report.comparison.reference
    check = report.checks[name]
    findings = [Finding("good" if c.passed else "bad", capital(c.message)) for c in check.checks]
    table = report.predictive_table()
    return Section(
        "Does the model describe the network?",
        "Networks drawn from the fitted model, beside the observed one. A statistic of the network"
        " that the model's networks do not reach names a feature the model lacks.",
        [
            PageFigure(
                "predictive",
                "Statistics of the observed network (black) and of networks drawn from the fits."
                " A model that fits has the line inside the histogram; an arrow points to an"
                " observed value that is too far off to show.",
                plot_predictive(report.checks),
            ),
            PageFigure(
                "weights",
                f"Left: share of cells by weight, under {name}. Right: strengths in descending"
                " order, with 90 % predictive intervals. Black is the network.",
                plot_weights(check),
            ),
            findings,
            PageTable(
                "ppc",
                "Observed statistics, their 90 % predictive intervals (predicted_low to"
                " predicted_high), and the probability that a predicted network has more"
                " (p_value).",
                table,
                shown_checks(check),
            ),
        ],
    )


def priors_section(report: Report) -> Section:
    """Show what the priors expect, and what they move.

    Parameters
    ----------
    report : Report
        What :func:`lsm_stan.report.report.make_report` returns.

    Returns
    -------
    Section
    """
    name, priors = report.comparison.reference, report.priors
    items: list[PageTable | list[Finding]] = [
        priors.findings,
        PageTable(
            "prior-predictive",
            "Statistics of the observed network beside those of networks drawn from the priors"
            " alone: the median, and the ends of 90 % (prior_low to prior_high).",
            priors.predicted,
        ),
    ]
    if not priors.quantities.empty:
        shown = priors.quantities.assign(strongest=priors.quantities["strongest"].map(PRIORS))
        items.append(
            PageTable(
                "power-scaling",
                f"Power-scaling sensitivity of what {name} found, to all priors together and to the"
                f" likelihood: medians over items, and how many have {MOVED} or more"
                " (moved_by_prior, moved_by_likelihood; prior_alone: by the prior and not by the"
                " likelihood). strongest: the prior that moves most. The CSV has every item.",
                priors.items,
                shown,
            )
        )
    return Section(
        "What do the priors say?",
        "Before the data, the priors alone predict networks; the observed one should be among"
        " them, or the priors are too narrow. After the data, a quantity that moves when the prior"
        " is made a little stronger or weaker (power-scaling; Kallioinen et al. 2024) owes part of"
        " its value to the prior.",
        items,
    )


def trust_section(report: Report, name: str, stem: str) -> Section:
    """Say whether a fit can be trusted.

    Parameters
    ----------
    report : Report
        What :func:`lsm_stan.report.report.make_report` returns.
    name : str
        The fit's name.
    stem : str
        Beginning of the names of its files.

    Returns
    -------
    Section
    """
    fit, verdict = report.fits[name], report.verdicts[name]
    items: list[PageTable | PageFigure | list[Finding]] = [verdict.findings]
    if not verdict.quantities.empty:
        items.append(
            PageTable(
                f"{stem}-diagnostics",
                "Diagnostics of invariant quantities: rank-normalised R-hat, bulk and tail ESS"
                " (the worst, and the worst but 5 %), and the largest Monte-Carlo error of a mean"
                " in standard deviations. Raw coordinates are not listed: rotations change them"
                " and not the posterior.",
                verdict.items,
                verdict.quantities,
            )
        )
    if verdict.modes is not None:
        items += [
            PageTable(
                f"{stem}-chains",
                "Where the chains are. halves: distance between the mean positions of a chain's"
                " two halves; nearest, farthest: to other chains' mean positions. Chains whose"
                " distances to others exceed their halves' sit in different modes; only then they"
                " get a stacking weight.",
                verdict.modes.chains,
                verdict.modes.chains.dropna(axis=1, how="all"),
            ),
            PageFigure(
                f"{stem}-convergence",
                "Every invariant item: low and to the right is good; the dashed lines are the"
                " limits that scalars must keep, and 95 % of the distances.",
                plot_convergence(verdict.items),
            ),
        ]
    if fit.draws.shape[1] > 1:
        items.append(
            PageFigure(
                f"{stem}-trace",
                "Left: each chain's distribution, which should coincide. Right: with several"
                " chains the ranks of their draws, bars of one height where the chains agree; with"
                " one chain its trace.",
                plot_trace(fit),
            )
        )
    if verdict.modes is not None:
        items += [
            PageFigure(
                f"{stem}-ess",
                "Effective sample size of the log joint and of single distances as draws come in:"
                " it should grow steadily; a bend means that a slow change of place set in.",
                plot_ess(fit),
            ),
            PageFigure(
                f"{stem}-energy",
                "Energies of the draws, and their changes from draw to draw: the second should be"
                " as wide as the first (BFMI above 0.3).",
                plot_energy(fit),
            ),
        ]
    return Section(f"Can it be trusted? {name}", "", items)
