"""JAX in double precision, as NumPyro runs a model: ``value_and_grad``, compiled by XLA.

Several forms of the same density are tried, and two ways to run them: a Python call a gradient,
and gradients one after the other inside one compiled loop, which is how NumPyro's NUTS runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.evaluator import Repeated
from benchmarks.problem import Problem
from lsm_stan.model.stan_data import DIAGONAL_JITTER
from lsm_stan.typing import FloatArray

jax.config.update("jax_enable_x64", True)

LogJoint = Callable[[jax.Array], jax.Array]

#: The forms, and the bytes they take for each of the N×N cells.
FORMS = {"tutorial": 90.0, "edges": 47.0}


def log_joint(problem: Problem, form: str) -> LogJoint:
    """Return the log joint density as a function of ``(N, K)`` positions.

    Parameters
    ----------
    problem : Problem
        The network.
    form : str
        ``"tutorial"``: the N×N matrix of rates and of counts, distances from the Gram matrix.
        ``"edges"``: the N×N matrix of rates, logarithms for the edges only.
    """
    n_nodes, constant = problem.network.n_nodes, problem.constant

    def prior(z: jax.Array) -> jax.Array:
        return -0.5 * jnp.sum(z * z)

    if form == "tutorial":
        # the diagonal is in the sum, so it is taken out of the constant
        y, diagonal = jnp.asarray(problem.dense), DIAGONAL_JITTER * jnp.eye(n_nodes)
        loops = float(np.trace(problem.dense))
        rest = constant + 0.5 * np.log(DIAGONAL_JITTER) * loops + n_nodes / np.sqrt(DIAGONAL_JITTER)

        def dense(z: jax.Array) -> jax.Array:
            norm = jnp.sum(z * z, axis=1)
            squared = norm[:, None] + norm - 2 * z @ z.T + diagonal
            return jnp.sum(-0.5 * y * jnp.log(squared) - lax.rsqrt(squared)) + prior(z) + rest

        return dense
    sender, receiver, weight = map(jnp.asarray, problem.edges)

    def edges(z: jax.Array) -> jax.Array:
        # coordinate by coordinate: twice as fast as a sum over a third axis
        squared = DIAGONAL_JITTER * jnp.eye(n_nodes)
        for x in z.T:
            squared += (x[:, None] - x) ** 2
        d2 = jnp.sum((z[sender] - z[receiver]) ** 2, axis=1)
        rates = jnp.sum(lax.rsqrt(squared)) - n_nodes / np.sqrt(DIAGONAL_JITTER)
        return -0.5 * weight @ jnp.log(d2) - rates + prior(z) + constant

    return edges


class InJax(Repeated):
    """A form of the density, compiled for a problem."""

    def __init__(self, problem: Problem, form: str, inside: bool) -> None:
        self._function = jax.jit(jax.value_and_grad(log_joint(problem, form)))
        self._z = jnp.asarray(problem.positions[0])
        self._inside = inside

        @jax.jit
        def loop(z: jax.Array, count: int) -> tuple[jax.Array, jax.Array]:
            def step(_: int, state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
                z, total = state
                value, gradient = self._function(z)
                return z + 1e-30 * gradient, total + value

            return lax.fori_loop(0, count, step, (z, jnp.zeros(())))

        self._loop = loop
        self._run(1)  # compiles

    def evaluate(self, positions: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return log joints and gradients."""
        value, gradient = zip(*map(self._function, map(jnp.asarray, positions)), strict=True)
        return np.array(value), np.array(gradient)

    def _run(self, calls: int) -> float:
        start = time.perf_counter()
        if self._inside:
            jax.block_until_ready(self._loop(self._z, calls))
        else:
            for _ in range(calls):
                jax.block_until_ready(self._function(self._z))
        return time.perf_counter() - start


def maker(form: str, inside: bool) -> Callable[[Problem], InJax]:
    """Return what readies a form for a problem."""
    return lambda problem: InJax(problem, form, inside)
