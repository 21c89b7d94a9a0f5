"""Scores against scikit-learn, SciPy and closed forms."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import integrate, special, stats
from sklearn import metrics

from lsm_stan import Network, simulate
from lsm_stan.model.family import MODELS
from lsm_stan.network.pairs import pair_number
from lsm_stan.posterior.draws import flat_draws
from lsm_stan.prediction.baselines import degree_factors, degree_odds, predict_baselines
from lsm_stan.prediction.scores import (
    Prediction,
    auc_pr,
    auc_roc,
    calibration_table,
    predict_held_out,
    scores,
    standard_error,
    zero_inflation_gain,
)


@pytest.fixture(params=[None, 1], ids=["continuous", "ties"])
def labelled(request):
    rng = np.random.default_rng(3)
    edge = rng.random(400) < 0.2
    score = rng.random(400) + 0.4 * edge
    return score if request.param is None else np.round(score, request.param), edge


def test_areas_under_curves_are_those_of_scikit_learn(labelled):
    score, edge = labelled
    assert auc_roc(score, edge) == pytest.approx(metrics.roc_auc_score(edge, score), abs=1e-12)
    assert auc_pr(score, edge) == pytest.approx(
        metrics.average_precision_score(edge, score), abs=1e-12
    )


@pytest.mark.parametrize("edge", [np.zeros(5, bool), np.ones(5, bool)])
def test_there_is_no_curve_of_one_kind_only(edge):
    assert np.isnan(auc_roc(np.arange(5.0), edge))


def test_scores_of_a_prediction():
    rng = np.random.default_rng(1)
    weight, mu = rng.poisson(0.5, 300), rng.gamma(1.0, 0.5, 300)
    prediction = Prediction(stats.poisson.logpmf(weight, mu), -mu)
    actual = scores(prediction, weight)
    assert actual["log_density"] == pytest.approx(np.mean(stats.poisson.logpmf(weight, mu)))
    assert actual["log_density_error"] == pytest.approx(stats.sem(prediction.log_density))
    assert actual["brier"] == pytest.approx(metrics.brier_score_loss(weight > 0, 1 - np.exp(-mu)))
    edge_or_not = -metrics.log_loss(weight > 0, 1 - np.exp(-mu))
    assert actual["edge_log_density"] == pytest.approx(edge_or_not)


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_zero_inflation_gains_where_there_is_some(share):
    rng = np.random.default_rng(4)
    mu = rng.gamma(1.0, 0.5, 4000)
    weight = rng.poisson(mu) * (rng.random(4000) >= share)
    actual = zero_inflation_gain(Prediction(stats.poisson.logpmf(weight, mu), -mu), weight)
    grid = np.linspace(0, 0.99, 991)[:, None]
    plain = stats.poisson.pmf(weight, mu)
    inflated = grid * (weight == 0) + (1 - grid) * plain
    gains = np.mean(np.log(inflated) - np.log(plain), axis=1)
    assert gains.max() <= actual + 1e-9
    assert actual == pytest.approx(gains.max(), abs=1e-5)
    assert (actual > 0.01) == (share > 0)


def test_extreme_predictions_have_finite_scores():
    weight, mu = np.array([0, 3, 0]), np.array([60.0, 1e-300, 0.1])
    prediction = Prediction(stats.poisson.logpmf(weight, mu), -mu)
    assert np.isfinite(list(scores(prediction, weight).values())).all()


def test_the_predictive_density_is_the_mean_of_probabilities(monkeypatch):
    network, _ = simulate(9, 2, seed=2, model="nb-exponential-effects")
    rng = np.random.default_rng(5)
    spec, n_draws = MODELS["nb-exponential-effects"], 7
    draws = {
        "z": rng.normal(size=(n_draws, 9, 2)),
        "intercept": rng.normal(size=n_draws),
        "phi": rng.gamma(2.0, size=n_draws),
        "sender_effect": rng.normal(size=(n_draws, 9)),
        "receiver_effect": rng.normal(size=(n_draws, 9)),
    }
    sender, receiver = np.array([0, 3, 8]), np.array([4, 1, 2])
    weight = np.array([0, 2, 5])
    # 2 dyads a block: blocks must not show
    monkeypatch.setattr("lsm_stan.model.likelihood.CHUNK", 2 * n_draws)
    prediction = predict_held_out(spec, draws, network, sender, receiver, weight)
    for d, (i, j, y) in enumerate(zip(sender, receiver, weight, strict=True)):
        pmf, empty = [], []
        for s in range(n_draws):
            distance = np.hypot(np.linalg.norm(draws["z"][s, i] - draws["z"][s, j]), 0.1)
            effects = draws["sender_effect"][s, i] + draws["receiver_effect"][s, j]
            mu = np.exp(draws["intercept"][s] + effects - distance)
            phi = draws["phi"][s]
            weights = stats.nbinom(phi, phi / (phi + mu))
            pmf.append(weights.pmf(y))
            empty.append(weights.pmf(0))
        assert prediction.log_density[d] == pytest.approx(np.log(np.mean(pmf)), rel=1e-10)
        assert prediction.probability[d] == pytest.approx(1 - np.mean(empty), rel=1e-10)


def joint_density(weights, means, phi):
    """Return the probability of a pair's weights: Poisson, with one gamma(phi, phi) frailty."""

    def integrand(g):
        return stats.gamma.pdf(g, phi, scale=1 / phi) * np.prod(
            stats.poisson.pmf(weights, g * np.array(means))
        )

    return integrate.quad(integrand, 0, np.inf, epsabs=0, epsrel=1e-10)[0]


def test_a_pair_held_out_as_one_is_scored_as_one(monkeypatch):
    """Besides a pair: a dyad whose reverse is hidden for good, and one whose reverse was seen."""
    rng = np.random.default_rng(5)
    spec, n_draws = MODELS["dyadic-squared"], 6
    draws = {
        "z": rng.normal(size=(n_draws, 5, 2)),
        "intercept": rng.normal(size=n_draws),
        "phi": rng.gamma(2.0, size=n_draws),
    }
    sender, receiver, weight = (
        np.array([0, 1, 2, 4]),
        np.array([1, 0, 3, 2]),
        np.array([4, 2, 1, 0]),
    )
    network = Network.from_matrix(np.zeros((5, 5))).hide([*sender, 3], [*receiver, 2])
    monkeypatch.setattr("lsm_stan.model.likelihood.CHUNK", n_draws)  # a unit a block
    actual = predict_held_out(
        spec, draws, network, sender, receiver, weight, np.array([7, 7, 9, 8])
    )
    alone = predict_held_out(spec, draws, network, sender, receiver, weight)
    gap = np.sum((draws["z"][:, 0] - draws["z"][:, 1]) ** 2, axis=1)
    mu, phi = np.exp(draws["intercept"] - gap), draws["phi"]
    joint = [joint_density([4, 2], [m, m], p) for m, p in zip(mu, phi, strict=True)]
    np.testing.assert_allclose(actual.log_density[:2], np.log(np.mean(joint)) / 2, rtol=1e-8)
    marginal = stats.nbinom.pmf(weight[:2, None], phi, phi / (phi + mu)).mean(axis=1)
    np.testing.assert_allclose(alone.log_density[:2], np.log(marginal), rtol=1e-8)
    np.testing.assert_allclose(actual.log_density[2:], alone.log_density[2:], rtol=1e-12)
    np.testing.assert_array_equal(actual.probability, alone.probability)


def test_only_the_joint_score_of_a_pair_sees_a_shared_frailty():
    n, rng = 40, np.random.default_rng(3)
    p = {"z": rng.normal(size=(n, 2)), "intercept": np.array(1.0), "phi": np.array(0.5)}
    network, _ = simulate(n, 2, seed=8, model="dyadic-squared", parameters=p)
    draws = {name: value[None] for name, value in p.items()}
    dyads = np.nonzero(~np.eye(n, dtype=bool))
    dyads = tuple(ends[pair_number(*dyads) > 0] for ends in dyads)  # one pair stays observed
    weight, pair = network.weight_of(*dyads), pair_number(*dyads)
    train = network.hide(*dyads)

    def of(name, unit):
        return predict_held_out(MODELS[name], draws, train, *dyads, weight, unit).log_density

    np.testing.assert_allclose(of("dyadic-squared", None), of("nb-squared", None))
    np.testing.assert_allclose(of("nb-squared", pair).mean(), of("nb-squared", None).mean())
    gain = of("dyadic-squared", pair) - of("nb-squared", pair)
    assert gain.mean() > 3 * standard_error(gain, pair)


def test_values_of_one_unit_are_one():
    rng = np.random.default_rng(9)
    one = rng.normal(size=50)
    twice = np.repeat(one, 2)
    assert standard_error(one) == pytest.approx(stats.sem(one))
    assert standard_error(twice, np.repeat(np.arange(50), 2)) == pytest.approx(stats.sem(one))
    assert standard_error(twice, rng.permutation(100)) == pytest.approx(stats.sem(twice))
    assert np.isnan(standard_error(one, np.zeros(50)))
    # units of 1 and 2, as of samples of units drawn anew
    unit = np.concatenate([np.arange(400), np.arange(200)])
    values = rng.normal(size=400)[unit] + 0.3 * rng.normal(size=600)
    sums, sizes = np.bincount(unit, values), np.bincount(unit)
    again = rng.integers(400, size=(4000, 400))
    means = sums[again].sum(axis=1) / sizes[again].sum(axis=1)
    assert standard_error(values, unit) == pytest.approx(means.std(), rel=0.05)
    assert scores(Prediction(values, -np.ones(600)), unit % 2, unit)[
        "log_density_error"
    ] == pytest.approx(standard_error(values, unit))


@pytest.mark.parametrize(("most", "kept"), [(24, range(24)), (7, range(0, 24, 4))])
def test_draws_are_thinned_evenly(most, kept):
    chains = {"z": np.arange(24.0).reshape(2, 12, 1, 1), "phi": np.arange(24.0).reshape(2, 12)}
    np.testing.assert_array_equal(flat_draws(chains, most)["phi"], kept)
    assert flat_draws(chains, most)["z"].shape == (len(kept), 1, 1)


def test_calibration_of_true_probabilities_and_of_wrong_ones():
    rng = np.random.default_rng(8)
    probability = rng.beta(0.5, 3.0, size=20_000)
    edge = rng.random(20_000) < probability
    table = calibration_table(probability, edge)
    assert table["dyads"].sum() == 20_000
    assert len(table) == 10
    assert np.sum(table["dyads"] * table["predicted"]) == pytest.approx(probability.sum())
    assert np.sum(table["dyads"] * table["observed"]) == pytest.approx(edge.sum())
    off = (table["observed"] - table["predicted"]) / table["error"]
    assert stats.chi2(10).sf(np.sum(off**2)) > 0.001
    wrong = calibration_table(np.sqrt(probability), edge)
    assert (np.abs(wrong["observed"] - wrong["predicted"]) / wrong["error"]).max() > 5


# --- baselines ---------------------------------------------------------------------------------


@pytest.mark.parametrize("directed", [True, False])
def test_degree_factors_are_where_their_equations_hold(directed):
    network, _ = simulate(15, 2, seed=4, directed=directed)
    network = network.hide([0, 2, 5], [1, 9, 6])
    mean, a, b = degree_factors(network)
    weight, seen = network.to_dense().astype(float), np.ones((15, 15))
    for i, j in zip(network.hidden_sender, network.hidden_receiver, strict=True):
        seen[i, j] = 0
        if not directed:
            seen[j, i] = 0
    for matrix in (weight, seen):
        np.fill_diagonal(matrix, 0)
    assert mean == pytest.approx(weight.sum() / seen.sum())
    np.testing.assert_allclose(a, (1 + weight.sum(1)) / (1 + mean * seen @ b), rtol=1e-6)
    np.testing.assert_allclose(b, (1 + weight.sum(0)) / (1 + mean * seen.T @ a), rtol=1e-6)
    if not directed:
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_baselines_know_strengths_and_dispersion():
    rng = np.random.default_rng(6)
    n, size = 60, 0.5
    a, b = rng.gamma(1.0, size=(2, n))
    share = size / (size + 0.8 * np.outer(a, b))
    matrix = rng.negative_binomial(size, share)
    np.fill_diagonal(matrix, 0)
    network = Network.from_matrix(matrix)
    sender, receiver = np.divmod(rng.choice(n * n, 900, replace=False), n)
    kept = sender != receiver
    sender, receiver = sender[kept], receiver[kept]
    weight = network.weight_of(sender, receiver)
    actual = predict_baselines(network.hide(sender, receiver), sender, receiver, weight)
    truth = stats.nbinom.logpmf(weight, size, share[sender, receiver]).mean()
    means = {name: prediction.log_density.mean() for name, prediction in actual.items()}
    assert means["constant"] < means["degrees"] < means["degrees-nb"]
    assert means["constant"] < means["constant-nb"] < means["degrees-nb"]
    assert means["degrees-nb"] == pytest.approx(truth, abs=0.05)
    for name, prediction in actual.items():
        assert np.all((prediction.probability >= 0) & (prediction.probability <= 1)), name


def test_the_constant_rate_is_the_mean_of_what_is_observed():
    network = Network.from_matrix([[0, 3, 0], [1, 0, 0], [0, 2, 0]]).hide([2], [1])
    actual = predict_baselines(network, np.array([2]), np.array([1]), np.array([2]))
    assert actual["constant"].log_density[0] == pytest.approx(stats.poisson.logpmf(2, 4 / 5))
    assert actual["constant"].probability[0] == pytest.approx(1 - np.exp(-4 / 5))


@pytest.mark.parametrize("directed", [True, False])
def test_degree_odds_are_where_their_equations_hold(directed):
    rng = np.random.default_rng(2)
    n = 15
    matrix = (rng.random((n, n)) < rng.beta(1, 2, size=n)).astype(int)
    if not directed:
        matrix = np.triu(matrix) + np.triu(matrix, 1).T
    matrix[3] = matrix[:, 3] = 0
    network = Network.from_matrix(matrix, directed=directed).hide([0, 2, 5], [1, 9, 6])
    intercept, s, r = degree_odds(network)
    seen = ~np.eye(n, dtype=bool)
    seen[network.hidden_sender, network.hidden_receiver] = False
    if not directed:
        seen &= seen.T
    # what was found of every node, less what is expected, is its prior's pull
    left = seen * (matrix - special.expit(intercept + s[:, None] + r))
    np.testing.assert_allclose(left.sum(1), s, atol=1e-3)
    assert left.sum() / (1 if directed else 2) == pytest.approx(intercept / 25, abs=1e-3)
    if directed:
        np.testing.assert_allclose(left.sum(0), r, atol=1e-3)
    else:
        np.testing.assert_array_equal(s, r)


def test_baselines_of_a_binary_network_are_bernoulli():
    rng = np.random.default_rng(6)
    n = 60
    share = special.expit(-1.5 + np.add.outer(*rng.normal(size=(2, n))))
    matrix = (rng.random((n, n)) < share) & ~np.eye(n, dtype=bool)
    network = Network.from_matrix(matrix.astype(int))
    sender, receiver = np.divmod(rng.choice(n * n, 900, replace=False), n)
    kept = sender != receiver
    sender, receiver = sender[kept], receiver[kept]
    weight = network.weight_of(sender, receiver)
    train = network.hide(sender, receiver)
    actual = predict_baselines(train, sender, receiver, weight)
    assert list(actual) == ["constant", "degrees"]
    truth = stats.bernoulli.logpmf(weight, share[sender, receiver]).mean()
    means = {name: prediction.log_density.mean() for name, prediction in actual.items()}
    assert means["constant"] < means["degrees"] == pytest.approx(truth, abs=0.02)
    density = train.n_edges / (n * (n - 1) - train.n_hidden)
    np.testing.assert_allclose(actual["constant"].probability, density)
    expected = stats.bernoulli.logpmf(weight, density)
    np.testing.assert_allclose(actual["constant"].log_density, expected)
    # a single weight of 2, held out or not, and it is a network of weights
    assert "degrees-nb" in predict_baselines(train, sender, receiver, 2 * weight)
    doubled = replace(train, weight=2 * train.weight)
    assert "degrees-nb" in predict_baselines(doubled, sender, receiver, 0 * weight)
