"""The time of one value and gradient of the log joint, by every implementation.

All are checked against one another before the clock is started, in the same run. Then rounds
go over all of them, so that what disturbs the machine disturbs all alike; reported are median
and quartiles over the rounds.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import in_stan
from benchmarks.evaluator import Evaluator
from benchmarks.implementations import Implementation, implementations
from benchmarks.problem import CELEGANS, DIM, Problem, make_problem
from lsm_stan import Network
from lsm_stan.typing import FloatArray

#: The sizes; 297 is C. elegans.
NODES = (100, CELEGANS, 1000, 3000, 10_000)

#: Rounds at sizes up to a number of nodes.
ROUNDS = {CELEGANS: 9, 1000: 5, 10**9: 3}

#: Seconds of one measurement.
AT_LEAST = 0.5

#: An implementation is left out where it would take more memory, or more seconds a gradient.
BYTES_BUDGET, SECONDS_BUDGET = 6e9, 8.0

#: A variant this many times slower than another of its name is dropped after the first round,
#: and from C. elegans on not tried at larger sizes.
HOPELESS = 2.5

#: Largest relative difference between two implementations.
TOLERANCE = 1e-8

#: Nodes and edges of the network whose peak memory is measured.
LARGE = (20_000, 200_000)


@dataclass(eq=False)
class Timing:
    """One variant of an implementation at one size."""

    implementation: Implementation
    evaluator: Evaluator
    seconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """Median over the rounds so far."""
        return float(np.median(self.seconds))


class DisagreementError(Exception):
    """Two implementations do not compute the same density."""


def run(
    nodes: Sequence[int] = NODES, rounds: int | None = None, at_least: float = AT_LEAST
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Run the benchmark.

    Parameters
    ----------
    nodes : sequence of int, default NODES
        The sizes, in increasing order.
    rounds : int or None, default None
        At every size; by default those of `ROUNDS`.
    at_least : float, default AT_LEAST
        Seconds of one measurement.

    Returns
    -------
    results : pandas.DataFrame
        Columns ``implementation, variant, nodes, dim, ms_median, ms_low, ms_high``; low and high
        are quartiles.
    details : dict
        What was left out and why, the largest disagreement, edges, and peak memory.
    """
    rows: list[dict[str, Any]] = []
    skipped: list[str] = []
    worst = {"value": 0.0, "gradient": 0.0}
    edges = {}
    known: dict[str, tuple[int, float]] = {}  # variant: last size and its seconds a gradient
    hopeless: set[str] = set()
    for n_nodes in nodes:
        count = rounds or next(count for most, count in ROUNDS.items() if n_nodes <= most)
        with tempfile.TemporaryDirectory(prefix="lsm-stan-") as folder:
            problem = make_problem(n_nodes, Path(folder))
            edges[n_nodes] = problem.network.n_edges
            timings = []
            for candidate in implementations():
                if str(candidate) in hopeless:
                    continue
                if why := over_budget(candidate, n_nodes, known):
                    skipped.append(f"{candidate} at N = {n_nodes:,}: {why}")
                else:
                    print(f"N = {n_nodes}: readying {candidate}", flush=True)
                    timings.append(Timing(candidate, candidate.make(problem)))
            compare(timings, problem.positions, worst)
            timed = take_rounds(timings, count, at_least)
            if n_nodes >= CELEGANS:
                hopeless |= {str(t.implementation) for t in timings if t not in timed}
            del timings  # their memory, before the next size
        for timing in timed:
            known[str(timing.implementation)] = (n_nodes, timing.median)
            low, median, high = 1000 * np.quantile(timing.seconds, [0.25, 0.5, 0.75])
            rows.append(
                {
                    "implementation": timing.implementation.name,
                    "variant": timing.implementation.variant,
                    "nodes": n_nodes,
                    "dim": DIM,
                    "ms_median": median,
                    "ms_low": low,
                    "ms_high": high,
                }
            )
            line = f"  {timing.implementation}: {median:.4g} ms ({low:.4g} to {high:.4g})"
            print(line, flush=True)
    details = {
        "skipped": skipped,
        "largest_difference": worst,
        "edges": edges,
        "rounds": rounds or list(ROUNDS.values()),
        "seconds_a_measurement": at_least,
        "peak_memory_bytes": large_network_memory(),
    }
    return pd.DataFrame(rows), details


def over_budget(
    candidate: Implementation, n_nodes: int, known: dict[str, tuple[int, float]]
) -> str | None:
    """Tell why an implementation is left out at a size; None if it is not.

    Parameters
    ----------
    candidate : Implementation
        The implementation.
    n_nodes : int
        N.
    known : dict of str to tuple of int, float
        Size and seconds of the last measurement of each; time grows as N².
    """
    needed = candidate.bytes_a_cell * n_nodes**2
    if needed > BYTES_BUDGET:
        return f"about {needed / 1e9:.0f} GB"
    size, seconds = known.get(str(candidate), (n_nodes, 0.0))
    expected = seconds * (n_nodes / size) ** 2
    if expected > SECONDS_BUDGET:
        return f"about {expected:.0f} s a gradient"
    return None


def compare(timings: Sequence[Timing], positions: FloatArray, worst: dict[str, float]) -> None:
    """Check that all compute the same value and gradient at the same positions.

    Parameters
    ----------
    timings : sequence of Timing
        The implementations; the first is what the others are compared with.
    positions : ndarray
        ``(M, N, K)``.
    worst : dict of str to float
        The largest relative differences so far; updated. That of a gradient is relative to
        its largest component.

    Raises
    ------
    DisagreementError
        If a difference is larger than `TOLERANCE`.
    """
    expected, slope = timings[0].evaluator.evaluate(positions)
    scale = np.abs(slope).max(axis=(1, 2))
    for timing in timings[1:]:
        value, gradient = timing.evaluator.evaluate(positions)
        found = {
            "value": float(np.abs(value / expected - 1).max()),
            "gradient": float((np.abs(gradient - slope).max(axis=(1, 2)) / scale).max()),
        }
        for name, difference in found.items():
            if not difference <= TOLERANCE:
                raise DisagreementError(
                    f"{timing.implementation} and {timings[0].implementation} differ by "
                    f"{difference:.2g} in the {name} (at most {TOLERANCE:g})"
                )
            worst[name] = max(worst[name], difference)


def take_rounds(timings: Sequence[Timing], rounds: int, at_least: float) -> list[Timing]:
    """Time all implementations, one after the other, in rounds; return those not dropped."""
    for timing in timings:
        timing.evaluator.measure(at_least / 10)  # caches, and how long a measurement takes
    remaining = list(timings)
    for number in range(rounds):
        for timing in remaining:
            timing.seconds.append(timing.evaluator.measure(at_least))
        if number == 0:
            best: dict[str, float] = {}
            for timing in remaining:
                name = timing.implementation.name
                best[name] = min(best.get(name, np.inf), timing.median)
            remaining = [t for t in remaining if t.median <= HOPELESS * best[t.implementation.name]]
    return remaining


def large_network_memory() -> float:
    """Return the peak memory, in bytes, of one evaluation on the `LARGE` random network."""
    n_nodes, n_edges = LARGE
    rng = np.random.default_rng(3)
    cells = rng.choice(n_nodes * (n_nodes - 1), size=n_edges, replace=False)
    sender, receiver = np.divmod(np.sort(cells), n_nodes - 1)
    receiver += receiver >= sender  # no self-loops
    network = Network(
        names=tuple(map(str, range(n_nodes))),
        sender=sender,
        receiver=receiver,
        weight=rng.integers(1, 5, n_edges),
        directed=True,
    )
    positions = rng.normal(size=(1, n_nodes, DIM))
    with tempfile.TemporaryDirectory(prefix="lsm-stan-") as folder:
        return in_stan.peak_memory(Problem(network, positions, Path(folder)))
