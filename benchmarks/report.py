"""The page of the results: README.md and the plots, from the tables of all parts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks import plots
from benchmarks.problem import CELEGANS
from lsm_stan.files import markdown

#: What an implementation of the gradient is.
IMPLEMENTATIONS = {
    "stan-literal": "the tutorial line for line in Stan (`benchmarks/stan/literal.stan`)",
    "stan-distance": "the tutorial as a user of Stan writes it (`benchmarks/stan/distance.stan`)",
    "stan-reference": 'this package, sums in the Stan language (`kernel="stan"`)',
    "pymc": "PyMC, `pm.Model` compiled to value and gradient",
    "jax": "JAX, `value_and_grad` compiled by XLA, double precision, as NumPyro runs it;"
    " on every core of the machine, the others on one",
    "lsm-kernel": 'this package, sums in C++ (`kernel="cpp"`)',
    "bare-loop": "pairs and edges in plain C++, outside Stan (`benchmarks/bare_loop.cpp`)",
}

#: What a search for a mode is.
SEARCHES = {
    "adam-jax": "the tutorial: 2,500 steps of Adam as Edward sets it, one compiled loop of JAX",
    "lbfgs-plain": "one run of CmdStan's L-BFGS: `optimize(starts=1, ladder=())`",
    "continuation-1": "softened continuation from one start: `optimize(starts=1)`",
    "continuation": "softened continuation, default starts: `optimize()`",
}

#: The lowest loss known before these benchmarks.
BEST_LOSS = 35_407.5


def write(output: Path) -> None:
    """Write README.md and the plots of a folder of results.

    Parameters
    ----------
    output
        Holds ``<part>.csv`` and ``<part>.json`` of the parts that were run; the others are
        left out.
    """
    lines = [
        "# Benchmarks",
        "",
        "Made by `make bench`; do not edit. *wanted*: set before the work began.",
        "",
    ]
    parts: dict[str, Callable[[Path, pd.DataFrame, dict[str, Any]], list[str]]] = {
        "gradient": _gradient,
        "map": _map,
        "nuts": _nuts,
    }
    for part, section in parts.items():
        if (output / f"{part}.csv").exists():
            details = json.loads((output / f"{part}.json").read_text(encoding="utf-8"))
            if details["quick"]:
                lines += ["**A quick trial: these numbers are not to be relied on.**", ""]
            lines += section(output, pd.read_csv(output / f"{part}.csv"), details)
            lines += ["", *_machine(details), ""]
    (output / "README.md").write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


def _gradient(output: Path, results: pd.DataFrame, details: dict[str, Any]) -> list[str]:
    variants = pd.read_csv(output / "gradient_variants.csv", keep_default_na=False)
    plots.gradient(results).savefig(output / "gradient.png", dpi=150)
    table = results.pivot_table("ms_median", index="implementation", columns="nodes")
    order = [name for name in IMPLEMENTATIONS if name in table.index]
    rows = [
        [f"`{name}`", IMPLEMENTATIONS[name], *(_number(table.loc[name, n]) for n in table.columns)]
        for name in order
    ]
    largest = details["largest_difference"]
    sizes = ", ".join(f"{int(n):,} ({e:,})" for n, e in details["edges"].items())
    return [
        "## Value and gradient of the log joint, K = 3",
        "",
        f"Milliseconds of one value and gradient at N nodes, median over rounds; N = {CELEGANS}"
        " is *C. elegans*.",
        "",
        *markdown(["", "what", *(f"N = {n:,}" for n in table.columns)], rows),
        "",
        "![time against nodes](gradient.png)",
        "",
        *_criteria(results, variants, details),
        "",
        f"All compute the same density: largest relative difference {largest['value']:.1e} in"
        f" value, {largest['gradient']:.1e} in gradient (of its largest component), checked in"
        " this run before the clock was started.",
        "",
        f"- Rounds over all implementations ({_rounds(details['rounds'])}), each measured for"
        f" {details['seconds_a_measurement']:g} s or more a round; the table has medians,"
        " `gradient.csv` the quartiles too.",
        "- A number is the time of one value and gradient in a loop of nothing else: in the model's"
        " own executable, in one call of XLA, in a compiled function. In the variant `in the"
        " sampler` it is CmdStan's own sampling time over the gradients NUTS took.",
        "- One thread, but JAX, which takes the cores it wants.",
        f"- Nodes (edges): {sizes}. Networks but *C. elegans* are simulated from the model,"
        " spread so that a node has about 8 edges as in *C. elegans*; Gaussian positions.",
        "- Of several variants the fastest counts (`gradient_variants.csv`; those far behind in"
        " the first round are dropped, and beyond *C. elegans* not tried again).",
        f"  At N = {CELEGANS}: {_variants(variants)}.",
        *(["- Left out: " + "; ".join(details["skipped"]) + "."] if details["skipped"] else []),
    ]


def _criteria(results: pd.DataFrame, variants: pd.DataFrame, details: dict[str, Any]) -> list[str]:
    """Compare with what the kernel was built for."""
    ms = results[results["nodes"] == CELEGANS].set_index("implementation")["ms_median"]
    rows = []
    if "lsm-kernel" in ms:
        kernel = ms["lsm-kernel"]
        rows += [
            _criterion(f"`{name}` / `lsm-kernel`", ms[name] / kernel, ">=", 100)
            for name in ("stan-literal", "stan-distance")
            if name in ms
        ]
        rivals = ms[ms.index.isin(["jax", "pymc"])]
        if len(rivals):
            name = f"best of JAX and PyMC (`{rivals.idxmin()}`) / `lsm-kernel`"
            rows.append(_criterion(name, rivals.min() / kernel, ">=", 12))
        here = variants[
            (variants["nodes"] == CELEGANS) & variants["variant"].str.startswith("tutorial")
        ]
        if len(here):
            name = "the same, of those that keep the tutorial's dense counts"
            rows.append(_criterion(name, here["ms_median"].min() / kernel, ">=", 12))
        plain = variants[(variants["nodes"] == CELEGANS) & (variants["variant"] == "plain")]
        for bare in plain["ms_median"]:
            name = "`lsm-kernel` / the bare loop as the compiler makes it at -O3"
            rows.append(_criterion(name, kernel / bare, "<=", 1.4))
        if "bare-loop" in ms:
            name = "`lsm-kernel` / `bare-loop`, every trick allowed"
            rows.append(_criterion(name, kernel / ms["bare-loop"], "<=", 1.4))
    memory = details["peak_memory_bytes"] / 1e9
    rows.append(
        _criterion(
            "peak memory of one evaluation at N = 20,000, 200,000 edges, in GB", memory, "<=", 1
        )
    )
    return markdown([f"at N = {CELEGANS}", "found", "wanted", ""], rows)


def _criterion(what: str, found: float, relation: str, wanted: float) -> list[str]:
    held = found >= wanted if relation == ">=" else found <= wanted
    sign = "≥" if relation == ">=" else "≤"
    return [what, f"{found:.3g}", f"{sign} {wanted:g}", "held" if held else "**missed**"]


def _map(output: Path, results: pd.DataFrame, details: dict[str, Any]) -> list[str]:
    plots.modes(results, min(BEST_LOSS, results["loss"].min())).savefig(output / "map.png", dpi=150)
    rows = []
    for name, runs in results.groupby("implementation", sort=False):
        losses = ", ".join(f"{loss:,.1f}" for loss in runs["loss"])
        seconds = ", ".join(f"{s:.1f}" for s in runs["seconds"])
        rows.append([f"`{name}`", SEARCHES[str(name)], losses, seconds])
    seeds = ", ".join(map(str, results["seed"].unique()))
    lines = [
        "## Posterior mode of *C. elegans*, K = 3",
        "",
        f"Loss (minus the log joint; best known before {BEST_LOSS:,.1f}) and seconds, for seeds"
        f" {seeds}.",
        "",
        *markdown(["", "what", "loss", "seconds"], rows),
        "",
        "![loss against time](map.png)",
        "",
        "Compilation is not counted, JAX's neither; all start from draws of N(0, I).",
    ]
    median = results.groupby("implementation")["seconds"].median()
    if "adam-jax" in median:
        ratios = [
            f"`{name}` {median[name] / median['adam-jax']:.1f}"
            for name in SEARCHES
            if name in median and name != "adam-jax"
        ]
        lines.append(f"Median time in units of one Adam run: {', '.join(ratios)}.")
    return lines


def _nuts(output: Path, results: pd.DataFrame, details: dict[str, Any]) -> list[str]:
    plots.sampling(results).savefig(output / "nuts.png", dpi=150)
    results = results.set_index("implementation")
    rows = [
        [
            f"`{name}`",
            f"{row.gradients:,.0f}",
            f"{row.seconds:.1f}",
            f"{row.ess_median:,.0f}",
            f"{row.ess_p05:,.0f}",
            f"{row.ess_median / row.seconds:.3g}",
            f"{row.ess_p05 / row.seconds:.3g}",
            f"{row.rhat_p95:.3f}",
        ]
        for name, row in results.iterrows()
    ]
    head = ["", "gradients a draw", "seconds", "ESS, median", "ESS, 5 %", "median ESS / s",
            "5 % ESS / s", "R-hat, 95 %"]  # fmt: skip
    on, off = results.loc["nuts-preconditioned"], results.loc["nuts-plain"]
    ratio = off.gradients / on.gradients
    agreement = [
        [
            what,
            f"{found['rms']:.2f}",
            f"{found['beyond_2']:.1%}",
            f"{found['largest']:.1f}",
        ]
        for what, found in details["comparison"].items()
    ]
    return [
        "## NUTS on *C. elegans*, K = 3, with and without the change of variables",
        "",
        f"{details['chains']} chains of {details['warmup']} + {details['draws']} iterations from"
        f" one mode (loss {details['mode_loss']:,.1f}), max_treedepth {details['max_treedepth']};"
        " bulk ESS and R-hat of a fixed random set of 500 distances. Seconds are of the whole"
        " run without the mode: warmup and, with the change of variables, the short first run"
        " that shapes it.",
        "",
        *markdown(head, rows),
        "",
        "![effective draws a second](nuts.png)",
        "",
        *markdown(
            ["", "found", "wanted", ""],
            [_criterion("gradients a draw, without / with", ratio, ">=", 15)],
        ),
        "",
        "Is the posterior the same? Differences between the two runs' means and standard"
        " deviations of the 500 distances, in units of their Monte-Carlo standard error (ArviZ's"
        " `mcse`). For one posterior expect 1, 5 % and about 3; an ESS as low as that of the run"
        " without makes the errors themselves uncertain.",
        "",
        *markdown(["", "root mean square", "beyond 2", "largest"], agreement),
    ]


def _machine(details: dict[str, Any]) -> list[str]:
    items = {**details["machine"], "load after": details["load_after"]}
    return [
        "<details><summary>Machine and versions</summary>",
        "",
        *(f"- {name}: {value}" for name, value in items.items()),
        "",
        "</details>",
    ]


def _variants(variants: pd.DataFrame) -> str:
    here = variants[(variants["nodes"] == CELEGANS) & (variants["variant"] != "")]
    return "; ".join(
        f"{row.implementation} ({row.variant}) {_number(row.ms_median)} ms"
        for row in here.itertuples()
    )


def _rounds(rounds: int | list[int]) -> str:
    if isinstance(rounds, int):
        return f"{rounds} of them"
    return f"{rounds[0]} of them up to N = {CELEGANS}, {rounds[1]} to 1,000, {rounds[2]} beyond"


def _number(value: float) -> str:
    return "–" if pd.isna(value) else f"{value:.3g}" if value < 100 else f"{value:,.0f}"
