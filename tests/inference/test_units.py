"""A mode does not depend on the unit that people count in."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from lsm_stan import LatentSpaceModel, describe_result, read_network
from lsm_stan.inference.optimize import searched_checks
from lsm_stan.inference.problem import Problem
from lsm_stan.inference.units import counted_in, counting_units, levels, recounted
from lsm_stan.model.stan_data import DIAGONAL_JITTER
from lsm_stan.posterior.checks import Check

LARGEST = 2**31 - 1


def counts(n=12, dim=2, seed=0):
    """Return counts from 0 to 10 of a network with structure."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, dim))
    distance = np.linalg.norm(z[:, None] - z[None], axis=-1)
    matrix = np.minimum(rng.poisson(np.exp(1.2 - distance)), 10)
    np.fill_diagonal(matrix, 0)
    return matrix


def problem_of(matrix, model, **options):
    network = read_network(matrix, **options)
    return Problem.of(network, 2, model=model, prior_scale=None, jitter=DIAGONAL_JITTER)


def test_usual_counts_are_counted_in_ones():
    assert counting_units(read_network(counts())) == [1]
    assert counting_units(read_network(counts() > 0)) == [1]


def test_large_counts_are_counted_in_finer_and_finer_units():
    units = counting_units(read_network(counts() * 10**6))
    assert units[-1] == 1
    assert all(1 < coarse / fine < 200 for coarse, fine in itertools.pairwise(units))
    coarse = counted_in(problem_of(counts() * 10**6, "poisson-inverse"), units[0]).network
    assert coarse.weight.min() >= 1
    assert 2 < coarse.weight.mean() <= 5.5
    assert_array_equal(coarse.edge_cells, read_network(counts()).edge_cells)


def test_levels_are_those_of_the_data():
    """The likelihood of one rate and one dispersion for all dyads is highest near the levels."""
    matrix = counts(40)
    for factor in (1, 1000):
        at_levels = levels(problem_of(matrix * factor, "nb-inner"))
        off_diagonal = matrix[~np.eye(40, dtype=bool)] * factor
        assert_allclose(np.exp(at_levels["intercept"]), off_diagonal.mean(), rtol=1e-3)
        expected = off_diagonal.mean() ** 2 / (off_diagonal.var() - off_diagonal.mean())
        assert_allclose(at_levels["phi"], expected, rtol=5e-3)
    assert set(levels(problem_of(matrix, "tutorial"))) == set()


def test_levels_of_full_and_of_empty_networks_are_finite():
    full = 1 - np.eye(5, dtype=int)
    for matrix in (full, np.zeros((5, 5), dtype=int)):
        assert np.isfinite(levels(problem_of(matrix, "bernoulli-squared"))["intercept"])


def test_rates_grow_with_the_counts_of_finer_units():
    problem = problem_of(counts() * 1000, "poisson-exponential")
    point = {"z": np.ones((12, 2)), "intercept": np.asarray(0.5)}
    assert_allclose(recounted(point, problem, 100, 1)["intercept"], 0.5 + np.log(100))
    tutorial = problem_of(counts() * 1000, "tutorial")
    assert_allclose(recounted({"z": np.ones((12, 2))}, tutorial, 100, 1)["z"], 0.01)


@pytest.mark.cmdstan
@pytest.mark.parametrize(
    "model",
    [
        "tutorial", "poisson-squared-effects", "nb-squared-effects", "nb-inverse", "nb-inner",
        "poisson-inverse", "poisson-inverse-effects", "poisson-inverse-roles",
        "nb-inverse-effects", "poisson-inner-effects",
    ],
)  # fmt: skip
def test_every_start_finds_the_mode_whatever_the_unit(model):
    matrix = counts()
    largest = LARGEST // matrix.max()
    shares = []
    for factor in (1, 10**5, 2 * 10**8 // matrix.max(), largest):
        network = read_network(matrix * factor)
        mode = LatentSpaceModel(network, dim=2, model=model).optimize(seed=1, show_progress=False)
        assert mode.warnings == []
        # by where it is: how far L-BFGS stops below it depends on rounding, where a log joint has
        # 1e7 nats or more, and Newton's method takes what is left
        modes = np.array([start["mode"] for start in mode.record.details["starts"]])
        shares.append(np.mean(modes == 1))
    assert min(shares) >= shares[0] - 0.26, shares


def test_a_search_that_ended_at_once_is_said_and_not_taken_for_a_model_without_a_mode():
    rises = Check("curvature", False, "this model may have no mode here")
    steep = Check("gradient", False, "a Newton step would gain 5 nats")
    assert searched_checks([steep, rises], 0, 8) == [steep, rises]
    search, *others = searched_checks([steep, rises], 8, 8)
    assert not search.passed
    assert search.message.startswith("L-BFGS ended at once from every start, where it began")
    assert others == [steep]
    search, *others = searched_checks([steep, rises], 3, 8)
    assert "from 3 of 8 starts" in search.message
    assert others == [steep, rises]
    fine = Check("gradient", True, "")
    assert searched_checks([fine], 3, 8)[0].passed
    assert not searched_checks([fine], 8, 8)[0].passed


@pytest.mark.cmdstan
def test_l_bfgs_that_ends_where_it_began_is_seen():
    """Steps too short for any digit to change."""
    model = LatentSpaceModel(read_network(counts()), dim=2, model="poisson-squared")
    stuck = model.optimize(seed=1, starts=2, hops=0, init_alpha=1e-300, show_progress=False)
    assert [start["moved"] for start in stuck.record.details["starts"]] == [False, False]
    assert not stuck.converged
    assert stuck.warnings[0].startswith("L-BFGS ended at once from every start")
    assert not any("no mode" in warning for warning in stuck.warnings)


@pytest.mark.cmdstan
def test_a_network_without_structure_has_its_mode_at_the_origin():
    """Constant weights: the Hessian at the origin is negative definite, and Newton gets there."""
    equal = 1 - np.eye(12, dtype=int)
    models = ("poisson-squared", "poisson-squared-effects", "poisson-inner")
    cases = [
        (3, "nb-squared"),
        (2 * 10**8, "poisson-inner-effects"),
        *itertools.product((3, 2 * 10**8, LARGEST), models),
    ]
    for weight, model in cases:
        mode = LatentSpaceModel(read_network(weight * equal), dim=2, model=model).optimize(
            seed=1, show_progress=False
        )
        assert mode.warnings == [], (weight, model)
        assert np.abs(mode.positions).max() < 1e-6
        assert mode.record.details["curvature"]["rotations"] == 0, "at the origin nothing turns"


@pytest.mark.cmdstan
def test_what_cannot_be_computed_is_not_taken_for_a_rise():
    """Of large equal weights rounding hides along some directions how the log joint falls."""
    equal = read_network(2 * 10**9 * (1 - np.eye(8, dtype=int)))
    model = LatentSpaceModel(equal, dim=2, model="poisson-inverse-roles")
    mode = model.optimize(seed=1, starts=2, hops=0, show_progress=False)
    assert all("rises" not in warning for warning in mode.warnings)
    assert any("is not known" in warning for warning in mode.warnings)


@pytest.mark.cmdstan
def test_a_star_in_one_dimension_has_no_latent_structure():
    star = np.zeros((6, 6), dtype=int)
    star[0, 1:] = 1
    mode = LatentSpaceModel(read_network(star), dim=1, model="nb-squared").optimize(
        seed=1, show_progress=False
    )
    assert mode.warnings == []
    assert np.abs(mode.positions).max() < 1e-12
    first = describe_result(mode)[0]
    assert first.about == "no-structure"
    assert first.text.startswith("No latent structure was found: all nodes are at one point")


@pytest.mark.cmdstan
def test_advi_of_the_largest_weights_is_not_called_converged():
    matrix = 2 * 10**9 * (1 - np.eye(6, dtype=int))
    fit = LatentSpaceModel(read_network(matrix), dim=2).variational(seed=1, show_progress=False)
    assert not fit.converged
    assert any("is not of this posterior" in warning for warning in fit.warnings)
