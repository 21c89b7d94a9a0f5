"""The page of the results, from the tables of all parts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks import plots
from benchmarks.problem import CELEGANS
from lsm_stan.files import write_files
from lsm_stan.inference.moves import DEPTH
from lsm_stan.report.markdown import markdown_files
from lsm_stan.report.page import Page, PageFigure, PageTable, Section
from lsm_stan.text import brief

#: What an implementation of the gradient is.
IMPLEMENTATIONS = {
    "stan-literal": "the tutorial line for line in Stan (`benchmarks/stan/literal.stan`)",
    "stan-distance": "the tutorial as a user of Stan writes it (`benchmarks/stan/distance.stan`)",
    "stan-reference": 'this package, sums in the Stan language (`kernel="stan"`)',
    "pymc": "PyMC, `pm.Model` compiled to value and gradient",
    "jax": "JAX, `value_and_grad` compiled by XLA, double precision, as NumPyro runs it;"
    " on every core of the machine, the others on one",
    "lsm-kernel": 'this package, sums in C++ (`kernel="cpp"`)',
}

#: What a search for a mode is.
SEARCHES = {
    "adam-jax": "the tutorial: 2,500 steps of Adam as Edward sets it, one compiled loop of JAX",
    "lbfgs-plain": "one run of CmdStan's L-BFGS: `optimize(starts=1, ladder=())`",
    "continuation-1": "softened continuation from one start: `optimize(starts=1)`",
    "continuation": "softened continuation, default starts: `optimize()`",
}

#: What a run of NUTS is.
RUNS = {
    "nuts-moves": "with the change of variables, and moves of nodes: `sample()`",
    "nuts-preconditioned": "with the change of variables: `sample(moves=False)`",
    "nuts-plain": "without: `sample(precondition=False)`",
}


def write(output: Path) -> None:
    """Write README.md and the plots of a folder of results.

    Parameters
    ----------
    output : Path
        Holds ``<part>.csv`` and ``<part>.json`` of the parts that were run; the others are
        left out.
    """
    write_files(output, markdown_files(page(output)))


def page(output: Path) -> Page:
    """Lay the results of a folder out as a page, for Markdown."""
    sections, findings = [], []
    for part, section in {"gradient": _gradient, "map": _map, "nuts": _nuts}.items():
        if (output / f"{part}.csv").exists():
            details = json.loads((output / f"{part}.json").read_text(encoding="utf-8"))
            if details["quick"]:
                findings.append(
                    f"**{part}: a quick trial, whose numbers are not to be relied on.**"
                )
            results = pd.read_csv(output / f"{part}.csv", keep_default_na=False)
            sections += [section(results, details), _machine(part, details)]
    subtitle = "Made by `make bench`; do not edit."
    summary = [Section("", "", [findings])] if findings else []
    return Page("Benchmarks", subtitle, {}, summary, sections, "")


def fastest(results: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the fastest variant of each implementation at each size."""
    rows = results.groupby(["implementation", "nodes"], sort=False)["ms_median"].idxmin()
    return results.loc[rows].reset_index(drop=True)


def ratios(results: pd.DataFrame) -> pd.DataFrame:
    """Return how many times as long as the kernel others take, at the same number of nodes.

    Parameters
    ----------
    results : DataFrame
        Rows of one size, as in ``gradient.csv``.

    Returns
    -------
    pandas.DataFrame
        By ``implementation`` but the kernel: ``median``, the ratio of medians; ``low`` and
        ``high``, from the quartiles that bring both nearest and farthest.
    """
    table = results.set_index("implementation")
    kernel, others = table.loc["lsm-kernel"], table.drop("lsm-kernel")
    return pd.DataFrame(
        {
            "median": others["ms_median"] / kernel["ms_median"],
            "low": others["ms_low"] / kernel["ms_high"],
            "high": others["ms_high"] / kernel["ms_low"],
        }
    )


def _gradient(results: pd.DataFrame, details: Mapping[str, Any]) -> Section:
    best = fastest(results)
    size = CELEGANS if CELEGANS in set(best["nodes"]) else best["nodes"].max()
    times = best.pivot_table("ms_median", index="implementation", columns="nodes")
    times = times.reindex([name for name in IMPLEMENTATIONS if name in times.index])
    shown = pd.DataFrame(
        {
            "": [f"`{name}`" for name in times.index],
            "what": [IMPLEMENTATIONS[name] for name in times.index],
            **{f"N = {n:,}": times[n].tolist() for n in times},
        }
    )
    times_kernel = ratios(best[best["nodes"] == size])
    comparison = pd.DataFrame(
        {
            "": [f"`{name}`" for name in times_kernel.index],
            "times as long as `lsm-kernel`": times_kernel["median"].map("{:.3g}".format),
            "from": times_kernel["low"].map("{:.3g}".format),
            "to": times_kernel["high"].map("{:.3g}".format),
        }
    )
    largest = details["largest_difference"]
    sizes = ", ".join(f"{int(n):,} ({e:,})" for n, e in details["edges"].items())
    skipped = [f"Left out: {'; '.join(details['skipped'])}."] if details["skipped"] else []
    return Section(
        "Value and gradient of the log joint, K = 3",
        f"Milliseconds of one value and gradient at N nodes, median over rounds; N = {CELEGANS}"
        " is *C. elegans*.",
        [
            PageTable("gradient", "All variants, and quartiles:", results, shown),
            PageFigure("gradient", "Time against nodes; bars are quartiles.", plots.gradient(best)),
            PageTable(
                None, f"At N = {size}; *from*, *to*: the quartiles of both sides.", comparison
            ),
            f"One evaluation of the kernel at N = 20,000 with 200,000 edges has a peak memory of"
            f" {details['peak_memory_bytes'] / 1e6:.0f} MB. All compute the same density: the"
            f" largest relative difference is {largest['value']:.1e} in value and"
            f" {largest['gradient']:.1e} in gradient (relative to its largest component), checked"
            " in this run before the clock was started.",
            [
                f"Rounds go over all implementations ({_rounds(details['rounds'])}), each measured"
                f" for {details['seconds_a_measurement']:g} s or more a round.",
                "A number is the time of one value and gradient in a loop of nothing else: in the"
                " model's own executable, in one call of XLA, in a compiled function. In the"
                " variant `in the sampler` it is CmdStan's own sampling time over the gradients"
                " NUTS took.",
                "All run on one thread, but JAX, which takes the cores it wants.",
                f"Nodes (edges): {sizes}. Networks but *C. elegans* are simulated from the model,"
                " spread so that a node has about 8 edges as in *C. elegans*; Gaussian positions.",
                "The fastest of several variants counts; those far behind in the first round are"
                " dropped, and beyond *C. elegans* not tried again. At"
                f" N = {size}: {_variants(results[results['nodes'] == size])}.",
                *skipped,
            ],
        ],
    )


def _map(results: pd.DataFrame, details: Mapping[str, Any]) -> Section:
    rows = [
        {
            "": f"`{name}`",
            "what": SEARCHES[str(name)],
            "loss": ", ".join(f"{loss:,.1f}" for loss in runs["loss"]),
            "seconds": ", ".join(f"{seconds:.1f}" for seconds in runs["seconds"]),
        }
        for name, runs in results.groupby("implementation", sort=False)
    ]
    seeds = ", ".join(map(str, results["seed"].unique()))
    return Section(
        f"Posterior mode of {_network(details)}, K = 3",
        f"Loss (minus the log joint) and seconds, for seeds {seeds}. Compilation is not counted,"
        " JAX's neither; all start from draws of N(0, I).",
        [
            PageTable("map", "A row a search:", results, pd.DataFrame(rows)),
            PageFigure("map", "Loss against time.", plots.modes(results)),
        ],
    )


def _nuts(results: pd.DataFrame, details: Mapping[str, Any]) -> Section:
    shown = pd.DataFrame(
        {
            "": [f"`{name}`" for name in results["implementation"]],
            "what": results["implementation"].map(RUNS),
            "gradients a draw": results["gradients"],
            "seconds": results["seconds"],
            "ESS, median": results["ess_median"],
            "ESS, 5 %": results["ess_p05"],
            "median ESS / s": results["ess_median"] / results["seconds"],
            "5 % ESS / s": results["ess_p05"] / results["seconds"],
            "R-hat, 95 %": results["rhat_p95"],
        }
    )
    return Section(
        f"NUTS on {_network(details)}, K = 3, with and without the change of variables and moves",
        f"{details['chains']} chains of {details['warmup']} + {details['draws']} iterations from"
        f" one mode (loss {details['mode_loss']:,.1f}), max_treedepth"
        f" {details['max_treedepth']}, with moves {DEPTH};"
        " bulk ESS and R-hat of a fixed random set of 500 distances. Seconds are of the whole"
        " run without the mode: warmup and, with the change of variables, the short first run"
        " that shapes it, and that which teaches jumps.",
        [
            PageTable("nuts", "One run each, at one seed:", results, shown),
            PageFigure(
                "nuts",
                "Effective draws a second: the median over distances, and their 5 % quantile.",
                plots.sampling(results),
            ),
        ],
    )


def _network(details: Mapping[str, Any]) -> str:
    """Say which network modes and draws are of."""
    return "a small network" if details["quick"] else "*C. elegans*"


def _machine(part: str, details: Mapping[str, Any]) -> Section:
    facts = {**details["machine"], "load after": details["load_after"]}
    points = [f"{name}: {value}" for name, value in facts.items()]
    return Section(f"Machine and versions: {part}", "", [points], folded=True)


def _variants(results: pd.DataFrame) -> str:
    return "; ".join(
        f"{row.implementation} ({row.variant}) {brief(row.ms_median)} ms"
        for row in results[results["variant"] != ""].itertuples()
    )


def _rounds(rounds: int | list[int]) -> str:
    if isinstance(rounds, int):
        return f"{rounds} of them"
    return f"{rounds[0]} of them up to N = {CELEGANS}, {rounds[1]} to 1,000, {rounds[2]} beyond"
