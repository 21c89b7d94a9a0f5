"""What a fit will cost: time and memory of every method, before any is run.

A gradient of this model of this network is timed on this machine, and how many a method takes is
known from runs on networks of 300 to 2,000 nodes, real and simulated; both vary. So estimates are
ranges, and a network unlike these can leave them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from lsm_stan.errors import LsmStanError
from lsm_stan.inference.approximate import Approximate, levelled
from lsm_stan.inference.compiled_model import CompiledModel
from lsm_stan.inference.latent_space_model import requested_arguments
from lsm_stan.inference.methods import METHODS
from lsm_stan.inference.mode_checks import MAX_CURVATURE_SIZE
from lsm_stan.inference.problem import Problem
from lsm_stan.inference.starts import prior_starts
from lsm_stan.model.approximate import check_served
from lsm_stan.model.parameters import flat
from lsm_stan.processes import cores
from lsm_stan.progress import Progress
from lsm_stan.text import duration, listed

#: Gradients that are timed, at most, and seconds after which no more are.
TIMED, ENOUGH = 5, 2.0

#: Gradients of a run, from few to many: of a start of MAP, a path of Pathfinder, an iteration of a
#: chain of NUTS, a whole run of ADVI; of Laplace in each parameter; and of VI, whose sums are in
#: NumPy, as many gradients as take as long.
GRADIENTS = {
    "map": (400, 6000),
    "laplace": (2, 8),
    "pathfinder": (2_000, 15_000),
    "vi": (8_000, 80_000),
    "advi": (4_000, 60_000),
    "nuts": (20, 250),
}

#: MAP that does not visit every pair: its name, gradients of a start, vectors that L-BFGS and the
#: sums hold, and the fewest nodes for which it is worth a plan.
APPROXIMATE, OF_A_START, VECTORS, LARGE = "map --sum approximate", (100, 1000), 30, 10_000

#: The argument that says how many runs there are, of methods that run as many at once as cores.
PARALLEL = {"map": "starts", "nuts": "chains"}

#: Seconds that a run takes beside its gradients: processes that start, files, hops of MAP.
BESIDE = (1.0, 40.0)

#: Bytes of a number among the draws, and of one of the Hessian: how often it is in memory at once.
COPIES = (8.0, 32.0)

#: Bytes of Python with all its packages; and what a run takes of the process that was timed.
PYTHON, GROWN = 3e8, (1.0, 3.0)

#: Seconds from which on a run is long: what it will take is said before.
LONG = 600.0


@dataclass(frozen=True)
class Estimate:
    """What a method will cost, from little to much.

    Attributes
    ----------
    method : str
        Name of the method, or :data:`APPROXIMATE`.
    seconds, gigabytes : tuple of float
        Wall-clock time on this machine, and memory, of all processes together: from and to.
    obstacle : str
        Why the method cannot run, a sentence; or empty.
    """

    method: str
    seconds: tuple[float, float]
    gigabytes: tuple[float, float]
    obstacle: str = ""

    def __str__(self) -> str:
        low, high = self.gigabytes
        time = " to ".join(map(duration, self.seconds))
        return f"{time}, and {low:.1f} to {high:.1f} GB of memory"


@dataclass(frozen=True)
class Plan:
    """What fits of a model to a network will cost.

    Attributes
    ----------
    nodes, edges, parameters : int
        Size of the network, and of the model with scales fixed.
    gradient_seconds : float
        How long a gradient takes.
    cores, threads : int
        Cores of the machine, and threads of a process.
    estimates : list of Estimate
        One a method; for large networks also MAP with an approximate sum over pairs, if it has one.
    """

    nodes: int
    edges: int
    parameters: int
    gradient_seconds: float
    cores: int
    threads: int
    estimates: list[Estimate]

    def as_table(self) -> pd.DataFrame:
        """Return the estimates as a table.

        Returns
        -------
        DataFrame
            A row a method: ``method``, ``seconds_low``, ``seconds_high``, ``gigabytes_low``,
            ``gigabytes_high``, ``obstacle``.
        """
        rows = [
            {
                "method": estimate.method,
                "seconds_low": estimate.seconds[0],
                "seconds_high": estimate.seconds[1],
                "gigabytes_low": estimate.gigabytes[0],
                "gigabytes_high": estimate.gigabytes[1],
                "obstacle": estimate.obstacle,
            }
            for estimate in self.estimates
        ]
        return pd.DataFrame(rows)

    def as_record(self) -> dict[str, Any]:
        """Return the plan as JSON has it.

        Returns
        -------
        dict
        """
        return asdict(self)


def plan(
    model: CompiledModel,
    methods: Mapping[str, Mapping[str, Any]] | None = None,
) -> Plan:
    """Estimate what methods will cost, from a few gradients.

    Parameters
    ----------
    model : CompiledModel
        A model of a network, such as a :class:`lsm_stan.LatentSpaceModel`; its program is compiled
        if it is not.
    methods : Mapping of str to Mapping, or None, default None
        Arguments by the names of methods; by default all methods with their own.

    Returns
    -------
    Plan

    Raises
    ------
    InputError
        If there is no such method, or it does not take the arguments.
    """
    asked: Mapping[str, Mapping[str, Any]] = methods or {name: {} for name in METHODS}
    problem = model.problem
    point = problem.declared(prior_starts(problem, 1, seed=1)[0], learned=False)
    points = flat(point)[np.newaxis]
    seconds: list[float] = []
    with model.compiled.density(problem.stan_data()) as density:
        while len(seconds) < TIMED and sum(seconds) < ENOUGH:
            density.log_prob_grad(points)
            seconds.append(density.seconds)
        process = density.memory()
    gradient = float(np.median(seconds[1:] or seconds))
    size = points.shape[1]
    return Plan(
        nodes=problem.network.n_nodes,
        edges=problem.network.n_edges,
        parameters=size,
        gradient_seconds=gradient,
        cores=cores(),
        threads=model.threads,
        estimates=[
            *(
                _estimate(
                    name, requested_arguments(name, arguments), gradient, size, process, model
                )
                for name, arguments in asked.items()
            ),
            *(_approximate(problem, asked["map"]) if "map" in asked else ()),
        ],
    )


def _approximate(problem: Problem, arguments: Mapping[str, Any]) -> list[Estimate]:
    """Estimate MAP with an approximate sum, if there is one, of large networks."""
    wanted = arguments.get("sum") == "approximate" or problem.network.n_nodes >= LARGE
    if problem.layered or not wanted:
        return []
    try:
        check_served(problem.spec, problem.dim)
        start = levelled(problem, prior_starts(problem, 1, seed=1)[0])
        density, point = Approximate(problem), flat(problem.declared(start))
        density.at_flat(point)  # the libraries plan their transforms
        begun = time.perf_counter()
        density.at_flat(point)
    except LsmStanError:
        return []
    gradient = time.perf_counter() - begun
    starts = requested_arguments("map", arguments)["starts"]
    low, high = (gradient * starts * each for each in OF_A_START)
    least, most = ((PYTHON + copies * VECTORS * len(point)) / 1e9 for copies in COPIES)
    return [Estimate(APPROXIMATE, (low, high), (least, most))]


def warn_if_long(
    model: CompiledModel, method: str, arguments: Mapping[str, Any], say: Progress
) -> None:
    """Say what a fit will cost, and what is cheaper, if it will take longer than ten minutes.

    Parameters
    ----------
    model : CompiledModel
        A model of a network.
    method : str
        Name of the method.
    arguments : Mapping
        Its arguments.
    say : callable
        It is called with a sentence, or not.
    """
    planned = plan(model, {method: arguments, **{m: {} for m in METHODS if m != method}})
    asked = APPROXIMATE if arguments.get("sum") == "approximate" else method
    this = next((estimate for estimate in planned.estimates if estimate.method == asked), None)
    rest = [estimate for estimate in planned.estimates if estimate.method not in (asked, method)]
    if this is None or this.seconds[1] < LONG or this.obstacle:
        return

    def order(estimate: Estimate) -> tuple[bool, float]:
        # to one who wants a mode, the other way to it comes first
        return not (method == "map" and estimate.method == APPROXIMATE), estimate.seconds[1]

    ways = [
        f"method {other.method} takes {duration(other.seconds[0])} to {duration(other.seconds[1])}"
        for other in sorted(rest, key=order)
        if not other.obstacle and other.seconds[1] < 0.5 * this.seconds[1]
    ][:2]
    if method == "map" and arguments.get("starts") != 1:
        ways.insert(0, "--starts 1 takes a fraction of it")
    if planned.cores > planned.threads:
        ways.append(f"--threads {planned.cores} shares each gradient among the cores")
    rest_of = f"; {listed(ways)}" if ways else ""
    of_what = f" (estimated from a gradient of {1000 * planned.gradient_seconds:.3g} ms)"
    cost = f"{this}{of_what if asked == method else ''}"
    say(f"{METHODS[method].title} will take about {cost}{rest_of}. Ctrl-C ends it.")


def _estimate(
    method: str,
    arguments: Mapping[str, Any],
    gradient: float,
    size: int,
    process: float,
    model: CompiledModel,
) -> Estimate:
    """Multiply what a gradient takes; `arguments` have the method's own values."""
    runs, times, n_draws, obstacle = 1, 1.0, arguments.get("draws") or 1000, ""
    if method == "map":
        times, n_draws = arguments["starts"], 1
    elif method == "laplace":
        times = size
        if size > MAX_CURVATURE_SIZE:
            obstacle = f"needs the Hessian of {size:,} parameters; {MAX_CURVATURE_SIZE:,} is most"
    elif method == "pathfinder":
        times = arguments["paths"]
    elif method == "nuts":
        kept = arguments.get("iter_sampling") or 1000
        runs, n_draws = arguments["chains"], arguments["chains"] * kept
        times = runs * ((arguments.get("iter_warmup") or 1000) + kept)
    if method in PARALLEL:
        runs = min(arguments[PARALLEL[method]], max(1, cores() // model.threads))
        times /= runs
    mode = method != "map" and arguments.get("init", "map") == "map"
    of_mode = (0.0, 0.0)
    if mode:
        default = requested_arguments("map", {})
        of_mode = _estimate("map", default, gradient, size, process, model).seconds
    held = n_draws * size + (size**2 if method == "laplace" else 0)
    seconds = [
        gradient * times * each + beside + before
        for each, beside, before in zip(GRADIENTS[method], BESIDE, of_mode, strict=True)
    ]
    gigabytes = [
        (PYTHON + runs * grown * process + copies * held) / 1e9
        for grown, copies in zip(GROWN, COPIES, strict=True)
    ]
    return Estimate(method, (seconds[0], seconds[1]), (gigabytes[0], gigabytes[1]), obstacle)
