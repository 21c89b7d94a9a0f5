"""The tutorial's optimiser, in JAX.

It is Edward's default (``edward/inferences/variational_inference.py``): TensorFlow's Adam with a
learning rate of 0.1 that is multiplied by 0.9 every 100 steps; the tutorial takes 2,500 steps.
Here they are one compiled loop in double precision, on the tutorial's form of the density.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.in_jax import log_joint
from benchmarks.problem import Problem
from lsm_stan.typing import FloatArray

STEPS, RATE, DECAY, DECAY_EVERY = 2500, 0.1, 0.9, 100

#: TensorFlow's defaults.
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8

State = tuple[jax.Array, jax.Array, jax.Array]


class Adam:
    """The optimiser, compiled for a problem."""

    def __init__(self, problem: Problem) -> None:
        gradient = jax.grad(log_joint(problem, "tutorial"))

        def step(t: int, state: State) -> State:
            z, mean, square = state
            slope = -gradient(z)
            mean = BETA_1 * mean + (1 - BETA_1) * slope
            square = BETA_2 * square + (1 - BETA_2) * slope**2
            # the steps before this one count for the decay, this one too for the correction
            rate = RATE * DECAY ** (t // DECAY_EVERY)
            rate *= jnp.sqrt(1 - BETA_2 ** (t + 1)) / (1 - BETA_1 ** (t + 1))
            return z - rate * mean / (jnp.sqrt(square) + EPSILON), mean, square

        @jax.jit
        def loop(z: jax.Array) -> jax.Array:
            zero = jnp.zeros_like(z)
            final: State = lax.fori_loop(0, STEPS, step, (z, zero, zero))
            return final[0]

        self._loop = loop.lower(jnp.asarray(problem.positions[0])).compile()

    def run(self, start: FloatArray) -> FloatArray:
        """Return where 2,500 steps lead from ``(N, K)`` positions."""
        return np.asarray(jax.block_until_ready(self._loop(jnp.asarray(start))))
