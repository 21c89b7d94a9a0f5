"""Run a configuration: every fit that is not there yet, then tables and figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from lsm_stan.config import AnalysisConfig, FitConfig
from lsm_stan.fit import Fit, ensure_replaceable, read_record
from lsm_stan.inference import LatentSpaceModel, requested_arguments
from lsm_stan.methods import METHODS
from lsm_stan.models import read_spec
from lsm_stan.network import Network
from lsm_stan.plots import plot_embedding, plot_trace
from lsm_stan.readers import open_network
from lsm_stan.summary import invariants_table, side_by_side, summary_table

Say = Callable[[str], None]


#: What is drawn of a fit, and what to look for in it.
FIGURES: dict[str, tuple[Callable[[Fit], Figure], str]] = {
    "embedding": (
        plot_embedding,
        "Positions on their principal axes; a grey line is one of the heaviest edges. Only"
        " distances mean something: the axes are a way of looking, not a result. For draws the"
        " mean of the aligned positions is shown; a node that moves among several places is drawn"
        " between them.",
    ),
    "trace": (
        plot_trace,
        "Left: each chain's distribution, which should coincide. Right: with several chains the"
        " ranks of their draws, bars of one height where the chains agree (Vehtari et al. 2021);"
        " with one chain its trace.",
    ),
}


@dataclass(frozen=True)
class Analysis:
    """The outcome of a configuration: its network, its fits by name, their tables, and where."""

    config: AnalysisConfig
    network: Network
    fits: Mapping[str, Fit]
    folder: Path
    summary: pd.DataFrame
    invariants: pd.DataFrame


def run_analysis(config: AnalysisConfig, folder: Path, say: Say = print) -> Analysis:
    """Run the fits of a configuration that are missing, and write its tables and figures.

    Parameters
    ----------
    config
        What to run.
    folder
        Where; every fit gets a folder ``fits/<name>``. A fit that is already there and is the
        one asked for is kept, so that an interrupted analysis goes on where it stopped.
    say
        Told what happens, a sentence at a time.

    Returns
    -------
    Analysis

    Raises
    ------
    LsmStanError
        If the network cannot be read or a fit fails; finished fits stay.
    """
    network = open_network(
        config.network,
        directed=config.directed,
        parallel_edges=config.parallel_edges,
        nodes=config.nodes,
        hidden=config.hidden,
        title=config.title,
    )
    model = LatentSpaceModel(
        network,
        config.dim,
        model=read_spec(config.model),
        prior_scale=config.prior_scale,
        jitter=config.jitter,
        kernel=config.kernel,
        threads=config.threads,
    )
    wanted = {fit.name: (fit, requested_arguments(fit.method, fit.arguments)) for fit in config.fit}
    for name in wanted:
        ensure_replaceable(folder / "fits" / name)
    model.compile()
    fits = {}
    for number, (name, (fit, arguments)) in enumerate(wanted.items(), start=1):
        target = folder / "fits" / name
        if _is_done(read_record(target), model, fit, arguments):
            say(f"[{number}/{len(wanted)}] {name}: already done, kept ({target})")
        else:
            say(f"[{number}/{len(wanted)}] {name}: {fit.method}, seed {fit.seed}")
            model.fit(fit.method, seed=fit.seed, **fit.arguments).save(target)
        fits[name] = Fit.load(target)
    tables = summary_table(fits), invariants_table(fits)
    analysis = Analysis(config, network, fits, folder, *tables)
    write_results(analysis)
    return analysis


def _is_done(
    record: dict[str, Any] | None,
    model: LatentSpaceModel,
    fit: FitConfig,
    arguments: dict[str, Any],
) -> bool:
    """Return whether a fit's record is of the fit that is asked for."""
    return record is not None and (
        record["method"],
        record["seed"],
        record["arguments"],
        record["model"],
        record["network"]["digest"],
        record["program"],
    ) == (fit.method, fit.seed, arguments, model.as_record(), model.network.digest, model.program)


def write_results(analysis: Analysis) -> None:
    """Write ``summary.csv``, ``invariants.csv``, ``figures/`` and a ``README.md`` showing them."""
    folder = analysis.folder
    analysis.summary.to_csv(folder / "summary.csv", index=False)
    analysis.invariants.to_csv(folder / "invariants.csv", index=False)
    (folder / "figures").mkdir(exist_ok=True)
    shown = []
    for name, fit in analysis.fits.items():
        for kind, (plot, _) in FIGURES.items():
            if kind != "trace" or fit.draws.shape[1] > 1:
                plot(fit).savefig(folder / "figures" / f"{name}-{kind}.png", dpi=110)
                shown.append((name, kind))
    page = _page(analysis, shown)
    (folder / "README.md").write_text(page, encoding="utf-8")


def _page(analysis: Analysis, shown: list[tuple[str, str]]) -> str:
    """Return the README of the results: the tables first, then the figures."""
    network, config = analysis.network, analysis.config
    invariants = side_by_side(analysis.invariants)
    lines = [
        f"# {network.title}",
        "",
        f"{network.n_nodes:,} nodes, {network.n_edges:,} edges, total weight"
        f" {network.total_weight:,}; K = {config.dim} latent dimensions.",
        "Written by `lsm-stan run`; do not edit.",
        "",
        "| fit | method | seconds | log joint | loss | converged |",
        "|---|---|---:|---:|---:|---|",
    ]
    if config.reference is not None:
        loss = config.reference.loss
        lines.append(f"| *{config.reference.label}* | | | {-loss:,.1f} | {loss:,.1f} | |")
    for row in analysis.summary.to_dict("records"):
        verdict = "yes" if row["converged"] else f"**no**: {row['warnings']}"
        lines.append(
            f"| {row['fit']} | {METHODS[row['method']].title} | {row['seconds']:.1f}"
            f" | {row['log_joint']:,.1f} | {row['loss']:,.1f} | {verdict} |"
        )
    lines += [
        "",
        "The log joint is that of the fit's estimate (the mode, or the mean position set), with"
        " every constant; the loss is its negative. A mean of draws need not be a likely point"
        " itself. All columns: [summary.csv](summary.csv); posterior summaries of distances and"
        " rates: [invariants.csv](invariants.csv).",
        "",
    ]
    lines += [
        "## Invariant quantities",
        "",
        "Means and standard deviations over draws, of the same pairs of nodes in every fit: the"
        " heaviest pairs, then random ones. A mode has no spread.",
        "",
        f"| quantity | {' | '.join(invariants.columns)} |",
        "|---|" + "---:|" * len(invariants.columns),
        *(
            f"| {name} | {' | '.join(row)} |"
            for name, row in zip(invariants.index, invariants.to_numpy(), strict=True)
        ),
        "",
    ]
    for name, kind in shown:
        file = f"figures/{name}-{kind}.png"
        lines += [f"## {name}: {kind}", "", f"![{name}: {kind}]({file})", "", FIGURES[kind][1], ""]
    return "\n".join(lines)
