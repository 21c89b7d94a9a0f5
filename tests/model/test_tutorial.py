"""The Stan program's density and gradient against the tutorial's formula, cell by cell."""

import numpy as np
import pytest
from scipy import sparse

from lsm_stan import LatentSpaceModel, Network, load_celegans
from lsm_stan.cmdstan.compilation import compile_program
from lsm_stan.cmdstan.density import log_prob_grad
from lsm_stan.cmdstan.find import Toolchain
from lsm_stan.cmdstan.sources import STAN_DIR
from lsm_stan.errors import InputError
from lsm_stan.model.stan_data import stan_data
from tests.support import tutorial

KERNELS = ["stan", "cpp"]


def random_network(n_nodes: int, seed: int, *, directed: bool = True) -> Network:
    """Draw a sparse network with self-loops, and its last node isolated."""
    rng = np.random.default_rng(seed)
    y = rng.poisson(0.7, size=(n_nodes, n_nodes)) * rng.integers(1, 9, size=(n_nodes, n_nodes))
    y[-1] = y[:, -1] = 0
    if not directed:
        y = np.triu(y) + np.triu(y, 1).T
    return Network.from_matrix(y, directed=directed)


def check(model: LatentSpaceModel, z: np.ndarray, **kwargs: float | bool) -> None:
    y = model.network.to_dense()
    value, gradient = model.log_prob_grad(z)
    np.testing.assert_allclose(value, tutorial.log_joint(z, y, **kwargs), rtol=1e-10)
    expected = tutorial.gradient(z, y, **kwargs)
    np.testing.assert_allclose(gradient, expected, rtol=1e-10, atol=1e-10 * np.abs(expected).max())


@pytest.mark.cmdstan
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(("n_nodes", "dim"), [(2, 1), (5, 2), (12, 3), (30, 4), (9, 6)])
def test_density_is_the_tutorials(kernel: str, n_nodes: int, dim: int) -> None:
    network = random_network(n_nodes, seed=n_nodes)
    z = np.random.default_rng(dim).normal(size=(n_nodes, dim))
    model = LatentSpaceModel(network, dim, kernel=kernel)
    check(model, z)
    dense = network.to_dense()
    np.testing.assert_allclose(
        model.log_prob_grad(z)[0], tutorial.scipy_log_joint(z, dense), rtol=1e-10
    )


def test_the_tutorials_program_is_the_same_model(toolchain: Toolchain) -> None:
    """``stan/tutorial.stan``, which people open first, has the density of the whole program."""
    network = random_network(11, 2)
    z = np.random.default_rng(3).normal(size=(11, 3))
    program = compile_program(STAN_DIR / "tutorial.stan", toolchain=toolchain)
    data = {"n_nodes": 11, "n_dims": 3, "weight": network.to_dense().astype(int), "jitter": 1e3}
    value, gradient = log_prob_grad(program, data, z.T.reshape(1, -1))
    expected, expected_gradient = LatentSpaceModel(network, 3).log_prob_grad(z)
    np.testing.assert_allclose(value[0], expected, rtol=1e-12)
    np.testing.assert_allclose(gradient[0].reshape(3, 11).T, expected_gradient, rtol=1e-9)


@pytest.mark.cmdstan
@pytest.mark.parametrize("kernel", KERNELS)
def test_density_with_other_numbers(kernel: str) -> None:
    z = 2 * np.random.default_rng(3).normal(size=(11, 3))
    numbers = {"prior_scale": 2.5, "jitter": 50.0}
    check(LatentSpaceModel(random_network(11, 4), 3, kernel=kernel, **numbers), z, **numbers)


@pytest.mark.cmdstan
@pytest.mark.parametrize("kernel", KERNELS)
def test_undirected_pairs_are_counted_once(kernel: str) -> None:
    z = np.random.default_rng(5).normal(size=(14, 2))
    network = random_network(14, 6, directed=False)
    check(LatentSpaceModel(network, 2, kernel=kernel), z, directed=False)


@pytest.mark.cmdstan
@pytest.mark.parametrize("parallel_edges", ["first", "sum"])
def test_density_on_celegans(parallel_edges: str) -> None:
    """The gradient along ten directions: one after the other is 837 densities of all cells."""
    network = load_celegans(parallel_edges)
    z, *directions = np.random.default_rng(7).normal(size=(11, network.n_nodes, 3))
    dense, step = network.to_dense(), 1e-30
    value, gradient = LatentSpaceModel(network, 3).log_prob_grad(z)
    np.testing.assert_allclose(value, tutorial.log_joint(z, dense), rtol=1e-10)
    slopes = [np.imag(tutorial.log_joint(z + 1j * step * d, dense)) / step for d in directions]
    actual = [np.sum(gradient * direction) for direction in directions]
    np.testing.assert_allclose(actual, slopes, rtol=1e-10, atol=1e-10 * np.abs(slopes).max())


@pytest.mark.cmdstan
def test_parallel_edges_add_up() -> None:
    twice = Network.from_edges(["a", "a", "b"], ["b", "b", "c"], [2, 3, 1])
    z = np.random.default_rng(8).normal(size=(3, 2))
    dense = np.array([[0, 5, 0], [0, 0, 1], [0, 0, 0]])
    value, _ = LatentSpaceModel(twice, 2).log_prob_grad(z)
    np.testing.assert_allclose(value, tutorial.scipy_log_joint(z, dense), rtol=1e-12)


@pytest.mark.cmdstan
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(
    ("other", "expected"),
    [(2, np.nan), (3, -np.inf)],  # with edges between them, infinity less infinity; without
)
def test_coincident_nodes_have_no_density(kernel: str, other: int, expected: float) -> None:
    network = random_network(4, 1)
    assert (network.to_dense()[0, other] > 0) == np.isnan(expected)
    z = np.random.default_rng(9).normal(size=(4, 3))
    z[other] = z[0]
    value, gradient = LatentSpaceModel(network, 3, kernel=kernel).log_prob_grad(z)
    np.testing.assert_equal(float(value), expected)
    coincident = np.isin(np.arange(4), [0, other])
    np.testing.assert_array_equal(np.isfinite(gradient).all(axis=1), ~coincident)


@pytest.mark.cmdstan
def test_many_positions_at_once() -> None:
    z = np.random.default_rng(10).normal(size=(2, 3, 6, 2))
    model = LatentSpaceModel(random_network(6, 2), 2)
    value, gradient = model.log_prob_grad(z)
    assert value.shape == (2, 3)
    assert gradient.shape == z.shape
    np.testing.assert_array_equal(value[1, 2], model.log_prob_grad(z[1, 2])[0])


def test_stan_data_is_sparse() -> None:
    matrix = sparse.csr_array(([2, 3, 7], ([0, 4, 2], [1, 0, 2])), shape=(5, 5))
    data = stan_data(Network.from_matrix(matrix), 2)
    sizes = {"n_nodes": 5, "n_dims": 2, "n_edges": 2, "cells_per_pair": 2}
    assert {name: data[name] for name in sizes} == sizes
    ends = {"sender": [1, 5], "receiver": [2, 1], "weight": [2, 3], "self_weight": [0, 0, 7, 0, 0]}
    assert {name: data[name].tolist() for name in ends} == ends


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dim": 0}, r"dim is 0; .* integer >= 1"),
        ({"dim": 2.5}, r"dim is 2.5; .* integer >= 1"),
        ({"prior_scale": -1.0}, r"prior_scale is -1.0; a positive"),
        ({"jitter": 0.0}, r"jitter is 0.0; a positive"),
        ({"softening": float("nan")}, r"softening is nan; .* >= 0"),
    ],
)
def test_bad_numbers_are_refused(change: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        stan_data(random_network(3, 1), **{"dim": 2, **change})
