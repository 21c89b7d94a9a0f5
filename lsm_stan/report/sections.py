"""The sections of a report's page that show results: each takes the report, and says one thing."""

from __future__ import annotations

import pandas as pd

from lsm_stan.criticism.tables import (
    coefficients_beside,
    side_by_side,
)
from lsm_stan.inference.methods import METHODS
from lsm_stan.posterior.alignment import (
    MIN_RADIUS,
    spread,
    strays,
)
from lsm_stan.report.diagnostic_plots import (
    plot_coefficients,
    plot_distances,
    plot_forest,
)
from lsm_stan.report.interactive import embedding_figure
from lsm_stan.report.nodes import (
    SHOWN_COLUMNS,
    SHOWN_NODES,
)
from lsm_stan.report.page import PageFigure, PageTable, Section
from lsm_stan.report.plots import (
    ELLIPSE,
    MATRIX_NODES,
    plot_clusters,
    plot_embedding,
    plot_embeddings,
    plot_rate_matrix,
    plot_uncertainty,
)
from lsm_stan.report.report import Report
from lsm_stan.report.shown import shown_comparison
from lsm_stan.text import brief

#: What coefficients are.
COEFFICIENTS = (
    "What one unit of a covariate adds to the log mean weight of a dyad (for a binary network to"
    " its log odds), given the nodes' positions and effects."
)


def coefficients_section(report: Report) -> Section:
    """Show what covariates add to the log mean weight.

    Parameters
    ----------
    report : Report
        What :func:`lsm_stan.report.report.make_report` returns.

    Returns
    -------
    Section
    """
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


def comparison_section(report: Report) -> Section:
    """Set the methods side by side.

    Parameters
    ----------
    report : Report
        What :func:`lsm_stan.report.report.make_report` returns.

    Returns
    -------
    Section
    """
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


def embedding_section(report: Report) -> Section:
    """Show the positions of the nodes.

    Parameters
    ----------
    report : Report
        What :func:`lsm_stan.report.report.make_report` returns.

    Returns
    -------
    Section
    """
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
            report.nodes.reindex(columns=shown).head(SHOWN_NODES),
        ),
    ]
    flagged = int(report.nodes["flagged"].sum()) if "flagged" in report.nodes else None
    intro = [
        "On the HTML page, pointing at a node of the first figure shows its name.",
        " ".join(fit.network.notes),
    ]
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


def clusters_section(report: Report) -> Section:
    """Show the clusters of nodes.

    Parameters
    ----------
    report : Report
        What :func:`lsm_stan.report.report.make_report` returns.

    Returns
    -------
    Section
    """
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
                report.clusters.dropna(axis=1, how="all"),
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


def quantities_section(report: Report) -> Section:
    """Show distances and rates of pairs.

    Parameters
    ----------
    report : Report
        What :func:`lsm_stan.report.report.make_report` returns.

    Returns
    -------
    Section
    """
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


def provenance_section(report: Report) -> Section:
    """Say what made the fits.

    Parameters
    ----------
    report : Report
        What :func:`lsm_stan.report.report.make_report` returns.

    Returns
    -------
    Section
    """
    rows = [
        {
            "fit": name,
            "method": METHODS[fit.method].title,
            "seed": str(fit.record.seed),
            "arguments": ", ".join(f"{k} = {brief(v)}" for k, v in fit.record.arguments.items()),
            "CmdStan": fit.record.versions["cmdstan"],
            "ArviZ": fit.record.versions["arviz"],
        }
        for name, fit in report.fits.items()
    ]
    return Section(
        "How it was run",
        "A fit's folder holds config.toml: lsm-stan run on it repeats the fit.",
        [PageTable("summary", "Seeds, arguments, versions.", report.summary, pd.DataFrame(rows))],
    )
