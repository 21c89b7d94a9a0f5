"""Scores against scikit-learn, SciPy and closed forms."""

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from lsm_stan import Network, simulate
from lsm_stan.models import MODELS
from lsm_stan.references import degree_factors, predict_references
from lsm_stan.scores import (
    Prediction,
    auc_pr,
    auc_roc,
    calibration_table,
    flat_draws,
    predict,
    scores,
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
    prediction = Prediction(stats.poisson.logpmf(weight, mu), 1 - np.exp(-mu))
    found = scores(prediction, weight)
    assert found["log_density"] == pytest.approx(np.mean(stats.poisson.logpmf(weight, mu)))
    assert found["log_density_error"] == pytest.approx(stats.sem(prediction.log_density))
    assert found["brier"] == pytest.approx(metrics.brier_score_loss(weight > 0, 1 - np.exp(-mu)))
    edge_or_not = -metrics.log_loss(weight > 0, 1 - np.exp(-mu))
    assert found["edge_log_density"] == pytest.approx(edge_or_not)


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_zero_inflation_gains_where_there_is_some(share):
    rng = np.random.default_rng(4)
    mu = rng.gamma(1.0, 0.5, 4000)
    weight = rng.poisson(mu) * (rng.random(4000) >= share)
    found = zero_inflation_gain(
        Prediction(stats.poisson.logpmf(weight, mu), -np.expm1(-mu)), weight
    )
    grid = np.linspace(0, 0.99, 991)[:, None]
    plain = stats.poisson.pmf(weight, mu)
    inflated = grid * (weight == 0) + (1 - grid) * plain
    gains = np.mean(np.log(inflated) - np.log(plain), axis=1)
    assert gains.max() <= found + 1e-9
    assert found == pytest.approx(gains.max(), abs=1e-5)
    assert (found > 0.01) == (share > 0)


def test_extreme_predictions_have_finite_scores():
    weight, mu = np.array([0, 3, 0]), np.array([60.0, 1e-300, 0.1])
    prediction = Prediction(stats.poisson.logpmf(weight, mu), -np.expm1(-mu))
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
    monkeypatch.setattr("lsm_stan.scores.CHUNK", 2 * n_draws)
    prediction = predict(spec, draws, network, sender, receiver, weight)
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


def test_draws_are_thinned_evenly():
    chains = {"z": np.arange(24.0).reshape(2, 12, 1, 1), "phi": np.arange(24.0).reshape(2, 12)}
    np.testing.assert_array_equal(flat_draws(chains, 24)["phi"], np.arange(24))
    np.testing.assert_array_equal(flat_draws(chains, 7)["phi"], [0, 4, 8, 12, 16, 20])
    assert flat_draws(chains, 7)["z"].shape == (6, 1, 1)


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


# --- references ---------------------------------------------------------------------------------


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


def test_references_know_strengths_and_dispersion():
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
    found = predict_references(network.hide(sender, receiver), sender, receiver, weight)
    truth = stats.nbinom.logpmf(weight, size, share[sender, receiver]).mean()
    means = {name: prediction.log_density.mean() for name, prediction in found.items()}
    assert means["constant"] < means["degrees"] < means["degrees-nb"]
    assert means["constant"] < means["constant-nb"] < means["degrees-nb"]
    assert means["degrees-nb"] == pytest.approx(truth, abs=0.05)
    for name, prediction in found.items():
        assert np.all((prediction.probability >= 0) & (prediction.probability <= 1)), name


def test_the_constant_rate_is_the_mean_of_what_is_observed():
    network = Network.from_matrix([[0, 3, 0], [1, 0, 0], [0, 2, 0]]).hide([2], [1])
    found = predict_references(network, np.array([2]), np.array([1]), np.array([2]))
    assert found["constant"].log_density[0] == pytest.approx(stats.poisson.logpmf(2, 4 / 5))
    assert found["constant"].probability[0] == pytest.approx(1 - np.exp(-4 / 5))
