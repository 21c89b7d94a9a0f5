"""Gradients and modes of large networks: ``python -m benchmarks.large reports/large``.

Networks of growing size and of one mean degree are simulated, and the log joint density and its
gradient are evaluated where they come from: by the exact sum over pairs, and by the approximate
one. Seconds are those of one processor core, in one thread: other work on the machine does not
count. The error of the approximate sum is measured against the exact sums of random nodes. MAP with
the approximate sum, from one random start, is compared with the truth.
"""

from __future__ import annotations

import argparse
import math
import resource
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import psutil
from scipy.stats import spearmanr

from benchmarks.machine import describe
from lsm_stan import LatentSpaceModel, simulate
from lsm_stan.files import as_csv, as_png, write_files
from lsm_stan.inference.approximate import MEASURED, Approximate, measured_error
from lsm_stan.model.approximate import approximate_sums, charges, exact_sums
from lsm_stan.model.parameters import flat

SIZES = (10_000, 30_000, 100_000, 300_000, 1_000_000)
MODELS = ("poisson-squared-effects", "nb-squared-effects")

#: Mean number of edges that a node sends, and dimensions.
DEGREE, DIM = 10, 3

#: Networks whose modes are found, and how many pairs the distances are compared of.
FOUND = ((MODELS[0], 20_000), (MODELS[1], 20_000), (MODELS[0], 100_000))
PAIRS = 100_000

#: The largest network whose exact gradient is timed.
LARGEST_EXACT = 30_000


def made(model: str, n_nodes: int) -> tuple[LatentSpaceModel, dict[str, np.ndarray]]:
    """Return a model of a simulated network, and the parameters that it comes from."""
    rng = np.random.default_rng(n_nodes)
    spread = 0.5
    # the mean of exp(-d²) over pairs of standard normal positions is 5 ** (-K / 2)
    level = math.log(DEGREE / (n_nodes * 5 ** (-DIM / 2) * math.exp(spread**2)))
    parameters = {
        "z": rng.normal(size=(n_nodes, DIM)),
        "intercept": np.asarray(level),
        "sender_effect": spread * rng.normal(size=n_nodes),
        "receiver_effect": spread * rng.normal(size=n_nodes),
    }
    if model.startswith("nb"):
        parameters["phi"] = np.asarray(2.0)
    network, _ = simulate(n_nodes, DIM, seed=1, model=model, parameters=parameters)
    return LatentSpaceModel(network, DIM, model=model, prior_scale=1.0), parameters


def measure(model: str, n_nodes: int) -> list[dict[str, object]]:
    """Return a row for each kind of sum."""
    fitted, parameters = made(model, n_nodes)
    point = flat(fitted.problem.declared(parameters))
    facts = {"model": model, "nodes": n_nodes, "edges": fitted.network.n_edges}
    density = Approximate(fitted.problem)
    density.at_flat(point)  # the libraries plan their transforms
    started = time.process_time()
    value, gradient = density.at_flat(point)
    seconds = time.process_time() - started
    error = measured_error(density, parameters, value, seed=1)
    rows: list[dict[str, object]] = [
        {
            **facts,
            "sum": "approximate",
            "cpu_seconds": seconds,
            "log_joint_error": error["relative_error"],
            "node_gradient_error_95": _gradient_error(density, parameters, gradient),
        }
    ]
    if n_nodes <= LARGEST_EXACT:
        with fitted.compiled.density(fitted.problem.stan_data()) as process:
            (worker,) = (
                child
                for child in psutil.Process().children()
                if child.name() == Path(str(fitted.compiled.executable.exe_file)).name
            )
            process.log_prob_grad(point[None])
            before = worker.cpu_times().user
            process.log_prob_grad(point[None])
            rows.append({**facts, "sum": "exact", "cpu_seconds": worker.cpu_times().user - before})
    return rows


def recover(model: str, n_nodes: int) -> dict[str, object]:
    """Return a row: what MAP takes, and how its distances are ordered beside the true ones."""
    fitted, parameters = made(model, n_nodes)
    started = time.process_time()
    fit = fitted.optimize(seed=1, starts=1, sum="approximate", show_progress=False)
    seconds = time.process_time() - started
    first, second = np.random.default_rng(3).integers(n_nodes, size=(2, PAIRS))
    apart = first != second
    true, estimated = (
        np.linalg.norm(z[first[apart]] - z[second[apart]], axis=1)
        for z in (parameters["z"], fit.estimate["z"])
    )
    return {
        "model": model,
        "nodes": n_nodes,
        "edges": fitted.network.n_edges,
        "gradients": fit.record.details["gradients"],
        "cpu_seconds": seconds,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "converged": fit.converged,
        "log_joint_error": fit.record.details["sum_error"]["relative_error"],
        "rank_correlation": float(spearmanr(true, estimated).statistic),
    }


def _gradient_error(
    density: Approximate, parameters: dict[str, np.ndarray], gradient: np.ndarray
) -> float:
    """Return the error of 95 % of the nodes' whole gradients, edges and prior included."""
    spec, z = density.problem.spec, parameters["z"]
    n_nodes, dim = z.shape
    nodes = np.sort(np.random.default_rng(2).choice(n_nodes, MEASURED, replace=False))
    both = charges(spec, parameters)
    about = approximate_sums(spec, z, *both, tolerance=density.tolerance)
    exact = exact_sums(spec, z, *both, nodes)
    size = float(parameters["phi"]) if spec.dispersed else 1.0
    off = size * np.linalg.norm(about.slope[nodes] - exact.slope, axis=1)
    whole = np.linalg.norm(gradient[: n_nodes * dim].reshape(dim, n_nodes)[:, nodes], axis=0)
    return float(np.quantile(off / whole, 0.95))


def exponent(rows: pd.DataFrame) -> float:
    """Return the power of the number of nodes that CPU seconds grow with, by least squares."""
    return float(np.polyfit(np.log(rows["nodes"]), np.log(rows["cpu_seconds"]), 1)[0])


def as_table(table: pd.DataFrame) -> str:
    """Return a table in Markdown."""
    cells = table.map(lambda value: f"{value:.3g}" if isinstance(value, float) else str(value))
    lines = [list(table.columns), ["---"] * table.shape[1], *cells.to_numpy().tolist()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines).replace("nan", "")


def write(folder: Path, table: pd.DataFrame, modes: pd.DataFrame) -> None:
    """Write tables, figure and page."""
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    sentences = []
    for (model, kind), rows in table.groupby(["model", "sum"]):
        power = exponent(rows)
        style = "-o" if kind == "approximate" else "--s"
        axes.loglog(rows["nodes"], rows["cpu_seconds"], style, label=f"{model}, {kind}")
        last = f", N^{exponent(rows.tail(2)):.2f} in the last step" if len(rows) > 2 else ""
        sentences.append(f"- {model}, {kind} sum: CPU seconds grow as N^{power:.2f}{last}.")
    axes.set(xlabel="nodes", ylabel="CPU seconds of a gradient, one thread")
    axes.legend(frameon=False)
    machine = ", ".join(f"{name} {value}" for name, value in describe().items())
    page = [
        "# Large networks",
        " ".join((__doc__ or "").split("\n\n")[1].split()),
        "![seconds](seconds.png)",
        "\n".join(sentences),
        as_table(table),
        "`log_joint_error` is a bound from 200 random nodes, relative to the log joint, at a"
        " tolerance of 1e-4; `node_gradient_error_95` is the relative error of the gradients of"
        " 95 % of 200 random nodes, edges and prior included.",
        "## Modes",
        "MAP with the approximate sum, from one random start: seconds are those of all threads, the"
        " memory is the process's, and the rank correlation is Spearman's, of true and estimated"
        f" distances of {PAIRS:,} random pairs.",
        as_table(modes),
        f"Measured on: {machine}. The cores were shared with other work.",
    ]
    files = {
        "gradients.csv": as_csv(table),
        "modes.csv": as_csv(modes),
        "seconds.png": as_png(figure),
        "README.md": "\n\n".join([*page, ""]).encode(),
    }
    write_files(folder, files)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.large", description=__doc__)
    parser.add_argument("folder", type=Path, help="of the results")
    parser.add_argument("--most", type=int, default=SIZES[-1], help="nodes of the largest network")
    arguments = parser.parse_args()
    modes = []
    for name, n in FOUND:  # first: memory is the process's
        if n <= arguments.most:
            modes.append(recover(name, n))
            print(modes[-1], flush=True)
    measured = []
    for n in (size for size in SIZES if size <= arguments.most):
        for name in MODELS:
            measured += measure(name, n)
            print(measured[-1], flush=True)
    write(arguments.folder, pd.DataFrame(measured), pd.DataFrame(modes))
