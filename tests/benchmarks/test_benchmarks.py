"""The benchmarks compare like with like: the literal program is the model."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.report import fastest, ratios
from lsm_stan import LatentSpaceModel, simulate
from lsm_stan.cmdstan.compilation import compile_program
from lsm_stan.cmdstan.density import log_prob_grad
from lsm_stan.cmdstan.find import Toolchain

PROGRAMS = Path(__file__).parents[2] / "benchmarks" / "stan"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["literal", "distance"])
def test_the_tutorial_in_stan_is_the_model(toolchain: Toolchain, name: str) -> None:
    network, truth = simulate(14, 3, seed=1)
    z = truth["z"]
    value, gradient = LatentSpaceModel(network, 3).log_prob_grad(z)
    program = compile_program(PROGRAMS / f"{name}.stan", toolchain=toolchain)
    # Stan stores a matrix column by column
    rows = (z.T if name == "literal" else z).reshape(1, -1)
    data = {"N": 14, "K": 3, "Y": network.to_dense().astype(int)}
    actual, slope = log_prob_grad(program, data, rows)
    np.testing.assert_allclose(actual[0], value, rtol=1e-12)
    np.testing.assert_allclose(
        slope, (gradient.T if name == "literal" else gradient).reshape(1, -1), rtol=1e-9, atol=1e-9
    )


def test_the_fastest_variant_is_set_against_the_kernel_with_its_spread() -> None:
    rows = [
        ("lsm-kernel", "", 1.0, 0.5, 2.0),
        ("jax", "slow", 30.0, 29.0, 31.0),
        ("jax", "fast", 10.0, 8.0, 12.0),
    ]
    columns = ["implementation", "variant", "ms_median", "ms_low", "ms_high"]
    best = fastest(pd.DataFrame(rows, columns=columns).assign(nodes=297))
    assert sorted(best["variant"]) == ["", "fast"]
    assert ratios(best).loc["jax"].tolist() == [10.0, 4.0, 24.0]
