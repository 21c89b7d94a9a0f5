"""The bare loop: value and gradient in plain C++ outside Stan, ``bare_loop.cpp``."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.evaluator import Repeated
from benchmarks.problem import DIM, Problem, from_stan
from lsm_stan.cmdstan.install import ensure_toolchain
from lsm_stan.typing import FloatArray

SOURCE = Path(__file__).parent / "bare_loop.cpp"

#: How it is compiled: portably as the kernel is; with every freedom the compiler can be given;
#: and so with the kernel's own inverse root, which is faster than the machine's.
FLAGS = {
    "plain": ["-O3"],
    "native": (NATIVE := ["-O3", "-march=native", "-ffast-math", "-mprefer-vector-width=512"]),
    "native, own root": [*NATIVE, "-DOWN_ROOT"],
}


class BareLoop(Repeated):
    """The program and the networks it reads, one a position."""

    def __init__(self, problem: Problem, flags: str) -> None:
        self._problem = problem
        self._executable = problem.folder / f"bare_loop-{list(FLAGS).index(flags)}"
        if not self._executable.exists():
            compiler = shlex.split(ensure_toolchain().cxx)
            command = [*compiler, *FLAGS[flags], "-o", self._executable, SOURCE]
            subprocess.run([str(part) for part in command], check=True)
        self._text = self._network(problem.positions[0])

    def evaluate(self, positions: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return log joints and gradients."""
        n_nodes = self._problem.network.n_nodes
        gradients = self._problem.folder / "bare_gradient"
        values, rows = [], []
        for z in positions:
            answer = self._ask(self._network(z), "1", str(gradients))
            values.append(answer["value"] + self._problem.constant)
            rows.append(np.fromfile(gradients))
        return np.array(values), from_stan(np.array(rows), n_nodes)

    def _run(self, calls: int) -> float:
        return self._ask(self._text, str(calls))["ms_mean"] / 1000 * calls

    def _network(self, z: FloatArray) -> str:
        nodes = [" ".join(map(repr, row)) for row in z.tolist()]
        edges = [f"{s + 1} {r + 1} {w}" for s, r, w in zip(*self._problem.edges, strict=True)]
        assert z.shape[1] == DIM
        return "\n".join([f"{len(nodes)} {len(edges)}", *nodes, *edges, ""])

    def _ask(self, network: str, *arguments: str) -> dict[str, float]:
        command = [str(self._executable), *arguments]
        run = subprocess.run(command, input=network, capture_output=True, text=True, check=True)
        return {name: float(number) for name, number in map(str.split, run.stdout.splitlines())}


def maker(flags: str) -> Callable[[Problem], BareLoop]:
    """Return what readies the program for a problem, compiled in one of the ways."""
    return lambda problem: BareLoop(problem, flags)
