"""The sections of a report's page that say what can be trusted: model, priors, each fit."""

from __future__ import annotations

from collections.abc import Sequence

from lsm_stan.criticism.prior_check import PRIORS
from lsm_stan.criticism.verdict import judge_model
from lsm_stan.inference.methods import METHODS
from lsm_stan.inference.vi import TOLERANCE
from lsm_stan.posterior.checks import Finding
from lsm_stan.posterior.power_scaling import MOVED
from lsm_stan.report.diagnostic_plots import (
    plot_convergence,
    plot_elbo,
    plot_energy,
    plot_ess,
    plot_predictive,
    plot_trace,
    plot_weights,
)
from lsm_stan.report.page import PageFigure, PageTable, Section
from lsm_stan.report.plots import Figure
from lsm_stan.report.report import Report
from lsm_stan.report.shown import shown_checks, shown_priors


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
    name, fit = report.comparison.reference, report.reference
    check, many = report.checks[name], fit.draws.shape[1] > 1
    return Section(
        "Does the model describe the network?",
        "The other sections ask whether the computation can be trusted, this one whether the model"
        " can. We draw networks from it, each with "
        + ("positions from one draw of the posterior" if many else "the positions of the mode")
        + f", and look whether the real network would pass for one of them. {check.note}".rstrip(),
        [
            [judge_model(check)],
            PageTable(
                "ppc",
                f"What {name} predicts of the network, the statistics that fail first: the median"
                " of its networks, and in brackets the 90 % interval. p: the probability that a"
                " predicted network has more. The last column says what in the model is at fault;"
                " one statistic in ten may fail though the model holds.",
                report.predictive_table(),
                shown_checks(check, fit.spec),
            ),
            PageFigure(
                "predictive",
                "Each panel is a statistic. The line is the observed network, the histograms are"
                " networks that the fitted model would produce. A model that fits has the line"
                " inside the histogram; an arrow points to an observed value that is too far off to"
                " show."
                + (
                    " Where it makes little difference which fit the positions came from, it is a"
                    " matter of the model, and no better inference will mend it."
                    if len(report.fits) > 1
                    else ""
                ),
                plot_predictive(report.checks),
            ),
            PageFigure(
                "weights",
                f"First, the shares of pairs by weight, as {name} predicts them and as they are"
                " (dashes): look at the zeros, and at the heavy end. Then the strengths of all"
                " nodes in descending order, with 90 % predictive bands: look for nodes that"
                " leave the band.",
                plot_weights(check),
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
    few = priors.nodes < report.reference.network.n_nodes
    which = f" of {priors.nodes:,} random nodes and the dyads among them" if few else ""
    items: list[PageTable | list[Finding]] = [
        priors.findings,
        PageTable(
            "prior-predictive",
            f"Statistics of the observed network{which} beside those of networks drawn from the"
            " priors alone: the median, and in brackets 90 %.",
            priors.predicted,
            shown_priors(priors),
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
                "Every quantity that was looked at, a dot each: low and to the right is good; the"
                " dashed lines are the"
                " limits that scalars must keep, and 95 % of the distances.",
                plot_convergence(verdict.items),
            ),
        ]
    if elbo := fit.record.details.get("elbo_trace"):
        items.append(
            PageFigure(
                f"{stem}-elbo",
                *_shown_elbo(fit.method, elbo),
            )
        )
    if METHODS[fit.method].chains:
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


def _shown_elbo(method: str, trace: Sequence[tuple[int, float]]) -> tuple[str, Figure]:
    """Return what a trace of the ELBO should look like, and its figure."""
    if method == "vi":
        text = (
            "The ELBO after each round: the climb ends where another would gain less than"
            f" {TOLERANCE:g} nats. From a random start the entropy counts more at first."
        )
        return text, plot_elbo(trace, "evaluations of the gradient")
    text = (
        "The ELBO as ADVI's iterations go on: it should have levelled off well before the end."
        " Stan stops where it changes by less than tol_rel_obj of itself."
    )
    return text, plot_elbo(trace)
