"""Simulation-based calibration of layers: ranks of parameters drawn from the priors are uniform."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lsm_stan import LatentSpaceModel, simulate_layers
from lsm_stan.model.family import ModelSpec
from lsm_stan.model.terms import Term
from lsm_stan.posterior.invariants import pair_distances
from studies.ranks import rank

pytestmark = [pytest.mark.cmdstan, pytest.mark.slow]

N, L, SIMULATIONS, DRAWS, THIN = 10, 3, 24, 19, 8

#: Priors under which most networks have some edges, and few have heavy ones.
SPEC = ModelSpec(
    "squared",
    "nb",
    intercept_scale=1.0,
    sigma_z_scale=0.7,
    phi_scale=0.7,
    terms=(Term("nodecov", "x"),),
)
NODES = pd.DataFrame({"x": np.linspace(-1, 1, N) ** 3}, index=[f"n{i}" for i in range(N)])


@pytest.mark.parametrize("structure", ["exchangeable", "ordered"])
def test_ranks_are_uniform(structure: str) -> None:
    ranks: dict[str, list] = {}
    compiled = None
    for seed in range(SIMULATIONS):
        layers, truth = simulate_layers(
            N, 1, L, seed=seed, model=SPEC, layers=structure, node_table=NODES, absent=((1, 2),)
        )
        model = LatentSpaceModel(layers, 1, model=SPEC, layers=structure)
        if compiled is not None:  # or each would find it by itself
            model.compiled = compiled
        fit = model.sample(
            seed=seed,
            chains=1,
            init="random",
            iter_warmup=150,
            iter_sampling=DRAWS * THIN,
            show_progress=False,
        )
        compiled = model.compiled
        drawn = {
            name: np.concatenate([truth[name][None], values[0, THIN - 1 :: THIN]])
            for name, values in fit.parameters.items()
        }
        ends = drawn["z_layer"][:, [0, L - 1]].reshape(len(drawn["z"]), -1, 1)
        values_of = {
            **{name: drawn[name] for name in ("sigma_change", "sigma_z", "phi")},
            "beta": drawn["beta"][:, 0],
            **{f"level_{k}": drawn["layer_intercept"][:, k] for k in range(L)},
            # of two nodes in a layer, and of a node with itself in another
            "distance": pair_distances(ends, np.array([[0, 1]]))[:, 0],
            "moved": pair_distances(ends, np.array([[5, N + 5]]))[:, 0],
        }
        for name, values in values_of.items():
            ranks.setdefault(name, []).append(int(rank(values)))
    edges = np.array([0, 5, 10, 15, 20])
    statistic = 0.0
    for name, of_one in ranks.items():
        counts = np.histogram(of_one, edges)[0]
        test = stats.chisquare(counts)
        assert test.pvalue > 1e-3, name
        statistic += float(test.statistic)
    # quantities of one simulation are all but independent: together they tell more
    assert stats.chi2.sf(statistic, 3 * len(ranks)) > 1e-3
