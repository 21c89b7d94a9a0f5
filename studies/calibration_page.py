"""The page of the calibration: tables, figures and README.md from finished simulations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from scipy import stats

from lsm_stan.files import write_files
from lsm_stan.posterior.checks import MAX_SATURATED
from lsm_stan.report.markdown import markdown_files
from lsm_stan.report.page import Page, PageFigure, PageTable, Section
from lsm_stan.text import with_error
from studies.calibration_study import Study
from studies.calibration_tables import (
    ALL,
    KINDS,
    LIMIT,
    MOVED,
    SHARES,
    Results,
    coverage_table,
    fit_table,
    moved,
    plot_coverage,
    plot_sbc,
    sbc_ranks,
    sbc_table,
)


def write(folder: Path, sbc: Results, covered: Results) -> None:
    """Write ``sbc.csv``, ``coverage.csv``, ``fits.csv``, the figures and ``README.md``.

    Parameters
    ----------
    folder : Path
        Where to.
    sbc, covered : Results
        The simulations of each study; failed ones have no ranks.
    """
    groups = {ALL: sbc, MOVED: {study: moved(records) for study, records in sbc.items()}}
    ranks = {
        group: {study: sbc_ranks(records) for study, records in results.items()}
        for group, results in groups.items()
    }
    calibration = page(
        list(sbc),
        list(covered),
        sbc_table(ranks),
        coverage_table(covered),
        fit_table({**sbc, **covered}),
        plot_sbc(ranks[ALL], ranks[MOVED]),
    )
    write_files(folder, markdown_files(calibration))


def page(
    sbc: Sequence[Study],
    covered: Sequence[Study],
    uniformity: pd.DataFrame,
    coverages: pd.DataFrame,
    fits: pd.DataFrame,
    ranks: Figure,
) -> Page:
    """Lay the results out as a page, for Markdown.

    Parameters
    ----------
    sbc, covered : sequence of Study
        What was simulated.
    uniformity, coverages, fits : DataFrame
        Of :func:`sbc_table`, :func:`coverage_table` and :func:`fit_table`.
    ranks : Figure
        Of :func:`plot_sbc`.
    """
    return Page(
        title="Calibration",
        subtitle="Made by `make calibration`; do not edit.",
        facts={},
        summary=[],
        sections=[
            _question(sbc, covered),
            _results(uniformity, coverages, fits),
            _of_sbc(uniformity, ranks),
            _of_coverage(coverages),
            _of_fits(fits),
        ],
        footer="",
    )


def _question(sbc: Sequence[Study], covered: Sequence[Study]) -> Section:
    return Section(
        "Question",
        "Does NUTS, on this Stan program, draw from the posterior of the model that it is said to?"
        " Parameters are drawn from a model's priors (`draw_parameters`), a network from the model"
        " at them (`simulate`), the model is fitted to the network (`LatentSpaceModel.sample`),"
        " and the true value of a quantity is ranked among its posterior draws. If priors,"
        " likelihood, simulator and sampler are all right, ranks are uniform: for every quantity,"
        " whatever the size of the network.",
        [
            [
                "The simulator is NumPy, the posterior Stan and C++: they share no formula.",
                'One chain of NUTS, `init="random"`, `precondition=False`, else CmdStan\'s'
                f" defaults. For simulation-based calibration {_settings(sbc)}; for coverage"
                f" {_settings(covered)}. The truth is ranked among the draws that thinning leaves,"
                " so that autocorrelation matters little.",
                "Networks are directed and all dyads observed, but where it says otherwise."
                " Covariates are random numbers and groups, the same in every network of a model."
                " Parameters of clusters, which have no order, are ranked by size.",
                "No prior is wider than the models' own, under which some networks have weights of"
                f" 10⁹: {_priors(covered)}. Scales of priors are data of the Stan program: it is"
                " the same program. Those of `phi` and of the tutorial are their own.",
                "A fit with trouble counts like any other.",
            ]
        ],
    )


def _results(uniformity: pd.DataFrame, coverages: pd.DataFrame, fits: pd.DataFrame) -> Section:
    every = uniformity[uniformity["fits"] == ALL]
    points = []
    for (model, dim), group in every.groupby(["model", "dim"], sort=False):
        names = [f"`{name}`" for name in group.loc[group["outside"], "quantity"]]
        points.append(
            f"`{model}`, K = {dim}: {len(names)} of {len(group)} quantities are outside their 95 %"
            f" bands{': ' * bool(names)}{', '.join(names)}; the largest deviation is"
            f" {group['deviation'].max():.2f}, where 1 is the band's edge."
        )
    together = coverages[coverages["model"] == ALL].set_index("quantity")
    shares = [
        f"{kind} {_share(together.loc[kind], '90')}" for kind in KINDS if kind in together.index
    ]
    points.append(
        f"90 % intervals of {len(fits['model'].unique())} models hold the truth in these shares:"
        f" {', '.join(shares)}."
    )
    flagged = [f"`{name}`" for name in together.index[together["flagged"]] if name not in KINDS]
    points.append(
        f"Parameters whose intervals, of all models together, are beyond {LIMIT:g} standard"
        f" errors: {', '.join(flagged) or 'none'}."
    )
    return Section("Results", "", [points])


def _settings(studies: Sequence[Study]) -> str:
    study = studies[0]
    return (
        f"N = {study.nodes}, {study.warmup} iterations of warmup and {study.draws} draws"
        f" {study.thin} iterations apart"
    )


def _priors(studies: Sequence[Study]) -> str:
    scales: dict[str, list[float]] = {}
    for study in studies:
        for name, scale in study.priors.items():
            scales.setdefault(name, []).append(scale)
    return ", ".join(
        f"`{name}` {' or '.join(f'{scale:g}' for scale in sorted(set(values)))}"
        for name, values in scales.items()
    )


def _of_sbc(table: pd.DataFrame, ranks: Figure) -> Section:
    rows = [
        {
            "": f"`{model}`, K = {dim}",
            "fits": fits,
            "simulations": group["simulations"].iloc[0],
            "quantities": len(group),
            "outside the band": ", ".join(f"`{n}`" for n in group.loc[group["outside"], "quantity"])
            or "–",
            "largest deviation": f"{group['deviation'].max():.2f}",
        }
        for (model, dim, fits), group in table.groupby(["model", "dim", "fits"], sort=False)
    ]
    outside = table.groupby("fits")["outside"].sum()
    return Section(
        "Simulation-based calibration",
        "",
        [
            PageFigure(
                "sbc",
                "Each panel: the empirical distribution function of the ranks of one quantity, less"
                " that of uniform ranks, in the band that holds the whole line in 95 % of cases if"
                " ranks are uniform (Säilynoja, Bürkner & Vehtari, 2022). A line that leaves it is"
                " orange; the dotted line is of the fits whose chain was not stuck (see below)."
                " Above zero throughout: posteriors lie too high; below: too low. Above at the left"
                " and below at the right: posteriors are too narrow; the reverse: too wide."
                " `log_joint` and `log_likelihood` are of parameters and network together (Modrák"
                " et al., 2025). Pairs, dyads and nodes are exchangeable: the first two stand for"
                " all; the tutorial's log mean is minus the log of a distance.",
                ranks,
            ),
            PageTable(
                "sbc",
                f"A deviation of 1 reaches the band's edge. {outside[ALL]} of {len(table) // 2}"
                f" lines are outside, {outside[MOVED]} without stuck chains;"
                f" {0.025 * len(table):.1f} are expected, but lines of one model are not"
                " independent.",
                table,
                pd.DataFrame(rows).sort_values(["", "fits"]),
            ),
        ],
    )


def _of_coverage(table: pd.DataFrame) -> Section:
    groups = {
        name: table[table["model"] == group].set_index("quantity")
        for name, group in (("", ALL), (", not stuck", MOVED))
    }
    single = table[~table["model"].isin((ALL, MOVED))]
    comparisons = len(SHARES) * len(single)
    chance = 2 * stats.t.sf(LIMIT, single["simulations"].max() - 1) * comparisons
    together = [
        {
            "": quantity if quantity in KINDS else f"`{quantity}`",
            **{
                column: cell
                for group, rows in groups.items()
                for column, cell in _coverage(rows, quantity, group).items()
            },
        }
        for quantity in groups[""].index
    ]
    flagged = single[single["flagged"]].to_dict("records")
    by_model = [
        {
            "model": f"`{row['model']}`",
            "quantity": row["quantity"],
            "fits": row["simulations"],
            **{f"{end} %": _share(row, end) for end in SHARES},
        }
        for row in flagged
    ]
    expected = (
        f"Among the {comparisons} comparisons of single models about {chance:.0f} are to be"
        f" expected beyond {LIMIT:g} standard errors, as these are themselves estimated"
        f" (Student's t). There {'are those in bold.' if flagged else 'is none.'}"
    )
    return Section(
        "Coverage",
        "",
        [
            PageFigure("coverage", "Coverage of each model's intervals.", plot_coverage(table)),
            PageTable(
                "coverage",
                "The share of central 50 % and 90 % posterior intervals that hold the true value,"
                " ± one standard error over simulations (dyads of one network are not independent),"
                " which is not taken to be less than that of as many independent intervals. All"
                " models together, and those of their fits whose chain was not stuck (see below);"
                f" bold where it is beyond {LIMIT:g} standard errors. Each model:",
                table,
                pd.DataFrame(together),
            ),
            *([PageTable(None, expected, pd.DataFrame(by_model))] if flagged else [expected]),
        ],
    )


def _coverage(rows: pd.DataFrame, quantity: str, group: str) -> dict[str, Any]:
    """Return a quantity's cells of a group of fits."""
    known = quantity in rows.index
    return {
        f"fits{group}": rows.loc[quantity, "simulations"] if known else 0,
        **{f"{end} %{group}": _share(rows.loc[quantity], end) if known else "–" for end in SHARES},
    }


def _share(row: Mapping[Any, Any] | pd.Series[Any], end: str) -> str:
    share, error = row[f"covered_{end}"], row[f"error_{end}"]
    text = with_error(share, error, 3)
    return f"**{text}**" if abs(share - SHARES[end]) > LIMIT * error else text


def _of_fits(table: pd.DataFrame) -> Section:
    columns = ["failed", "divergent", "saturated", "stuck", "slow", "any", "empty"]
    shown = table.assign(model="`" + table["model"] + "`")
    shown = shown.rename(columns={"nodes": "N", "dim": "K", "simulations": "fits"})
    total = {"model": "**all**", **shown[["fits", *columns]].sum()}
    shown = pd.concat([shown, pd.DataFrame([total])])
    return Section(
        "Fits with trouble",
        "Fits that *failed* (CmdStan stopped, or the weights were too large to draw), were"
        f" *divergent* (any divergence), *saturated* (over {MAX_SATURATED:.0%} of draws at the"
        " depth limit), *stuck* (over half of them) or *slow* (an effective sample size, the least"
        " of the log joint and the scalar parameters, below the number of ranked draws), or *any*"
        " of these; and networks that are *empty*. All but failed fits are in the results above.",
        [
            PageTable(
                "fits",
                f"All fits together took {table['seconds'].sum() / 60:.0f} minutes.",
                table,
                shown[["model", "K", "N", "fits", *columns]],
            )
        ],
    )
