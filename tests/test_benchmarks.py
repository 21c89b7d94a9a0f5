"""The benchmarks compare like with like: the literal program is the model."""

from pathlib import Path

import numpy as np
import pytest

from lsm_stan import LatentSpaceModel, simulate
from lsm_stan.compilation import compile_program, log_prob_grad
from lsm_stan.toolchain import Toolchain

LITERAL = Path(__file__).parents[1] / "benchmarks" / "stan" / "literal.stan"


@pytest.mark.slow
def test_the_literal_program_is_the_model(toolchain: Toolchain) -> None:
    network, z = simulate(14, 3, seed=1)
    value, gradient = LatentSpaceModel(network, 3).log_prob(z)
    literal = compile_program(LITERAL, toolchain=toolchain)
    data = {"N": 14, "K": 3, "Y": network.to_dense().astype(int)}
    found, slope = log_prob_grad(literal, data, z.reshape(1, -1))
    np.testing.assert_allclose(found[0], value, rtol=1e-12)
    np.testing.assert_allclose(slope.reshape(z.shape), gradient, rtol=1e-9, atol=1e-9)
