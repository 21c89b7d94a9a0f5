"""The page of the calibration: tables, figures and README.md from finished simulations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from scipy import stats

from lsm_stan.files import markdown
from lsm_stan.posterior.checks import MAX_SATURATED
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
    folder
        Where to.
    sbc, covered
        The simulations of each study; failed ones have no ranks.
    """
    groups = {ALL: sbc, MOVED: {study: moved(records) for study, records in sbc.items()}}
    ranks = {
        group: {study: sbc_ranks(records) for study, records in results.items()}
        for group, results in groups.items()
    }
    uniformity, coverages = sbc_table(ranks), coverage_table(covered)
    fits = fit_table({**sbc, **covered})
    for name, table in (("sbc", uniformity), ("coverage", coverages), ("fits", fits)):
        table.to_csv(folder / f"{name}.csv", index=False, float_format="%.4g")
    plot_sbc(ranks[ALL], ranks[MOVED]).savefig(folder / "sbc.png", dpi=110)
    plot_coverage(coverages).savefig(folder / "coverage.png", dpi=110)
    lines = [*_introduction(sbc, covered), *_found(uniformity, coverages, fits)]
    lines += [*_of_sbc(uniformity), *_of_coverage(coverages), *_of_fits(fits)]
    (folder / "README.md").write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


def _introduction(sbc: Results, covered: Results) -> list[str]:
    return [
        "# Calibration",
        "",
        "Made by `make calibration`; do not edit.",
        "",
        "Does NUTS, on this Stan program, draw from the posterior of the model that it is said to?"
        " Parameters are drawn from a model's priors (`draw_parameters`), a network from the model"
        " at them (`simulate`), the model is fitted to the network (`LatentSpaceModel.sample`),"
        " and the true value of a quantity is ranked among its posterior draws. If priors,"
        " likelihood, simulator and sampler are all right, ranks are uniform: for every quantity,"
        " whatever the size of the network.",
        "",
        "- The simulator is NumPy, the posterior Stan and C++: they share no formula.",
        '- One chain of NUTS, `init="random"`, `precondition=False`, else CmdStan\'s defaults.'
        f" For simulation-based calibration {_settings(sbc)}; for coverage {_settings(covered)}."
        " The truth is ranked among the draws that thinning leaves, so that autocorrelation matters"
        " little.",
        "- Networks are directed and all dyads observed, but where it says otherwise. Covariates"
        " are random numbers and groups, the same in every network of a model. Parameters of"
        " clusters, which have no order, are ranked by size.",
        "- No prior is wider than the models' own, under which some networks have weights of 10⁹:"
        f" {_priors(covered)}. Scales of priors are data of the Stan program: it is the same"
        " program. Those of `phi` and of the tutorial are their own.",
        "- A fit with trouble counts like any other.",
        "",
    ]


def _found(uniformity: pd.DataFrame, coverages: pd.DataFrame, fits: pd.DataFrame) -> list[str]:
    every = uniformity[uniformity["fits"] == ALL]
    lines = []
    for (model, dim), group in every.groupby(["model", "dim"], sort=False):
        outside = group[group["outside"]]
        names = ", ".join(f"`{name}`" for name in outside["quantity"])
        lines.append(
            f"- `{model}`, K = {dim}: outside their 95 % bands are, of {len(group)} quantities,"
            f" {names or 'none'}; the largest deviation is {group['deviation'].max():.2f}, where 1"
            " is the band's edge."
        )
    together = coverages[coverages["model"] == ALL].set_index("quantity")
    shares = [
        f"{kind} {_share(together.loc[kind], '90')}" for kind in KINDS if kind in together.index
    ]
    lines.append(
        f"- 90 % intervals of {len(fits['model'].unique())} models hold the truth in these shares:"
        f" {', '.join(shares)}."
    )
    flagged = [f"`{name}`" for name in together.index[together["flagged"]] if name not in KINDS]
    lines.append(
        f"- Parameters whose intervals, of all models together, are beyond {LIMIT:g} standard"
        f" errors: {', '.join(flagged) or 'none'}."
    )
    return ["## What was found", "", *lines, ""]


def _settings(results: Results) -> str:
    study = next(iter(results))
    return (
        f"N = {study.nodes}, {study.warmup} iterations of warmup and {study.draws} draws"
        f" {study.thin} iterations apart"
    )


def _priors(results: Results) -> str:
    scales: dict[str, list[float]] = {}
    for study in results:
        for name, scale in study.priors.items():
            scales.setdefault(name, []).append(scale)
    return ", ".join(
        f"`{name}` {' or '.join(f'{scale:g}' for scale in sorted(set(values)))}"
        for name, values in scales.items()
    )


def _of_sbc(table: pd.DataFrame) -> list[str]:
    rows = [
        [
            f"`{model}`, K = {dim}",
            str(fits),
            f"{group['simulations'].iloc[0]}",
            f"{len(group)}",
            ", ".join(f"`{name}`" for name in group.loc[group["outside"], "quantity"]) or "–",
            f"{group['deviation'].max():.2f}",
        ]
        for (model, dim, fits), group in table.groupby(["model", "dim", "fits"], sort=False)
    ]
    rows.sort()
    outside = table.groupby("fits")["outside"].sum()
    return [
        "## Simulation-based calibration",
        "",
        "![ECDF of ranks](sbc.png)",
        "",
        "Each panel: the empirical distribution function of the ranks of one quantity, less that of"
        " uniform ranks, in the band that holds the whole line in 95 % of cases if ranks are"
        " uniform (Säilynoja, Bürkner & Vehtari, 2022). A line that leaves it is orange; the dotted"
        " line is of the fits whose chain was not stuck (see below). Above zero throughout:"
        " posteriors lie too high; below: too low. Above at the left and below at the right:"
        " posteriors are too narrow; the reverse: too wide. `log_joint` and `log_likelihood` are of"
        " parameters and network together (Modrák et al., 2025). Pairs, dyads and nodes are"
        " exchangeable: the first two stand for all; the tutorial's log mean is minus the log of a"
        " distance.",
        "",
        *markdown(
            ["", "fits", "simulations", "quantities", "outside the band", "largest deviation"],
            rows,
        ),
        "",
        f"A deviation of 1 reaches the band's edge. Of {len(table) // 2} lines {outside[ALL]} are"
        f" outside, but for stuck chains {outside[MOVED]}; {0.025 * len(table):.1f} are expected,"
        " but lines of one model are not independent.",
        "",
    ]


def _of_coverage(table: pd.DataFrame) -> list[str]:
    together, but_stuck = (
        table[table["model"] == group].set_index("quantity") for group in (ALL, MOVED)
    )
    single = table[~table["model"].isin((ALL, MOVED))]
    comparisons = len(SHARES) * len(single)
    chance = 2 * stats.t.sf(LIMIT, single["simulations"].max() - 1) * comparisons
    flagged = single[single["flagged"]]
    return [
        "## Coverage",
        "",
        "![coverage of intervals](coverage.png)",
        "",
        "The share of central 50 % and 90 % posterior intervals that hold the true value, ± one"
        " standard error over simulations (dyads of one network are not independent), which is not"
        " taken to be less than that of as many independent intervals. All models together, and"
        " those of their fits whose chain was not stuck (see below); bold where it is beyond"
        f" {LIMIT:g} standard errors. [coverage.csv](coverage.csv) has each model.",
        "",
        *markdown(
            ["", "fits", "50 %", "90 %", "but stuck", "50 %", "90 %"],
            [
                [
                    str(quantity) if quantity in KINDS else f"`{quantity}`",
                    *(
                        cell
                        for rows in (together, but_stuck)
                        for cell in (
                            [f"{rows.loc[quantity, 'simulations']}"]
                            + [_share(rows.loc[quantity], end) for end in SHARES]
                            if quantity in rows.index
                            else ["0", "–", "–"]
                        )
                    ),
                ]
                for quantity in together.index
            ],
        ),
        "",
        f"Of {comparisons} comparisons of single models about {chance:.0f} are to be expected"
        f" beyond {LIMIT:g} standard errors, as these are themselves estimated (Student's t). There"
        f" {'are those in bold:' if len(flagged) else 'is none.'}",
        "",
        *(
            markdown(
                ["", "", "fits", "50 %", "90 %"],
                [
                    [
                        f"`{row['model']}`",
                        row["quantity"],
                        f"{row['simulations']}",
                        *(_share(row, end) for end in SHARES),
                    ]
                    for _, row in flagged.iterrows()
                ],
            )
            if len(flagged)
            else []
        ),
        "",
    ]


def _share(row: pd.Series[Any], end: str) -> str:
    found, error = row[f"covered_{end}"], row[f"error_{end}"]
    text = f"{found:.3f} ± {error:.3f}"
    return f"**{text}**" if abs(found - SHARES[end]) > LIMIT * error else text


def _of_fits(table: pd.DataFrame) -> list[str]:
    counts = ["failed", "divergent", "saturated", "stuck", "slow", "any", "empty"]
    total = table[["simulations", *counts]].sum()
    return [
        "## Fits with trouble",
        "",
        "Fits that *failed* (CmdStan stopped, or the weights were too large to draw), were"
        f" *divergent* (any divergence), *saturated* (over {MAX_SATURATED:.0%} of draws at the"
        " depth limit), *stuck* (over half of them) or *slow* (an effective sample size, the least"
        " of the log joint and the scalar parameters, below the number of ranked draws), or *any*"
        " of these; and networks that are *empty*. All but failed fits are in the results above.",
        "",
        *markdown(
            ["", "K", "N", "fits", *counts],
            [
                *(
                    [
                        f"`{row['model']}`",
                        *(f"{row[c]}" for c in ("dim", "nodes", "simulations", *counts)),
                    ]
                    for row in table.to_dict("records")
                ),
                ["**all**", "", "", *(f"**{count}**" for count in total)],
            ],
        ),
        "",
        f"All fits together took {table['seconds'].sum() / 60:.0f} minutes.",
    ]
