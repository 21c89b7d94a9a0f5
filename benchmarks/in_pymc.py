"""PyMC: ``pm.Model`` and its compiled function of value and gradient, as its NUTS calls it."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from benchmarks.evaluator import Repeated
from benchmarks.problem import DIM, Problem
from lsm_stan.model.stan_data import DIAGONAL_JITTER
from lsm_stan.typing import FloatArray

#: The forms, and the bytes they take for each of the N×N cells.
FORMS = {"tutorial": 94.0, "edges": 50.0}


def build(problem: Problem, form: str) -> pm.Model:
    """Return the model.

    Parameters
    ----------
    problem : Problem
        The network.
    form : str
        ``"tutorial"``: the N×N Poisson. ``"edges"``: the N×N matrix of rates, but
        logarithms for the edges only, as a potential.
    """
    n_nodes = problem.network.n_nodes
    with pm.Model() as model:
        z = pm.Normal("z", 0, 1, shape=(n_nodes, DIM))
        norm = (z**2).sum(axis=1)
        squared = norm[:, None] + norm - 2 * z @ z.T + DIAGONAL_JITTER * np.eye(n_nodes)
        if form == "tutorial":
            pm.Poisson("Y", 1 / pt.sqrt(squared), observed=problem.dense.astype(int))
        else:
            sender, receiver, weight = problem.edges
            d2 = ((z[sender] - z[receiver]) ** 2).sum(axis=1)
            rates = (1 / pt.sqrt(squared)).sum() - n_nodes / np.sqrt(DIAGONAL_JITTER)
            # the prior brings its own constant
            constant = problem.constant + 0.5 * n_nodes * DIM * np.log(2 * np.pi)
            pm.Potential("Y", -0.5 * (weight * pt.log(d2)).sum() - rates + constant)
    return model


class InPyMC(Repeated):
    """A model of PyMC, compiled by one of its backends."""

    def __init__(self, problem: Problem, form: str, mode: str | None) -> None:
        model = build(problem, form)
        options = {} if mode is None else {"mode": mode}
        function = model.logp_dlogp_function(ravel_inputs=True, **options)
        function.set_extra_values({})
        function._pytensor_function.trust_input = True  # as PyMC's samplers do
        self._function = function._pytensor_function
        self._z = problem.positions[0].ravel()
        self._function(self._z)  # compiles

    def evaluate(self, positions: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return log joints and gradients."""
        value, gradient = zip(*(self._function(z.ravel()) for z in positions), strict=True)
        return np.array(value), np.array(gradient).reshape(positions.shape)

    def _run(self, calls: int) -> float:
        start = time.perf_counter()
        for _ in range(calls):
            self._function(self._z)
        return time.perf_counter() - start


def maker(form: str, mode: str | None) -> Callable[[Problem], InPyMC]:
    """Return what readies a form for a problem, with a backend."""
    return lambda problem: InPyMC(problem, form, mode)
