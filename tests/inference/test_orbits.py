"""No likelihood sees the moves that effects make up for."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from lsm_stan import LatentSpaceModel, read_network
from lsm_stan.inference.orbits import inverted_by_prior, made_up_for
from lsm_stan.inference.symmetries import NORMAL
from lsm_stan.model.parameters import flat, unflat
from tests.inference.test_units import counts

#: How many directions of K = 2: conformal maps or translations; those of roles apart, too.
MOVES = {
    "poisson-inverse-effects": 2,
    "nb-inverse-roles": 2,
    "dyadic-inverse-effects": 2,
    "poisson-inner-effects": 2,
    "poisson-inner-roles": 7,
    "nb-squared-roles": 5,
    "bernoulli-squared-roles": 5,
    "nb-squared-effects": 0,
    "poisson-exponential-roles": 0,
    "poisson-inner": 0,
}


def problem_and_point(model, directed=True):
    matrix = counts() if directed else counts() + counts().T
    network = read_network(
        np.minimum(matrix, 1) if "bernoulli" in model else matrix, directed=directed
    )
    log_joint = LatentSpaceModel(network, dim=2, model=model).log_joint
    problem, rng = log_joint.problem, np.random.default_rng(1)
    n_effects, spec = (2 if directed else 1), problem.spec
    effects = 0.3 * rng.normal(size=(2, 12)) if spec.effects else None
    point = {"z": rng.normal(size=(12, 2)), "intercept": np.asarray(0.4)}
    if spec.effects:
        point |= {"sender_effect": effects[0], "receiver_effect": effects[n_effects - 1]}
    if spec.roles:
        point["role"] = 0.3 * rng.normal(size=(12, 2))
    if spec.dispersed:
        point["phi"] = np.asarray(0.7)
    return log_joint, point


@pytest.mark.cmdstan
@pytest.mark.parametrize("model", MOVES)
@pytest.mark.parametrize("directed", [True, False])
def test_the_likelihood_has_no_slope_along_moves_and_the_curvature_that_is_told(model, directed):
    if not directed and ("roles" in model or "dyadic" in model):
        return
    log_joint, point = problem_and_point(model, directed)
    values = log_joint.problem.declared(point)
    sd = log_joint.problem.spec.prior_sd(log_joint.problem.prior_scale)
    precision = flat(
        {n: np.full_like(v, sd[n] ** -2 if n in NORMAL else 0.0) for n, v in values.items()}
    )

    def of_likelihood(flat_point):
        return log_joint.at_flat(flat_point)[1] + precision * flat_point

    there = flat(values)
    slope = of_likelihood(there)
    moves = list(made_up_for(log_joint.problem, values, unflat(slope, values)))
    assert len(moves) == MOVES[model]
    for move, product in moves:
        assert abs(slope @ move) < 1e-12 * np.linalg.norm(slope) * np.linalg.norm(move)
        step = 1e-4 * move
        differences = of_likelihood(there - step) - of_likelihood(there + step)
        assert_allclose(differences / 2e-4, product, rtol=0, atol=1e-5 * np.abs(product).max())


@pytest.mark.cmdstan
@pytest.mark.parametrize("model", ["poisson-inverse-effects", "nb-inverse-roles"])
def test_a_conformal_map_raises_the_prior_and_leaves_the_likelihood(model):
    log_joint, point = problem_and_point(model)
    moved, size = inverted_by_prior(log_joint.problem, point)
    assert size > 0.01
    places = [name for name in ("z", "role", "sender_effect", "receiver_effect") if name in point]
    assert all(np.abs(moved[name] - point[name]).max() > 1e-4 for name in places)
    scales = {"z": log_joint.problem.prior_scale, "role": log_joint.problem.spec.role_fixed}
    fixed = log_joint.problem.spec.sigma_fixed

    def prior(at):
        return -sum(((at[name] / scales.get(name, fixed)) ** 2).sum() / 2 for name in places)

    assert prior(moved) > prior(point)
    of_likelihood = [float(log_joint.at(at)[0]) - prior(at) for at in (point, moved)]
    assert_allclose(of_likelihood[1], of_likelihood[0], rtol=1e-12)
