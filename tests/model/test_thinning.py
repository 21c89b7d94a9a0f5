"""Networks drawn by thinning have the model's distribution, as SciPy has it cell by cell."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import bernoulli, nbinom, poisson

from lsm_stan import simulate
from lsm_stan.model import thinning
from lsm_stan.model.family import ModelSpec, find_model
from lsm_stan.model.likelihood import log_mean, mean_weight
from lsm_stan.model.simulation import draw_parameters
from lsm_stan.model.thinning import Cells
from lsm_stan.network.network import Network

N = 24
MODELS = [
    "tutorial",
    "nb-inverse-roles",
    "poisson-exponential",
    "nb-squared-effects",
    "nb-inner-roles",
    "dyadic-squared-effects",
    "bernoulli-squared-effects",
    "bernoulli-inner",
    "nb-squared-effects + nodematch(class) + absdiff(size) + edgecov(road) + nodeocov(size)",
]


def with_tables(directed: bool = True) -> Network:
    """Return an empty network whose tables have columns for terms."""
    names = [str(i) for i in range(N)]
    rng = np.random.default_rng(1)
    nodes = pd.DataFrame({"class": rng.choice(list("ab"), N), "size": rng.random(N)}, index=names)
    ends = pd.MultiIndex.from_tuples([("0", "1"), ("5", "3")], names=["source", "target"])
    dyads = pd.DataFrame({"road": [2.0, -1.0]}, index=ends)
    return simulate(N, 2, seed=1, directed=directed, node_table=nodes, dyad_table=dyads)[0]


def drawn_parameters(spec: ModelSpec, directed: bool) -> dict[str, np.ndarray]:
    draw = draw_parameters(N, 2, seed=3, model=spec, directed=directed)
    draw |= {"z": 0.5 * draw["z"] if spec.form == "inner" else 1.5 * draw["z"]}
    draw |= {"beta": np.array([0.5, -0.4, 0.8, 0.3])} if spec.terms else {}
    draw |= {"intercept": np.asarray(-1.5)} if spec.intercept else {}
    return draw | ({"phi": np.asarray(0.7)} if spec.dispersed else {})


def distribution(spec: ModelSpec, draw: dict[str, np.ndarray], i: np.ndarray, j: np.ndarray):
    """Return SciPy's distributions of the weights of cells."""
    mean = mean_weight(spec, log_mean(spec, draw, i, j))
    if spec.likelihood == "bernoulli":
        return bernoulli(mean)
    if spec.dispersed:
        return nbinom(draw["phi"], draw["phi"] / (draw["phi"] + mean))
    return poisson(mean)


@pytest.mark.parametrize("dense", [0.2, 30.0])
@pytest.mark.parametrize("directed", [True, False])
@pytest.mark.parametrize("name", MODELS)
def test_cells_have_the_distribution_of_their_model(name, directed, dense, monkeypatch):
    """Counts of weights 0, 1, 2 and more, over all cells and cell by cell."""
    if not directed and ("dyadic" in name or "roles" in name or "nodeocov" in name):
        return
    monkeypatch.setattr(thinning, "GROUP_NODES", 3)
    monkeypatch.setattr(thinning, "DENSE", dense)
    spec = find_model(name).bound(with_tables(directed))
    draw, repeats, rng = drawn_parameters(spec, directed), 500, np.random.default_rng(4)
    cells = Cells(spec, draw, directed=directed)
    weights, n_thinned = np.zeros((repeats, N, N), dtype=int), 0
    for matrix in weights:
        for number, (pairs, drawn) in enumerate(cells.drawn(rng)):
            assert (pairs[:, 0] < pairs[:, 1]).all()
            assert not matrix[tuple(pairs.T)].any()
            matrix[tuple(pairs.T)] = drawn[:, 0]
            matrix[pairs[:, 1], pairs[:, 0]] = drawn[:, -1]
            n_thinned += len(pairs) if number == 0 else 0
    assert n_thinned > 0 or dense < 1
    i, j = np.triu_indices(N, 1)
    if directed:
        i, j = np.concatenate([i, j]), np.concatenate([j, i])
    exact = distribution(spec, draw, i, j)
    related = 2 if spec.likelihood == "dyadic" else 1  # the two cells of a pair
    for shares, probability in [
        *[(np.mean(weights[:, i, j] == k, axis=0), exact.pmf(k)) for k in range(3)],
        (np.mean(weights[:, i, j] > 2, axis=0), exact.sf(2)),
    ]:
        variance = probability * (1 - probability) / repeats
        assert abs(np.sum(shares - probability)) < 4.5 * np.sqrt(related * variance.sum()) + 1e-9
        known = variance > 1 / repeats**2
        assert np.all(np.abs(shares - probability)[known] < 6 * np.sqrt(variance[known]))


def test_the_directions_of_a_pair_share_a_frailty_in_thinned_cells_too(monkeypatch):
    monkeypatch.setattr(thinning, "DENSE", 50.0)
    spec, repeats, rng = find_model("dyadic-squared-effects"), 1500, np.random.default_rng(5)
    draw = drawn_parameters(spec, directed=True)
    cells = Cells(spec, draw, directed=True)
    both = 0
    for _ in range(repeats):
        (_, weights), *rest = cells.drawn(rng)
        assert not rest
        both += int((weights > 0).all(axis=1).sum())
    i, j = np.triu_indices(N, 1)
    there, back = (np.exp(log_mean(spec, draw, *ends)) for ends in ((i, j), (j, i)))
    phi = draw["phi"]
    empty = [(1 + mean / phi) ** -phi for mean in (there, back, there + back)]
    probability = 1 - empty[0] - empty[1] + empty[2]
    error = np.sqrt(repeats * np.sum(probability * (1 - probability)))
    assert abs(both - repeats * probability.sum()) < 4.5 * error


@pytest.mark.parametrize("n_nodes", [2, 5, 17, 1000])
def test_sparse_networks_take_work_in_proportion_to_their_edges(n_nodes):
    """And their mean number of edges is right, where no cell is visited."""
    spec, rng = find_model("poisson-squared"), np.random.default_rng(6)
    z = rng.normal(size=(n_nodes, 2))
    draw = {"z": z, "intercept": np.asarray(np.log(5 / n_nodes) - 3)}
    cells = Cells(spec, draw, directed=True)
    every = np.arange(n_nodes)
    i, j = (ends.ravel() for ends in np.meshgrid(every, every))
    between = i != j
    expected = np.exp(log_mean(spec, draw, i[between], j[between])).sum()
    repeats = 100
    total = sum(int(weights.sum()) for _ in range(repeats) for _, weights in cells.drawn(rng))
    assert abs(total - repeats * expected) < 4.5 * np.sqrt(repeats * expected)
    if n_nodes == 1000:
        assert cells.work < 0.05 * n_nodes**2
