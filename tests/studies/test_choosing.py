"""`select` finds the K of networks whose K is known: a short form of ``studies.choosing``."""

from pathlib import Path

import numpy as np
import pytest

from lsm_stan import simulate
from lsm_stan.cmdstan.find import Toolchain
from lsm_stan.prediction.selection import select

#: Of ``poisson-squared`` with positions from the prior: about a fifth of the dyads have an edge.
INTERCEPTS = {2: 0.3, 3: 1.2}


@pytest.mark.slow
def test_the_true_dim_is_found_in_most_networks(toolchain: Toolchain, tmp_path: Path) -> None:
    chosen = {}
    for dim, intercept in INTERCEPTS.items():
        for seed in range(1, 4):
            z = np.random.default_rng([seed, dim]).normal(size=(50, dim))
            parameters = {"z": z, "intercept": np.array(intercept)}
            network, _ = simulate(
                50, dim, seed=seed, model="poisson-squared", parameters=parameters
            )
            chosen[dim, seed] = select(
                network,
                tmp_path / f"{dim}-{seed}",
                dims=[1, 2, 3, 4],
                models=["poisson-squared"],
                n_splits=5,
                seed=seed,
                arguments={"starts": 1},
                say=lambda _: None,
            ).choice.dim
    wrong = {key: found for key, found in chosen.items() if found != key[0]}
    assert len(wrong) <= 1, wrong
