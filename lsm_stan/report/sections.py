"""The sections of a report's page that show results: each takes the report, and says one thing."""

from __future__ import annotations

import pandas as pd

from lsm_stan.criticism.tables import (
    coefficients_beside,
    side_by_side,
)
from lsm_stan.inference.fit import Fit
from lsm_stan.inference.methods import METHODS
from lsm_stan.posterior.alignment import (
    MIN_RADIUS,
    spread,
    strays,
)
from lsm_stan.report.crowds import crowd_note
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
    BLANK,
    ELLIPSE,
    ELLIPSES,
    MATRIX_NODES,
    plot_clusters,
    plot_embedding,
    plot_embeddings,
    plot_rate_matrix,
    plot_uncertainty,
)
from lsm_stan.report.report import Report
from lsm_stan.report.shown import shown_comparison
from lsm_stan.text import brief, counted

#: What coefficients are.
COEFFICIENTS = (
    "What one unit of a covariate adds to the log mean weight of a dyad (for a binary network to"
    " its log odds), given the nodes' positions and effects."
)


def coefficients_section(coefficients: pd.DataFrame) -> Section:
    """Show what covariates add to the log mean weight.

    Parameters
    ----------
    coefficients : DataFrame
        What :func:`lsm_stan.criticism.tables.coefficients_table` returns; at least one row.

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
                coefficients,
                coefficients_beside(coefficients).reset_index(),
            ),
            PageFigure(
                "coefficients",
                "The same: an interval that holds 0 leaves open whether a covariate adds or takes.",
                plot_coefficients(coefficients),
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
        f"Do the methods agree? Every fit is measured against {name}, the one by the most exact"
        " method here. Small distances, between nodes that heavy weights hold together, mostly come"
        " out alike by any method; large ones scatter, because a mode is one arrangement of the rim"
        " among many."
    )
    items: list[PageTable | PageFigure] = [
        PageTable(
            "comparison",
            f"Methods compared with {name}. seconds: wall-clock time, start included. elbo: the"
            " lower bound of the log evidence that was reached, in nats. khat: PSIS k-hat of the"
            " approximation, trustworthy"
            " below 0.7. procrustes_rmse: distance of a"
            " node to its place in the reference after alignment. distance_rmse: error of mean"
            " distances. sd_ratio: a node's posterior spread over the reference's (1 is right,"
            " less is overconfident). coverage90: probability, under the reference, of the fit's"
            " 90 % intervals of distances. log_joint_draws: mean and standard deviation over draws"
            " of the log joint, in nats; of a mode its own, which lies higher than its surroundings"
            " do. The CSV has that of the one position set, log_joint, too: of draws, a mean of"
            " positions, which puts a node that moves among several places between them, and is"
            f" not a likely point itself. {comparison.note}".rstrip(),
            comparison.table,
            shown_comparison(comparison),
        ),
        PageFigure(
            "distances",
            "Mean distances of the same random pairs: on the line the methods agree."
            + (
                " And how far each node strays from its mean place: below the line a method is more"
                " certain than the reference."
                if len(comparison.spreads.columns) > 1
                else ""
            ),
            plot_distances(comparison),
        ),
        PageFigure(
            "embeddings",
            f"The position sets, aligned to that of {name}. Look for groups that sit"
            " elsewhere; a method's cloud that is too tight or too wide shows too."
            + crowd_note(report.reference.network),
            plot_embeddings(report.fits, name, report.groups),
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
    count = int(hollow.sum())
    means = "Each place is the mean of the draws, turned onto each other." + (
        f" Hollow: {count:,} of {counted(len(hollow), 'node')} whose"
        f" {'place is' if count == 1 else 'places are'} unknown, drawn at less than"
        f" {MIN_RADIUS:.0%} of their mean distance from the centre. The draws have such a node now"
        " here and now there, often at the rim, and their mean lies amid all of it: it is a"
        " picture, and distances on it are too short. Quote posterior distances, not this map."
        if count
        else " No node is hollow: the draws agree about every place well enough to draw it."
    )
    colours = "" if report.groups is None else f" Colours: {report.groups.name}."
    items: list[PageTable | PageFigure] = [
        PageFigure(
            "embedding",
            f"Positions by {name}, on their principal axes. Nodes that are close to each other are"
            " strongly connected. The larger a node, the stronger; lines: the heaviest edges."
            f"{colours} The axes are a way of looking, not a result: a map turned or mirrored is"
            " the same map."
            + (f" {means}" if many else " Only distances mean something.")
            + crowd_note(fit.network),
            plot_embedding(fit, report.groups),
            embedding_figure(
                fit.positions,
                fit.network,
                groups=report.groups,
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
                " the mean. The strongest nodes are in colour. Look for the difference between the"
                " inside and the rim: well connected nodes are held by many others, while one with"
                " few and light edges has a large ellipse, since the network only says that it is"
                " far from most of the others."
                + (f" Drawn are {ELLIPSES:,} random nodes." if len(hollow) > ELLIPSES else ""),
                plot_uncertainty(fit),
            )
        )
    group = None if report.groups is None else str(report.groups.name)
    shown = [name for name in SHOWN_COLUMNS if name in report.nodes]
    if group is not None and group in report.nodes and group not in shown:
        shown.insert(1, group)
    ends = "" if fit.network.n_nodes <= MATRIX_NODES else f" (the {MATRIX_NODES:,} strongest)"
    items += [
        PageFigure(
            "rates",
            f"The data beside the fitted rates, nodes{ends} in the order of a clustering of their"
            " positions. A model that fits has its blocks where the data has them, and is blank"
            f" where the data is blank: rates below {BLANK:g} are, at which fewer than one pair in"
            " twenty has an edge.",
            plot_rate_matrix(fit),
        ),
        PageTable(
            "nodes",
            "The nodes by strength. "
            + (
                "spread: how far a node strays from its mean place, in units of distance. shift:"
                " how far its mean place moves when draws are aligned to another reference (the"
                " best draw, or classical scaling of the mean Gram matrix, which needs none);"
                " flagged where that is more than half its spread. The CSV has places on the map"
                " (axis1, ...; not for distances), each node's mean distance from the centre"
                " (radius), and whether its place is unknown (strays)."
                if many
                else "The CSV has the places on the map (axis1, ...; not for distances)."
            )
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
        "The map, and how far to believe it. On the HTML page, pointing at a node of the first"
        " figure shows its name.",
        " ".join(fit.network.notes),
    ]
    if flagged is not None:
        intro.append(
            "Every draw has been turned onto the mean before it was averaged. What it is turned"
            " onto does not matter here: aligned to something else, no node's mean place moves by"
            " more than half its spread."
            if flagged == 0
            else "Every draw has been turned onto the mean before it was averaged, and what it was"
            f" turned onto decides where {counted(flagged, 'node is', 'nodes are')} drawn: read"
            " distances there, not places."
        )
    return Section("Where the nodes are", "\n\n".join(intro), items)


def clusters_section(name: str, fit: Fit, clusters: pd.DataFrame) -> Section:
    """Show the clusters of nodes.

    Parameters
    ----------
    name : str
        What the fit is called.
    fit : Fit
        A fit of a model with clusters.
    clusters : DataFrame
        What :func:`lsm_stan.posterior.clusters.cluster_table` returns of it.

    Returns
    -------
    Section
    """
    many = fit.draws.shape[1] > 1
    ends = "" if fit.network.n_nodes <= MATRIX_NODES else f" (the {MATRIX_NODES:,} strongest)"
    return Section(
        "Clusters of nodes",
        f"The model's positions have {len(clusters)} clusters. Their labels are matched"
        " among draws; the probability that two nodes are together needs no labels.",
        [
            PageTable(
                "clusters",
                f"Clusters by {name}, the largest first. nodes: how many the point partition has"
                " there, the partition of a draw with the least expected Binder loss; theta:"
                " share; sd: standard deviation of a coordinate"
                + ("; low, high: 90 % intervals." if many else ", held fixed at a mode."),
                clusters,
                clusters.dropna(axis=1, how="all"),
            ),
            PageFigure(
                "clusters",
                "Left: positions in the colours of their clusters; a cross is a cluster's mean"
                " centre, the circle its standard deviation. Right: probability that two nodes"
                f"{ends} are in one cluster, in the order of clusters. Sharp blocks are clusters"
                " the data tell apart; a shaded cross through two blocks is a node between them."
                + crowd_note(fit.network),
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
                " central 90 % interval. The heaviest pairs first, where methods should be hard to"
                " tell apart, then random ones.",
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
            "seconds": brief(fit.record.seconds),
            "density": fit.density,
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
        [
            PageTable(
                "summary",
                "Time, density, seeds, arguments, versions. The loss of a mode is minus its log"
                " joint, with every constant; over draws the log joint has a mean and a standard"
                " deviation. With scales learned it is of more parameters than with scales held"
                " fixed: the two are not compared.",
                report.summary,
                pd.DataFrame(rows),
            )
        ],
    )
