"""Stan programs, timed in a loop of log densities and gradients, and while CmdStan samples."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cmdstanpy
import numpy as np

from benchmarks.problem import DIM, Problem, from_stan, to_stan
from lsm_stan.cmdstan.compilation import compile_model, compile_program
from lsm_stan.cmdstan.density import LOG_PROB_GRAD, Density, log_prob_grad
from lsm_stan.model.stan_data import stan_data
from lsm_stan.typing import FloatArray

#: The tutorial, line for line and as a user of Stan writes it.
PROGRAMS = Path(__file__).parent / "stan"

MAX_DEPTH = 10

#: Most evaluations of one process: 30 MB of positions at N = 297.
MAX_ROWS = 4000

#: A run shorter than this says only how long the next should be.
SHORTEST_RUN = 0.05


class InStan:
    """A compiled Stan program with the data of a problem.

    Parameters
    ----------
    model : CmdStanModel
        Of :mod:`lsm_stan.cmdstan.compilation`.
    data : dict
        Its data.
    parameter : str
        Name of its one parameter, the positions.
    problem : Problem
        The problem.
    by_node : bool
        Whether the positions are an array of vectors; else they are a matrix.
    """

    def __init__(
        self,
        model: cmdstanpy.CmdStanModel,
        data: Mapping[str, Any],
        parameter: str,
        problem: Problem,
        by_node: bool = False,
    ) -> None:
        self._model = model
        self._data = data
        self._n_nodes = problem.network.n_nodes
        self._by_node = by_node  # Stan stores a matrix column by column
        key = Path(str(model.exe_file)).parent.name
        self._stem = problem.folder / f"{key}-{self._n_nodes}"
        self._positions = problem.positions
        cmdstanpy.write_stan_json(f"{self._stem}-data.json", data)
        cmdstanpy.write_stan_json(f"{self._stem}-init.json", {parameter: problem.positions[0]})
        self._seconds: float | None = None  # a gradient, as far as known

    def evaluate(self, positions: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return log joints and gradients."""
        rows = positions.reshape(len(positions), -1) if self._by_node else to_stan(positions)
        value, gradient = log_prob_grad(self._model, self._data, rows)
        if self._by_node:
            return value, gradient.reshape(positions.shape)
        return value, from_stan(gradient, self._n_nodes)

    def measure(self, at_least: float) -> float:
        """Return the seconds of one value and gradient, from one process that takes many."""
        count = 4 if self._seconds is None else math.ceil(at_least / self._seconds)
        count = min(count, MAX_ROWS)
        elapsed = self._time(count)
        first, self._seconds = self._seconds is None, elapsed / count
        return self.measure(at_least) if first else self._seconds

    def _time(self, count: int) -> float:
        """Return the seconds that so many evaluations took, reading and writing left out."""
        rows = self._positions[np.arange(count) % len(self._positions)]
        flat = rows.reshape(count, -1) if self._by_node else to_stan(rows)
        data = Path(f"{self._stem}-data.json")
        with Density(Path(str(self._model.exe_file)), data) as density:
            density.log_prob_grad(flat)
            return density.seconds


class InSampler(InStan):
    """The same, timed by CmdStan's own clock while it samples.

    NUTS is given a step of 1e-12: nothing moves, no trajectory turns, and every draw takes a full
    tree of 2^depth - 1 leapfrog steps of one gradient each, after one more gradient where the
    draw starts. What the sampler does around a gradient is in it, starting up is not.
    """

    def measure(self, at_least: float) -> float:
        """Return the seconds of one gradient."""
        depth, draws = 1, 1
        while self._seconds is None:
            elapsed, gradients = self._sample(depth, draws)
            if elapsed >= SHORTEST_RUN:
                self._seconds = elapsed / gradients
            elif depth < MAX_DEPTH:
                depth += 1
            else:
                draws *= 4
        wanted = max(2.0, at_least / self._seconds)
        depth = min(MAX_DEPTH, int(math.log2(wanted)))
        elapsed, gradients = self._sample(depth, math.ceil(wanted / 2**depth))
        if elapsed:  # CmdStan's clock may be too coarse for a trial
            self._seconds = elapsed / gradients
        return self._seconds

    def _sample(self, depth: int, draws: int) -> tuple[float, int]:
        """Draw; return the seconds it took and the number of gradients."""
        output = Path(f"{self._stem}-output.csv")
        command = f"""sample num_warmup=0 num_samples={draws} thin={draws} adapt engaged=0
            algorithm=hmc engine=nuts max_depth={depth} stepsize=1e-12
            data file={self._stem}-data.json init={self._stem}-init.json random seed=1
            output file={output} refresh=0"""
        run = subprocess.run(
            [str(self._model.exe_file), *command.split()],
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode:
            raise RuntimeError(f"{self._model.name}: CmdStan failed:\n{run.stdout}{run.stderr}")
        text = output.read_text(encoding="utf-8")
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        names, numbers = (line.split(",", maxsplit=8)[:8] for line in lines[:2])
        leapfrog = int(numbers[names.index("n_leapfrog__")])
        if leapfrog != 2**depth - 1:
            raise RuntimeError(f"{leapfrog} leapfrog steps instead of {2**depth - 1}")
        elapsed = re.search(r"([\d.e+-]+) seconds \(Sampling\)", text)
        if elapsed is None:
            raise RuntimeError(f"{output} does not tell how long sampling took")
        return float(elapsed[1]), draws * (leapfrog + 1)


def literal(problem: Problem) -> InStan:
    """Return the tutorial line for line."""
    return InStan(compile_program(PROGRAMS / "literal.stan"), dense_data(problem), "z", problem)


def distance(problem: Problem) -> InStan:
    """Return the tutorial as a user of Stan writes it."""
    program = compile_program(PROGRAMS / "distance.stan")
    return InStan(program, dense_data(problem), "z", problem, by_node=True)


def dense_data(problem: Problem) -> dict[str, Any]:
    """Return the data of both: the N×N counts."""
    network = problem.network
    return {"N": network.n_nodes, "K": DIM, "Y": network.to_dense().astype(int)}


def reference(problem: Problem) -> InStan:
    """Return this package's model with its sums in the Stan language."""
    return InStan(compile_model("stan"), stan_data(problem.network, DIM), "z_raw", problem)


def kernel(problem: Problem) -> InStan:
    """Return this package's model with its sums in C++."""
    return InStan(compile_model("cpp"), stan_data(problem.network, DIM), "z_raw", problem)


def kernel_in_sampler(problem: Problem) -> InSampler:
    """Return the same, timed inside NUTS."""
    return InSampler(compile_model("cpp"), stan_data(problem.network, DIM), "z_raw", problem)


def peak_memory(problem: Problem) -> float:
    """Return the peak memory, in bytes, of the kernel's executable in one evaluation.

    A small Python starts it: a process inherits the peak of the one that starts it.
    """
    model = compile_model("cpp")
    files = ("data.json", "request", "answer")
    data, request, answer = (problem.folder / name for name in files)
    cmdstanpy.write_stan_json(str(data), stan_data(problem.network, DIM))
    row = to_stan(problem.positions[:1])
    request.write_bytes(np.array([LOG_PROB_GRAD, *row.shape]).tobytes() + row.tobytes())
    starter = (
        "import json, os, sys\n"
        "request, answer, *command = sys.argv[1:]\n"
        "into = os.POSIX_SPAWN_OPEN, 0, request, os.O_RDONLY, 0\n"
        "out = os.POSIX_SPAWN_OPEN, 1, answer, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600\n"
        "pid = os.posix_spawn(command[0], command, os.environ, file_actions=[into, out])\n"
        "_, status, usage = os.wait4(pid, 0)\n"
        "print(json.dumps([status, usage.ru_maxrss]))"
    )
    command = [request, answer, model.exe_file, "density", data]
    run = subprocess.run(
        [sys.executable, "-S", "-c", starter, *map(str, command)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    status, kilobytes = json.loads(run.stdout.splitlines()[-1])
    if status:
        raise RuntimeError(f"the density of the large network failed ({status})")
    if not np.isfinite(np.fromfile(answer)).all():
        raise RuntimeError("the log joint of the large network is not finite")
    return float(kilobytes) * 1024
