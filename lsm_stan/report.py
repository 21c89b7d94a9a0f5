"""From fits to a page: what they say, whether it can be trusted, what the model gets wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lsm_stan import idata as container
from lsm_stan.alignment import (
    MIN_RADIUS,
    gram_positions,
    mean_gram,
    principal_axes,
    reference_sensitivity,
    spread,
    strays,
)
from lsm_stan.clusters import cluster_table
from lsm_stan.comparison import Comparison, compare
from lsm_stan.description import describe
from lsm_stan.diagnostic_plots import (
    plot_coefficients,
    plot_convergence,
    plot_distances,
    plot_energy,
    plot_ess,
    plot_forest,
    plot_predictive,
    plot_trace,
    plot_weights,
)
from lsm_stan.diagnostics import Finding
from lsm_stan.files import ensure_ours
from lsm_stan.fit import RECORD, Fit
from lsm_stan.interactive import embedding_figure
from lsm_stan.invariants import radii
from lsm_stan.methods import METHODS
from lsm_stan.page import INDEX, Page, PageFigure, PageTable, Section, file_stems, write_page
from lsm_stan.plots import (
    ELLIPSE,
    MATRIX_NODES,
    plot_clusters,
    plot_embedding,
    plot_embeddings,
    plot_rate_matrix,
    plot_uncertainty,
)
from lsm_stan.power_scaling import MOVED
from lsm_stan.ppc import PredictiveCheck, predictive_checks
from lsm_stan.prior_check import PRIORS, PriorCheck, check_priors
from lsm_stan.scores import flat_draws
from lsm_stan.summary import (
    coefficients_beside,
    coefficients_table,
    invariants_table,
    side_by_side,
    summary_table,
)
from lsm_stan.verdict import Verdict, judge, judge_model

Say = Callable[[str], None]

#: Of the table of nodes: the columns that are computed, those of them that a page does not show,
#: those that it does, and how many of the strongest nodes.
COMPUTED_COLUMNS = (
    "out_strength", "in_strength", "spread", "shift", "flagged", "cluster", "cluster_probability",
)  # fmt: skip
UNSHOWN_COLUMNS = ("radius", "strays")
SHOWN_COLUMNS = ("name", "class", *COMPUTED_COLUMNS)
SHOWN_NODES = 15

#: Numbers below this are shown as 0: what rounding leaves of one.
NEGLIGIBLE = 1e-9

#: What coefficients are.
COEFFICIENTS = (
    "What one unit of a covariate adds to the log mean weight of a dyad (for a binary network to"
    " its log odds), given the nodes' positions and effects."
)

#: Largest network whose N×N Gram matrix is computed to flag nodes.
MAX_GRAM_NODES = 2000


@dataclass(frozen=True, eq=False)
class Report:
    """Everything the page shows, computed once.

    Attributes
    ----------
    fits
        By name, of one network.
    comparison
        Of the fits; its ``reference`` is the fit that single figures show.
    verdicts, checks
        By the fits' names.
    summary, invariants, coefficients
        Tables of all fits (:mod:`lsm_stan.summary`).
    nodes
        A row a node of the reference fit: its name, strengths, place on the map (``axis1``, ...);
        and, but for a mode, its posterior mean radius, whether it strays, its spread, and whether
        its mean place depends on what draws were aligned to. A column of the network's own table
        that is called as one of these has ``(node table)`` added.
    clusters
        A row a cluster of the reference fit (:func:`lsm_stan.clusters.cluster_table`); empty where
        the model has none.
    priors
        What those of the reference fit say.
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

    @property
    def reference(self) -> Fit:
        """The fit that single figures show, by the most exact method."""
        return self.fits[self.comparison.reference]

    @property
    def sampled(self) -> dict[str, Fit]:
        """The fits with draws."""
        return {name: fit for name, fit in self.fits.items() if fit.draws.shape[1] > 1}

    def predictive_table(self) -> pd.DataFrame:
        """Return the predictive checks of all fits: ``ppc.csv``."""
        tables = {name: check.table for name, check in self.checks.items()}
        return pd.concat(tables, names=["fit"]).reset_index("fit").reset_index(drop=True)


def make_report(fits: Mapping[str, Fit], say: Say = print) -> Report:
    """Judge and compare fits of one network.

    Parameters
    ----------
    fits
        One or more, by name.
    say
        Told what happens, a sentence at a time.

    Returns
    -------
    Report

    Raises
    ------
    InputError
        If the fits are not of one network.
    """
    comparison = compare(fits)
    verdicts, checks = {}, {}
    for name, fit in fits.items():
        say(f"{name}: diagnostics and predictive checks")
        verdicts[name] = judge(fit)
        checks[name] = predictive_checks(fit, show_progress=True)
    say(f"{comparison.reference}: networks of the priors, and what the priors move")
    found = fits[comparison.reference].clusters
    return Report(
        fits,
        comparison,
        verdicts,
        checks,
        summary_table(fits),
        invariants_table(fits),
        coefficients_table(fits),
        _node_table(fits[comparison.reference]),
        pd.DataFrame() if found is None else cluster_table(found),
        check_priors(fits[comparison.reference]),
    )


def write_report(report: Report, folder: Path) -> Path:
    """Write a report as a page, with its figures as PNG and its tables as CSV beside it.

    Parameters
    ----------
    report
        What :func:`make_report` returns.
    folder
        Where; of an earlier page, other files stay.

    Returns
    -------
    pathlib.Path
        ``index.html``, which needs nothing besides itself.

    Raises
    ------
    InputError
        If ``folder`` is neither new, nor empty, nor one of an earlier page.
    """
    ensure_page(folder)
    return write_page(report_page(report), folder)


def is_page(folder: Path) -> bool:
    """Return whether a folder has a page, and is not a fit."""
    return (folder / INDEX).exists() and not (folder / RECORD).exists()


def ensure_page(folder: Path) -> None:
    """Raise InputError if a folder holds anything else than an earlier page."""
    ensure_ours(folder, "a page", is_page(folder))


def report_page(report: Report) -> Page:
    """Lay a report out as a page."""
    fit = report.reference
    network, facts = fit.network, describe(fit.network)
    return Page(
        title=network.title or "Latent space model",
        subtitle=f"A latent space model in {fit.record['dim']} dimensions, fitted by"
        f" {_listed([METHODS[fit.method].title for fit in report.fits.values()])}",
        facts={
            **facts.in_short,
            "model": fit.spec.label,
            "dimensions": str(fit.record["dim"]),
        },
        findings=headline(report),
        sections=[
            *([] if report.coefficients.empty else [_coefficients_section(report)]),
            _comparison_section(report),
            _embedding_section(report),
            *([] if report.clusters.empty else [_clusters_section(report)]),
            _model_section(report),
            _priors_section(report),
            *(_trust_section(report, *of_fit) for of_fit in file_stems(report.fits).items()),
            _quantities_section(report),
            _provenance_section(report),
        ],
        footer=f"lsm-stan {fit.record['versions']['lsm-stan']}. Everything on this page but the"
        " pictures of positions is the same for every rotation and reflection of the draws.",
    )


def headline(report: Report) -> list[Finding]:
    """Return the findings to read first, of every fit and then of the model.

    Of a fit that has problems the first of them; of another the first finding, and every caution.
    """
    first = []
    for name, verdict in report.verdicts.items():
        bad = [finding for finding in verdict.findings if finding.kind == "bad"]
        cautions = [finding for finding in verdict.findings if finding.kind == "caution"]
        shown = bad[:1] or [verdict.findings[0], *cautions]
        first += [Finding(finding.kind, f"{name}: {finding.text}") for finding in shown]
    return [*first, judge_model(report.checks[report.comparison.reference])]


def _coefficients_section(report: Report) -> Section:
    return Section(
        "Covariates",
        COEFFICIENTS,
        [
            PageTable(
                "coefficients",
                "Mean over draws, and in brackets the 90 % interval; of a mode the value, which"
                " has none.",
                report.coefficients,
                coefficients_beside(report.coefficients).reset_index(),
            ),
            PageFigure(
                "coefficients",
                "The same: an interval that holds 0 leaves open whether a covariate adds or takes.",
                plot_coefficients(report.coefficients),
            ),
        ],
    )


def _comparison_section(report: Report) -> Section:
    comparison = report.comparison
    name = comparison.reference
    intro = (
        f"Every fit is measured against {name}, the one by the most exact method here. A mean of"
        " positions need not be a likely point itself: a node that moves among several places is"
        " put between them, which the log joint at the mean shows; the log joint over draws does"
        " not suffer from it."
    )
    items: list[PageTable | PageFigure] = [
        PageTable(
            "comparison",
            f"Methods compared with {name}. seconds: wall-clock time, start included. elbo: the"
            " bound ADVI reached, in nats. khat: PSIS k-hat of the approximation, trustworthy"
            " below 0.7. procrustes_rmse: distance of a"
            " node to its place in the reference after alignment. distance_rmse: error of mean"
            " distances. sd_ratio: a node's posterior spread over the reference's (1 is right,"
            " less is overconfident). coverage90: probability, under the reference, of the fit's"
            " 90 % intervals of distances. log_joint_draws: mean and standard deviation over draws"
            " of the log joint, in nats; of a mode its own. The CSV has that of the one position"
            f" set, log_joint, too. {comparison.note}".rstrip(),
            comparison.table,
            shown_comparison(comparison),
        )
    ]
    if len(report.fits) > 1:
        items += [
            PageFigure(
                "distances",
                "Left: mean distances of the same random pairs; on the line the methods agree."
                " Right: how far each node strays from its mean place; below the line a method is"
                " more certain than the reference.",
                plot_distances(comparison),
            ),
            PageFigure(
                "embeddings",
                f"The position sets, aligned to that of {name}. Look for groups that sit"
                " elsewhere; a method's cloud that is too tight or too wide shows too.",
                plot_embeddings(report.fits, name),
            ),
        ]
    return Section("Methods compared", intro, items)


def shown_comparison(comparison: Comparison) -> pd.DataFrame:
    """Return the table of a comparison as text, the fits' names first."""
    table = comparison.table
    shown = as_text(table.drop(columns=["fit", "method", "log_joint", "log_joint_draws_sd"]))
    shown.insert(0, "fit", table["fit"])
    sd = as_text(table[["log_joint_draws_sd"]])["log_joint_draws_sd"]
    shown["log_joint_draws"] += [f" ± {one}" if one else "" for one in sd]
    return shown


def shown_fits(report: Report) -> pd.DataFrame:
    """Return the summary as text, with the log joint of draws in place of that of their mean.

    A mean of positions need not be a likely point itself, and has no loss.
    """
    means = report.summary["fit"].isin(report.sampled)
    drawn = shown_comparison(report.comparison)["log_joint_draws"]
    return as_text(report.summary.assign(log_joint=drawn, loss=report.summary["loss"].mask(means)))


def _embedding_section(report: Report) -> Section:
    fit, name = report.reference, report.comparison.reference
    many = fit.draws.shape[1] > 1
    hollow = strays(fit.draws, fit.positions)
    means = (
        "Means over draws, turned onto each other: distances on this map are too short for nodes"
        " that stray. A weak node whose place is unknown is drawn near the centre although its"
        f" draws have it at the rim. Hollow: the {hollow.sum()} of {len(hollow)} nodes drawn at"
        f" less than {MIN_RADIUS:.0%} of their posterior mean distance from the centre. Quote"
        " posterior distances, not this map."
    )
    items: list[PageTable | PageFigure] = [
        PageFigure(
            "embedding",
            f"Positions by {name}, on their principal axes. The larger a node, the stronger; grey"
            " lines: the heaviest edges. The axes are a way of looking, not a result."
            + (f" {means}" if many else " Only distances mean something."),
            plot_embedding(fit),
            embedding_figure(
                fit.positions,
                fit.network,
                spread=spread(fit.draws, fit.positions) if many else None,
                hollow=hollow,
            ),
        )
    ]
    if many:
        items.append(
            PageFigure(
                "uncertainty",
                f"Where every node may be: ellipses hold {ELLIPSE:.0%} of its draws, aligned to"
                " the mean. The strongest nodes are named. Large ellipses belong to nodes the"
                " network says little about: they wander along the rim, not about the centre.",
                plot_uncertainty(fit),
            )
        )
    shown = [name for name in SHOWN_COLUMNS if name in report.nodes]
    ends = "" if fit.network.n_nodes <= MATRIX_NODES else f" (the {MATRIX_NODES:,} strongest)"
    items += [
        PageFigure(
            "rates",
            f"The data beside the fitted rates, nodes{ends} in the order of a clustering of their"
            " positions. A model that fits has its dark blocks where the data has them, and white"
            " where the data is white.",
            plot_rate_matrix(fit),
        ),
        PageTable(
            "nodes",
            "The nodes by strength. spread: how far a node strays from its mean place. shift: how"
            " far its mean place moves when draws are aligned to another reference (the best"
            " draw, or classical scaling of the mean Gram matrix, which needs none); flagged where"
            " that is more than half its spread. The CSV has the places on the map (axis1, ...;"
            " not for distances), and of draws each node's mean distance from the centre (radius)"
            " and whether it strays."
            + (
                ""
                if report.clusters.empty
                else " cluster: that of the point partition, and its probability."
            ),
            report.nodes,
            as_text(report.nodes.reindex(columns=shown).head(SHOWN_NODES)),
        ),
    ]
    flagged = int(report.nodes["flagged"].sum()) if "flagged" in report.nodes else None
    intro = ["Point at a node of the first figure for its name.", " ".join(fit.network.notes)]
    if flagged is not None:
        intro.append(
            "No node's mean place moves by more than half its spread when the draws are aligned to"
            " something else; of nodes that stray, whose spread is that of the cloud, this says"
            " little."
            if flagged == 0
            else f"The mean places of {flagged} nodes depend on what the draws were aligned to:"
            " read their distances, not their places."
        )
    return Section("Where the nodes are", "\n\n".join(intro), items)


def _clusters_section(report: Report) -> Section:
    fit, name = report.reference, report.comparison.reference
    many = fit.draws.shape[1] > 1
    ends = "" if fit.network.n_nodes <= MATRIX_NODES else f" (the {MATRIX_NODES:,} strongest)"
    return Section(
        "Clusters of nodes",
        f"The model's positions have {len(report.clusters)} clusters. Their labels are matched"
        " among draws; the probability that two nodes are together needs no labels.",
        [
            PageTable(
                "clusters",
                f"Clusters by {name}, the largest first. nodes: how many the point partition has"
                " there, the partition of a draw with the least expected Binder loss; theta:"
                " share; sd: standard deviation of a coordinate"
                + ("; low, high: 90 % intervals." if many else ", held fixed at a mode."),
                report.clusters,
                as_text(report.clusters.dropna(axis=1, how="all")),
            ),
            PageFigure(
                "clusters",
                "Left: positions in the colours of their clusters; a cross is a cluster's mean"
                " centre, the circle its standard deviation. Right: probability that two nodes"
                f"{ends} are in one cluster, in the order of clusters. Sharp blocks are clusters"
                " the data tell apart; a grey cross through two blocks is a node between them.",
                plot_clusters(fit),
            ),
        ],
    )


def _model_section(report: Report) -> Section:
    name = report.comparison.reference
    check = report.checks[name]
    findings = [Finding("good" if c.passed else "bad", _capital(c.message)) for c in check.checks]
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


def _priors_section(report: Report) -> Section:
    name, priors = report.comparison.reference, report.priors
    items: list[PageTable | list[Finding]] = [
        priors.findings,
        PageTable(
            "prior-predictive",
            "Statistics of the observed network beside those of networks drawn from the priors"
            " alone: the median, and the ends of 90 % (prior_low to prior_high).",
            priors.predicted,
            as_text(priors.predicted),
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
                as_text(shown),
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


def shown_checks(check: PredictiveCheck) -> pd.DataFrame:
    """Return the table of predictive checks as text; R networks tell no probability below 1/R."""
    table = check.table
    shown = as_text(table)
    for row, (name, p) in enumerate(zip(table["statistic"], table["p_value"], strict=True)):
        least = 1 / max(1, check.replicated[name].count())
        if p in (0, 1):
            shown.loc[row, "p_value"] = f"> {1 - least:.3g}" if p else f"< {least:.3g}"
    return shown


def _trust_section(report: Report, name: str, stem: str) -> Section:
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
                as_text(verdict.quantities),
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
                as_text(verdict.modes.chains.dropna(axis=1, how="all")),
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


def _quantities_section(report: Report) -> Section:
    items: list[PageTable | PageFigure] = []
    if report.sampled:
        items.append(
            PageFigure(
                "forest",
                "Distances of the same pairs in every fit with draws: median, quartiles and"
                " central 90 % interval. The heaviest pairs first, then random ones.",
                plot_forest(report.fits),
            )
        )
    items.append(
        PageTable(
            "invariants",
            "Means and standard deviations over draws; a mode has no spread.",
            report.invariants,
            side_by_side(report.invariants).reset_index(),
        )
    )
    return Section(
        "Distances and rates",
        "What can be quoted of single pairs: these do not change with rotation.",
        items,
    )


def _provenance_section(report: Report) -> Section:
    rows = [
        {
            "fit": name,
            "method": METHODS[fit.method].title,
            "seed": str(fit.record["seed"]),
            "arguments": ", ".join(
                f"{k} = {_brief(v)}" for k, v in fit.record["arguments"].items()
            ),
            "CmdStan": fit.record["versions"]["cmdstan"],
            "ArviZ": fit.record["versions"]["arviz"],
        }
        for name, fit in report.fits.items()
    ]
    return Section(
        "How it was run",
        "A fit's folder holds config.toml: lsm-stan run on it repeats the fit.",
        [PageTable("summary", "Seeds, arguments, versions.", report.summary, pd.DataFrame(rows))],
    )


def _node_table(fit: Fit) -> pd.DataFrame:
    """Return the table of nodes, the strongest first."""
    network, axes = fit.network, principal_axes(fit.positions)
    places = {f"axis{k}": column for k, column in enumerate(axes.T, start=1)}
    # a column of the user's must not be taken for one of ours, even where we have none
    names = {
        name: f"{name} (node table)" for name in (*COMPUTED_COLUMNS, *UNSHOWN_COLUMNS, *places)
    }
    table = (
        network.node_frame()
        .rename(columns=names)
        .assign(out_strength=network.out_strength(), in_strength=network.in_strength(), **places)
    )
    many = fit.draws.shape[1] > 1
    if many:
        radius = radii(fit.draws).mean(axis=(0, 1))
        table = table.assign(radius=radius, strays=strays(fit.draws, fit.positions))
    if many and network.n_nodes <= MAX_GRAM_NODES:
        flat = fit.draws.reshape(-1, *fit.positions.shape)
        draws = flat_draws(fit.parameters)["z"]
        best = flat[container.log_joint_of(fit.idata).argmax()]
        references = {
            "mean": fit.positions,
            "best": best,
            "gram": gram_positions(mean_gram(draws), fit.record["dim"]),
        }
        table = table.join(reference_sensitivity(draws, references))
    if fit.clusters is not None:
        partition = fit.clusters.partition
        sure = fit.clusters.probability[np.arange(len(partition)), partition]
        table = table.assign(cluster=partition + 1, cluster_probability=sure)
    total = table["out_strength"] + table["in_strength"]
    return table.iloc[total.argsort(kind="stable")[::-1]].reset_index(drop=True)


def as_text(frame: pd.DataFrame) -> pd.DataFrame:
    """Format a table's cells, each number by its own size; nothing for what is missing."""
    return frame.map(_brief)


def _brief(value: Any) -> str:
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if not isinstance(value, float):
        return "" if value is None else str(value)
    if np.isnan(value) or abs(value) < NEGLIGIBLE:
        return "" if np.isnan(value) else "0"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:,.1f}"


def _listed(words: list[str]) -> str:
    unique = list(dict.fromkeys(words))
    return " and ".join([", ".join(unique[:-1]), unique[-1]] if len(unique) > 1 else unique)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:] + "."
