"""One page about fits of layers: what moved, whether to trust it, what the model predicts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import pandas as pd

from lsm_stan.criticism.ppc import predictive_layers
from lsm_stan.criticism.results import covariate_sentences
from lsm_stan.criticism.tables import coefficients_table
from lsm_stan.errors import InputError
from lsm_stan.inference.fit import Fit
from lsm_stan.inference.layered_fit import LayeredFit
from lsm_stan.inference.methods import METHODS
from lsm_stan.posterior.checks import Finding
from lsm_stan.posterior.clusters import cluster_table
from lsm_stan.posterior.intervals import interval
from lsm_stan.progress import Progress
from lsm_stan.report.layer_plots import plot_paths
from lsm_stan.report.page import Page, PageFigure, PageTable, Section, write_page
from lsm_stan.report.sections import clusters_section, coefficients_section
from lsm_stan.text import as_text, brief, counted, listed

#: Rows of tables that the page shows; the CSV has them all.
SHOWN = 15

#: A pair surely approaches, or parts, where its difference has this sign with this probability.
SURE = 0.95


def are_layered(fits: Mapping[str, Fit]) -> bool:
    """Return whether fits are of layers, all or none.

    Parameters
    ----------
    fits : mapping of str to Fit
        Fits by name.

    Returns
    -------
    bool

    Raises
    ------
    InputError
        If some are of layers and others are not.
    """
    kinds = {isinstance(fit, LayeredFit) for fit in fits.values()}
    if len(kinds) > 1:
        raise InputError("some of the fits are of layers, and others of one network; name one kind")
    return kinds == {True}


def write_layers(fits: Mapping[str, Fit], folder: Path, say: Progress = print) -> Path | None:
    """Write the page of fits of layers; do nothing with fits of one network.

    Parameters
    ----------
    fits : mapping of str to Fit
        Fits by name.
    folder : Path
        Folder of the page.
    say : callable, default print
        It is called with a sentence for everything that happens.

    Returns
    -------
    Path or None
        The page; None where the fits are of one network.

    Raises
    ------
    InputError
        If some fits are of layers and others are not, or not of the same.
    """
    return write_page(layers_page(fits, say), folder) if are_layered(fits) else None


def layers_page(fits: Mapping[str, Fit], say: Progress = print) -> Page:
    """Lay fits of the same layers out as a page.

    Parameters
    ----------
    fits : mapping of str to Fit
        Fits of layers by name.
    say : callable, default print
        It is called with a sentence for everything that happens.

    Returns
    -------
    Page

    Raises
    ------
    InputError
        If they are not of the same layers.
    """
    layered = {name: cast(LayeredFit, fit) for name, fit in fits.items()}
    order = list(METHODS)
    name = max(layered, key=lambda n: order.index(layered[n].method))
    fit = layered[name]
    for other, value in layered.items():
        if value.layers.digest != fit.layers.digest:
            raise InputError(f"{other} and {name} are fits of different layers; name fits of one")
    say(f"{name}: movements, and predictive checks of each layer")
    layers = fit.layers
    return Page(
        title=layers.title or "Layers",
        subtitle=f"A latent space model of {counted(layers.n_layers, 'layer')} in"
        f" {counted(fit.record.dim, 'dimension')}, fitted by"
        f" {listed([METHODS[each.method].title for each in layered.values()])}",
        facts={
            f"{fit.layering.structure} layers": f"{layers.n_layers}",
            "nodes": f"{layers.n_nodes:,}",
            "edges in all layers": f"{layers.n_edges:,}",
            "model": fit.spec.label,
        },
        summary=[
            Section("What was found", f"By {name}.", [sentences(fit) + covariate_sentences(fit)]),
            Section("Whether to trust it", "", [_trust(layered)]),
        ],
        sections=[
            *_sections(name, fit, coefficients_table(layered)),
            _provenance(layered),
        ],
        footer=f"lsm-stan {fit.record.versions['lsm-stan']}. Everything on this page but the"
        " picture of paths is the same for every rotation and reflection of the draws.",
    )


def sentences(fit: LayeredFit) -> list[str]:
    """Say in sentences what a fit of layers found.

    Parameters
    ----------
    fit : LayeredFit
        A fit of layers.

    Returns
    -------
    list of str
    """
    structure, told = fit.layering.structure, []
    if structure == "shared":
        return ["All layers have the same positions; they differ in their levels."]
    sigma = fit.parameters.get("sigma_change")
    per = "over a step of mean length" if structure == "ordered" else "about its mean place"
    if sigma is None:
        told.append(
            f"How far nodes move was not learned: at this mode the scale of changes is"
            f" {brief(fit.layering.change_fixed * fit.prior_scale)}. NUTS learns it."
        )
    else:
        low, high = interval(sigma.reshape(-1, 1))
        told.append(
            f"A coordinate of a node changes by {brief(sigma.mean())} {per} (standard deviation;"
            f" 90 % interval {brief(low[0])} to {brief(high[0])})."
        )
    movers = fit.movers().dropna(subset=["moved"]).head(3)
    if len(movers):
        names = [f"{row['node']} ({brief(row['moved'])})" for row in movers.to_dict("records")]
        told.append(f"Farthest from their mean places go {listed(names)}.")
    changes = fit.changes(top=10**9)
    if fit.draws.shape[:2] != (1, 1):
        sure = changes[changes["probability"] >= SURE]["change"].value_counts()
        told.append(
            f"From {fit.layers.labels[0]} to {fit.layers.labels[-1]} {sure.get('approach', 0):,} of"
            f" {counted(len(changes), 'pair')} approach each other with a probability of"
            f" {SURE:.0%} or more, and {sure.get('part', 0):,} part; of pairs that do not move"
            f" {1 - SURE:.0%} would seem to do either."
        )
    return told


def _trust(fits: Mapping[str, LayeredFit]) -> list[Finding]:
    findings = []
    for name, fit in fits.items():
        if not fit.converged:
            findings += [
                Finding("bad", f"{name}: {check.sentence}", check.name)
                for check in fit.record.checks
                if not check.passed
            ]
        elif fit.draws.shape[:2] == (1, 1):
            findings.append(
                Finding(
                    "caution",
                    f"{name}: a mode is one point, and says nothing of a spread.",
                    "mode-is-a-point",
                )
            )
        else:
            findings.append(Finding("good", f"{name}: every check of the method passed.", "passed"))
    return findings


def _sections(name: str, fit: LayeredFit, coefficients: pd.DataFrame) -> list[Section]:
    layers = fit.layers
    sections = [
        Section("Layers", " ".join(layers.notes), [PageTable("layers", "", layers.listing())])
    ]
    if len(coefficients):
        sections.append(coefficients_section(coefficients))
    if fit.clusters is not None:
        sections.append(clusters_section(name, fit, cluster_table(fit.clusters)))
    movers = fit.movers()
    if fit.layering.structure != "shared":
        changes = fit.changes()
        in_row = fit.layering.structure == "ordered"
        sections += [
            Section(
                "Paths",
                "The layers of a draw turn as one: one rotation aligns all of them.",
                [
                    PageFigure(
                        "paths",
                        "Where every node is in each layer, on the principal axes of all places;"
                        + (" the dot is the last layer." if in_row else " a spoke for each layer.")
                        + " In colour: those that move farthest.",
                        plot_paths(fit),
                    ),
                    PageTable(
                        "movers",
                        "moved: root mean square of a node's places about their mean, with its 90 %"
                        " interval. It is positive for every node; more_than_median is the"
                        " probability that it moves farther than the median node. net: from its"
                        " first place to its last.",
                        movers,
                        as_text(movers.head(SHOWN)),
                    ),
                ],
            ),
            Section(
                "Pairs that approach or part",
                f"Distances in {layers.labels[0]} and in {layers.labels[-1]}.",
                [
                    PageTable(
                        "pairs",
                        "difference: of the distances, with its 90 % interval; probability: that it"
                        " has this sign. The surest of each kind.",
                        changes,
                        as_text(changes.groupby("change").head(SHOWN)),
                    )
                ],
            ),
        ]
    tables = {label: check.table for label, check in predictive_layers(fit).items()}
    table = pd.concat(tables, names=["layer"]).reset_index("layer").reset_index(drop=True)
    outside = table[
        (table["observed"] < table["predicted_low"]) | (table["observed"] > table["predicted_high"])
    ]
    sections.append(
        Section(
            "What the model predicts",
            f"{len(outside)} of {len(table)} statistics of the layers lie outside 90 % of what the"
            f" model predicts; by chance {round(0.1 * len(table))} would.",
            [
                PageTable(
                    "predictive",
                    "Statistics that lie outside; the CSV has all of every layer.",
                    table,
                    as_text(outside),
                )
            ],
        )
    )
    return sections


def _provenance(fits: Mapping[str, LayeredFit]) -> Section:
    rows = [
        {
            "fit": name,
            "method": METHODS[fit.method].title,
            "seconds": brief(fit.record.seconds),
            "density": fit.density,
            "seed": str(fit.record.seed),
        }
        for name, fit in fits.items()
    ]
    intro = "A fit's folder holds config.toml: lsm-stan run on it repeats the fit."
    return Section("How it was run", intro, [PageTable("summary", "", pd.DataFrame(rows))])
