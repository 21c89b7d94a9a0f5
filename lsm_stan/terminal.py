"""What the command line prints: results to the standard output, errors beside."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import (
    Console,
    ConsoleOptions,
    ConsoleRenderable,
    RenderableType,
    RenderHook,
)
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from lsm_stan.analysis import Analysis
from lsm_stan.cmdstan.find import Toolchain
from lsm_stan.cmdstan.verification import KernelCheck
from lsm_stan.criticism.comparison import Comparison
from lsm_stan.criticism.tables import coefficients_table, interval_text
from lsm_stan.criticism.verdict import cautions, worst_first
from lsm_stan.inference.fit import Fit
from lsm_stan.inference.methods import METHODS
from lsm_stan.inference.mode_weights import ModeWeights
from lsm_stan.inference.plan import Plan
from lsm_stan.model.covariates import possible_terms
from lsm_stan.network.layers import Layers
from lsm_stan.network.network import Network
from lsm_stan.network.summary import describe
from lsm_stan.prediction.selection import Selection
from lsm_stan.progress import clear_line
from lsm_stan.report.page import Command, PageFigure, PageTable, Points
from lsm_stan.report.report import Report
from lsm_stan.report.report_page import summary
from lsm_stan.report.shown import shown_comparison, shown_fits
from lsm_stan.text import MARKS, as_text, brief, counted, duration, with_error
from lsm_stan.visible import visible


class _Visible:
    """What is printed, with every control in names and messages made visible."""

    def __init__(self, printed: RenderableType) -> None:
        self.printed = printed

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        for text, style, control in console.render(self.printed, options):
            yield Segment(text if control else visible(text), style, control)


class _MakeVisible(RenderHook):
    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        clear_line()
        return [_Visible(renderable) for renderable in renderables]


def _console(*, stderr: bool = False) -> Console:
    # brackets and colons in names are not markup
    console = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    console.push_render_hook(_MakeVisible())
    return console


_out, _err = _console(), _console(stderr=True)

#: What the kinds of predicted dyads are called, and how many of each are printed.
KINDS = {
    "hidden": "not observed, and likely edges",
    "empty": "observed as empty, and likely edges",
    "heavy": "heavier than predicted",
}
LISTED_DYADS = 5

#: Modes listed, of those that are weighed.
LISTED_MODES = 10

#: Weights listed one by one in a network's table; heavier ones are counted together.
LISTED_WEIGHTS = 5


def complain(sentence: str) -> None:
    """Print an error."""
    _err.print(Text.assemble(("error:", "bold red"), f" {sentence}"), soft_wrap=True)


def show_toolchain(toolchain: Toolchain, kernels: Sequence[KernelCheck]) -> None:
    """Print what compiles and runs the models, and whether that is right."""
    _show(
        "Toolchain",
        {
            "CmdStan": f"{toolchain.version} ({toolchain.path})",
            "compiler": toolchain.compiler,
            "make": toolchain.make,
            **{f"kernel {check.kernel}": check.message for check in kernels},
        },
    )


def show_network(network: Network) -> None:
    """Print what was read of a network, and what covariates its tables can make."""
    facts = describe(network)
    listed = list(facts.weight_counts.items())
    heavier = sum(count for _, count in listed[LISTED_WEIGHTS:])
    weights = [f"{weight}: {count:,}" for weight, count in listed[:LISTED_WEIGHTS]]
    if heavier:
        first, last = listed[LISTED_WEIGHTS][0], facts.max_weight
        span = f"{first} to {last}" if first < last else f"{last}"
        weights.append(f"{span}: {heavier:,}")
    cell = "an ordered pair" if facts.directed else "a pair"
    _show(
        facts.title or "Network",
        {
            "nodes": f"{facts.nodes:,} ({facts.isolated:,} isolated)",
            "edges": f"{facts.edges:,} {'directed' if facts.directed else 'undirected'}"
            f" ({facts.self_loops:,} self-loops)",
            **({"hidden dyads": f"{facts.hidden:,}"} if facts.hidden else {}),
            "total weight": f"{facts.total_weight:,}",
            "reciprocity": _known(facts.reciprocity),
            "edges by weight": ", ".join(weights),
            f"weight of {cell}": f"mean {facts.mean_cell:.4f}, "
            f"variance / mean {_known(facts.dispersion)}, {facts.share_zero:.1%} zero",
            **_covariates(network),
        },
    )
    show_notes(facts.notes)


def _covariates(network: Network) -> dict[str, str]:
    """Return the terms that each column of a network's tables can make."""
    return {
        f"{column}, of a {what}": ", ".join(kinds) or "no covariate"
        for what, columns in possible_terms(network).items()
        for column, kinds in columns.items()
    }


def show_source(source: Network | Layers) -> None:
    """Print what was read: of a network, or of each layer."""
    if isinstance(source, Network):
        show_network(source)
        return
    several = int((np.bincount(np.concatenate(source.members)) > 1).sum())
    _show(
        source.title or "Layers",
        {
            "layers": f"{source.n_layers}, {'' if source.directed else 'un'}directed",
            "nodes": f"{source.n_nodes:,} ({several:,} of them in two layers or more)",
            "edges": f"{source.n_edges:,} in all layers",
            **_covariates(source.pooled),
        },
    )
    frame = source.listing()
    table = Table(*frame.columns, box=None)
    for row in as_text(frame).to_dict("records"):
        table.add_row(*row.values())
    _print(table)
    show_notes(source.notes)


def show_notes(notes: Sequence[str]) -> None:
    """Print what was done with a network's input."""
    for note in notes:
        _out.print(f"  note: {note}", soft_wrap=True)


def show_fit(fit: Fit, folder: Path) -> None:
    """Print what came of one fit."""
    details = fit.record.details
    plain = {
        name.replace("_", " "): _known(value)
        for name, value in details.items()
        if isinstance(value, int | float)
    }
    rows = {
        "network": fit.network.title or counted(fit.network.n_nodes, "node"),
        "method": f"{METHODS[fit.method].title}, seed {fit.record.seed}",
        "seconds": f"{fit.record.seconds:.1f}",
        "density": fit.density,
        **plain,
        **{
            row["covariate"]: interval_text(row)
            for row in coefficients_table({"": fit}).to_dict("records")
        },
    }
    if "starts" in details:
        rows["losses of the starts"] = ", ".join(f"{s['loss']:,.2f}" for s in details["starts"])
    _show("Fit", rows)
    _verdict(fit)
    _out.print(f"  written to {folder}", soft_wrap=True)


def show_analysis(analysis: Analysis) -> None:
    """Print a configuration's summary, and where its page is."""
    report, reference = analysis.report, analysis.config.reference
    if report is None:  # of layers
        _out.print(f"report: {analysis.page.resolve()}", soft_wrap=True)
        return
    table = Table(title=f"{report.reference.network.title}, K = {analysis.config.dim}")
    table.add_column("fit")
    for column in ("seconds", "log joint", "loss", "R-hat 95%", "ESS 5%"):
        table.add_column(column, justify="right")
    table.add_column("converged")
    if reference is not None:
        table.add_row(
            f"({reference.label})", "", f"{-reference.loss:,.1f}", f"{reference.loss:,.1f}"
        )
    columns = ["fit", "seconds", "log_joint", "loss", "rhat_p95", "ess_p05"]
    for row in shown_fits(report).to_dict("records"):
        converged = Text(row["converged"], "green" if row["converged"] == "yes" else "red")
        table.add_row(*(row[column] for column in columns), converged)
    _print(table)
    if len(report.fits) > 1:
        show_comparison(report.comparison)
    show_summary(report)
    _out.print(f"report: {analysis.page.resolve()}", soft_wrap=True)


def show_comparison(comparison: Comparison) -> None:
    """Print fits side by side, a column a fit."""
    shown = shown_comparison(comparison).set_index("fit")
    table = Table(f"against {comparison.reference}", title="methods compared")
    for name in shown.index:
        table.add_column(str(name), justify="right")
    for quantity in shown.columns:
        table.add_row(quantity, *shown[quantity])
    _print(table)
    if comparison.note:
        _out.print(f"  {comparison.note}", soft_wrap=True)


def show_summary(report: Report) -> None:
    """Print what a report's page says first: what was found, whether to trust it, what is next."""
    for part in summary(report):
        _out.print(Text.assemble((part.title, "bold"), f". {part.intro}" if part.intro else ""))
        for item in part.items:
            if isinstance(item, Command):
                for line in item.text.splitlines():
                    _out.print(f"    {line}", soft_wrap=True)
            elif isinstance(item, str):
                _out.print(f"  {item}", soft_wrap=True)
            elif not isinstance(item, PageFigure | PageTable):
                show_findings(item)


def show_findings(findings: Points) -> None:
    """Print sentences, those of a verdict with their marks."""
    colours = {"good": "green", "caution": "yellow", "bad": "red"}
    for finding in findings:
        if isinstance(finding, str):
            _out.print(f"  - {finding}", soft_wrap=True)
        else:
            mark = (MARKS[finding.kind], colours[finding.kind])
            _out.print(Text.assemble("  ", mark, f" {finding.text}"), soft_wrap=True)


def show_fits(fits: pd.DataFrame) -> None:
    """Print what came of the fits of many networks."""
    table = Table("network", title="fits")
    for column in ("nodes", "edges", "log joint", "converged", "seconds"):
        table.add_column(column, justify="right")
    for row in fits.to_dict("records"):
        table.add_row(
            row["network"],
            f"{row['nodes']:,}",
            f"{row['edges']:,}",
            f"{row['log_joint']:,.1f}",
            "yes" if row["converged"] else "NO",
            f"{row['seconds']:.1f}",
        )
    _print(table)


def show_selection(selection: Selection) -> None:
    """Print the scores of a selection, and the choice."""
    table = Table("model", "K", title="held-out dyads")
    for column in ("parameters", "log density a dyad", "from the best", "AUC"):
        table.add_column(column, justify="right")
    choice, baselines = selection.choice, selection.baselines.groupby("model")
    for row in choice.table.to_dict("records"):
        chosen = (row["model"], row["dim"]) == (choice.model, choice.dim)
        table.add_row(
            row["model"],
            str(row["dim"]),
            f"{row['parameters']:,.0f}",
            with_error(row["log_density"], row["error"]),
            with_error(row["difference"], row["difference_error"]),
            f"{row['auc']:.3f}",
            style="bold green" if chosen else None,
        )
    for name, rows in baselines:
        mean = rows[["log_density", "auc"]].mean()
        table.add_row(f"({name})", "", "", f"{mean['log_density']:.4f}", "", f"{mean['auc']:.3f}")
    _print(table)
    verdict = ("choice:", "bold") if choice.model else ("no choice:", "red")
    _out.print(Text.assemble(verdict, f" {choice.reason}"), soft_wrap=True)


def show_loo(table: pd.DataFrame) -> None:
    """Print fits beside each other by LOO, with what keeps the numbers from being trusted."""
    shown = Table("fit", "model", "K", title="leave one dyad out")
    numbers = ["elpd", "se", "p", "difference", "difference_se"]
    for column in (*numbers[:3], "from best", "se"):
        shown.add_column(column, justify="right")
    for row in table.to_dict("records"):
        shown.add_row(
            row["fit"],
            row["model"],
            str(row["dim"]),
            *(f"{row[name]:,.0f}" for name in numbers),
        )
    _print(shown)
    for row in table[table["warning"] != ""].to_dict("records"):
        warning = f" {row['fit']}: {row['warning']}"
        _out.print(Text.assemble(("!", "yellow"), warning), soft_wrap=True)


def show_modes(weights: ModeWeights) -> None:
    """Print what modes weigh, the heaviest first."""
    weighed = weights.table.dropna()
    table = Table(title="modes")
    for column in ("loss", "draws", "log mass", "weight"):
        table.add_column(column, justify="right")
    for row in weighed.head(LISTED_MODES).to_dict("records"):
        mass = with_error(row["log_mass"], row["error"])
        table.add_row(f"{row['loss']:,.2f}", f"{row['draws']:,}", mass, f"{row['weight']:.1%}")
    if len(weighed):
        _print(table)
    _out.print(f"{weights}.", soft_wrap=True)


def show_predictions(dyads: pd.DataFrame) -> None:
    """Print the first dyads of each kind that a fit predicts."""
    for kind, rows in dyads.groupby("kind", sort=False):
        table = Table("source", "target", title=KINDS[str(kind)], title_justify="left")
        columns = ("weight", "probability", "expected", "tail")
        for column in columns:
            table.add_column(column, justify="right")
        for row in rows.head(LISTED_DYADS).astype(object).to_dict("records"):
            numbers = (_known(row[c]) for c in columns)
            table.add_row(row["source"], row["target"], *numbers)
        _print(table)


def _verdict(fit: Fit) -> None:
    if fit.converged:
        _out.print(Text.assemble("  ", ("converged", "green"), ": every check passed"))
    for check in worst_first(fit.record):
        text = Text.assemble("  ", ("not converged", "red"), f": {check.sentence}")
        _out.print(text, soft_wrap=True)
    show_findings(cautions(fit))


def show_plan(plan: Plan, *, as_json: bool) -> None:
    """Print what fits will cost.

    Parameters
    ----------
    plan : Plan
        The estimates.
    as_json : bool
        Whether to print JSON.
    """
    if as_json:
        _out.print(json.dumps(plan.as_record(), indent=2), soft_wrap=True)
        return
    table = Table("method", "time", "memory (GB)", box=None)
    for estimate in plan.estimates:
        time = " to ".join(map(duration, estimate.seconds))
        memory = " to ".join(f"{gigabytes:.1f}" for gigabytes in estimate.gigabytes)
        cells = (estimate.obstacle, "") if estimate.obstacle else (time, memory)
        table.add_row(estimate.method, *cells)
    _print(table)
    _out.print(
        f"  {plan.nodes:,} nodes, {plan.edges:,} edges, {plan.parameters:,} parameters: a gradient"
        f" takes {1000 * plan.gradient_seconds:.3g} ms here. Estimates from runs on other networks;"
        f" on {counted(plan.cores, 'core')}, with {counted(plan.threads, 'thread')} a process.",
        soft_wrap=True,
    )


def _show(title: str, rows: dict[str, str]) -> None:
    table = Table(title=title, title_justify="left", show_header=False, box=None)
    table.add_column(style="bold")
    table.add_column()
    for name, value in rows.items():
        table.add_row(name, value)
    _print(table)


def _print(table: Table) -> None:
    """Print a table; on a narrow screen, as in every pipe, cells are folded, and never cut."""
    for column in table.columns:
        column.overflow = "fold"
    _out.print(table)


def _known(value: float | None) -> str:
    """Print a number; a dash where there is none."""
    return brief(value) or "-"
