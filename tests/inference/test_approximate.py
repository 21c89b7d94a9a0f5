"""MAP with an approximate sum over pairs: against the exact sums, of Stan and of NumPy."""

import numpy as np
import pytest

from lsm_stan import Fit, InferenceError, InputError, LatentSpaceModel, find_model, simulate
from lsm_stan.inference.approximate import Approximate, climb, levelled, measured_error
from lsm_stan.inference.log_joint import LogJoint
from lsm_stan.inference.mode_checks import settle_mode
from lsm_stan.inference.starts import prior_starts
from lsm_stan.model.parameters import flat

#: Models, dimensions, whether the network is directed.
MODELS = [
    ("poisson-squared-effects", 3, True),
    ("poisson-squared", 1, False),
    ("nb-squared-effects", 2, True),
    ("nb-squared-effects", 3, False),
    ("bernoulli-exponential-effects", 1, True),
    ("nb-exponential", 2, False),
    ("poisson-inverse-effects", 3, True),
    ("tutorial", 3, True),
]


def made(model, dim, directed, n_nodes=150, level=-3.0):
    """Return a model of a network with hidden dyads and self-loops, and where it comes from."""
    rng = np.random.default_rng(3)
    spec = find_model(model)
    parameters = {"z": rng.normal(size=(n_nodes, dim))}
    if spec.intercept:
        parameters["intercept"] = np.array(level)
    if spec.effects:
        first, second = 0.7 * rng.normal(size=(2, n_nodes))
        parameters["sender_effect"] = first
        parameters["receiver_effect"] = second if directed else first
    if spec.dispersed:
        parameters["phi"] = np.array(0.8)
    network, _ = simulate(
        n_nodes, dim, seed=2, model=model, directed=directed, parameters=parameters
    )
    hidden = rng.integers(n_nodes, size=(2, 60))
    network = network.hide(*hidden[:, hidden[0] != hidden[1]])
    return LatentSpaceModel(network, dim, model=model), parameters


@pytest.mark.parametrize(("model", "dim", "directed"), MODELS)
def test_density_and_gradient_are_the_stan_programs(toolchain, model, dim, directed):
    fitted, parameters = made(model, dim, directed)
    point = flat(fitted.problem.declared(parameters))
    value, gradient = Approximate(fitted.problem).at_flat(point)
    exact, exact_gradient = LogJoint(fitted.problem, fitted.compiled).at_flat(point)
    assert value == pytest.approx(float(exact), rel=1e-5)
    assert np.abs(gradient - exact_gradient).max() < 1e-3 * np.abs(exact_gradient).max()


def test_a_smaller_tolerance_gives_a_smaller_error(toolchain):
    fitted, parameters = made("nb-squared-effects", 2, True)
    point = flat(fitted.problem.declared(parameters))
    exact = float(LogJoint(fitted.problem, fitted.compiled).at_flat(point)[0])
    off = [
        abs(Approximate(fitted.problem, t).at_flat(point)[0] - exact) for t in (1e-1, 1e-3, 1e-6)
    ]
    assert off[0] > 5 * off[1] > 25 * off[2]


@pytest.mark.parametrize("model", ["poisson-squared-effects", "nb-squared-effects"])
def test_the_error_is_measured(model):
    fitted, parameters = made(model, 2, True)
    problem = fitted.problem
    point = flat(problem.declared(parameters))
    finer = Approximate(problem, 1e-9).at_flat(point)[0]
    coarse = Approximate(problem, 0.1)
    measured = measured_error(coarse, parameters, finer, seed=1)
    # of 150 nodes all are measured
    assert measured["nodes"] == 150
    assert measured["error"] == pytest.approx(finer - coarse.at_flat(point)[0], rel=0.05)
    assert 0 < measured["gradient_error_95"] < 0.1


def test_nodes_with_large_rates_are_visited_one_by_one(toolchain):
    fitted, parameters = made("nb-squared-effects", 2, True)
    parameters["sender_effect"][:3] = 6.0
    point = flat(fitted.problem.declared(parameters))
    value, gradient = Approximate(fitted.problem).at_flat(point)
    exact, exact_gradient = LogJoint(fitted.problem, fitted.compiled).at_flat(point)
    assert value == pytest.approx(float(exact), rel=1e-5)
    assert np.abs(gradient - exact_gradient).max() < 1e-3 * np.abs(exact_gradient).max()


@pytest.mark.parametrize("model", ["poisson-squared-effects", "nb-squared"])
def test_the_mode_is_that_of_exact_sums(toolchain, model, tmp_path):
    fitted, _ = made(model, 2, True, level=-4.0)
    fit = fitted.optimize(seed=1, starts=1, sum="approximate", show_progress=False)
    start = levelled(fitted.problem, prior_starts(fitted.problem, 1, seed=1)[0])
    assert fit.log_joint == climb(Approximate(fitted.problem), start, 2000).log_joint
    exact = settle_mode(LogJoint(fitted.problem, fitted.compiled), fit.estimate)
    assert fit.log_joint == pytest.approx(exact.log_joint, abs=0.05)
    assert np.abs(exact.point["z"] - fit.estimate["z"]).max() < 0.02
    assert fit.converged
    error = fit.record.details["sum_error"]
    assert error["relative_error"] < 1e-4
    (said,) = [check.message for check in fit.record.checks if check.name == "sum"]
    assert said.startswith("the sum over pairs is approximate: by the exact sums of 150 random")
    loaded = Fit.load(fit.save(tmp_path / "fit"))
    assert loaded.record.details["sum_error"] == error
    assert loaded.record.arguments["tolerance"] == 1e-4


def test_a_start_expects_the_observed_weight():
    problem = made("nb-squared-effects", 2, False)[0].problem
    start = levelled(problem, prior_starts(problem, 1, seed=1)[0])
    network, first, second = problem.network, *np.triu_indices(problem.network.n_nodes, 1)
    squared = ((start["z"][first] - start["z"][second]) ** 2).sum(axis=1)
    expected = np.exp(start["intercept"] - squared).sum()
    assert expected == pytest.approx(network.total_weight + 0.25, rel=1e-4)
    assert start["phi"] >= 1


def test_units_of_the_data_save_gradients(monkeypatch):
    problem = made("poisson-squared-effects", 2, True)[0].problem
    density = Approximate(problem)
    start = levelled(problem, prior_starts(problem, 1, seed=1)[0])
    end = climb(density, start, 2000)
    monkeypatch.setattr("lsm_stan.inference.approximate.widths", lambda *_: 1.0)
    plain = climb(density, start, 2000)
    assert end.log_joint == pytest.approx(plain.log_joint, abs=1)
    assert 2 * end.gradients < plain.gradients


def test_many_large_rates_are_refused(toolchain):
    fitted, _ = made("nb-squared-effects", 2, True, level=2.0)
    with pytest.raises(InferenceError, match="nodes have expected weights that are not small"):
        fitted.optimize(seed=1, starts=1, sum="approximate", show_progress=False)


@pytest.mark.parametrize(
    ("model", "dim", "arguments", "words"),
    [
        ("dyadic-squared", 2, {}, "not for likelihood dyadic"),
        ("nb-inverse", 3, {}, "not for form inverse but of Poisson"),
        ("poisson-squared-roles", 2, {}, "not for roles"),
        ("poisson-squared+clusters(2)", 2, {}, "not for clusters"),
        ("poisson-inner", 2, {}, "forms squared and exponential with K = 1 to 3"),
        ("poisson-squared", 4, {}, "with K = 4 has sum = 'exact' only"),
        ("tutorial", 2, {}, "for inverse with K = 3"),
        ("poisson-squared", 2, {"hops": 3}, "hops is 3; sum = 'approximate' has none"),
        ("poisson-squared", 2, {"ladder": [1.0]}, "ladder is"),
        ("poisson-squared", 2, {"history_size": 3}, "history_size is of CmdStan"),
        ("poisson-squared", 2, {"sum": "exact", "tolerance": 0.1}, "it is of sum = 'approximate'"),
        ("poisson-squared", 2, {"tolerance": -1.0}, "tolerance is -1.0"),
        ("poisson-squared", 2, {"sum": "quux"}, "sum is 'quux'"),
    ],
)
def test_what_an_approximate_sum_does_not_serve(model, dim, arguments, words):
    fitted = LatentSpaceModel(
        simulate(12, dim, seed=1, model="poisson-squared")[0], dim, model=model
    )
    with pytest.raises(InputError, match=words):
        fitted.optimize(**{"seed": 1, "sum": "approximate", **arguments})
