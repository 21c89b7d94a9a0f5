"""Regressions on other layers' counts: closed forms, and what is not known."""

import numpy as np
import pytest

from lsm_stan import Layers, Network
from lsm_stan.prediction.layer_counts import (
    COUNTED,
    Regression,
    log_counts,
    mean_weights,
    weights_in,
)

DYADS = np.array([[0, 1], [1, 0], [0, 2], [1, 2]])


@pytest.fixture
def layers() -> Layers:
    first = Network.from_edges(["a", "b"], ["b", "a"], [4, 1])  # 'c' is absent
    second = Network.from_edges(["a", "a"], ["b", "c"], [2, 3]).hide([1], [0])
    return Layers.of({"first": first, "second": second})


def test_weights_of_absent_nodes_and_hidden_dyads_are_not_known(layers):
    assert weights_in(layers, 0, DYADS) == pytest.approx([4, 1, np.nan, np.nan], nan_ok=True)
    assert weights_in(layers, 1, DYADS) == pytest.approx([2, np.nan, 3, 0], nan_ok=True)


def test_the_mean_is_over_layers_that_know(layers):
    assert mean_weights(layers, [0, 1], DYADS) == pytest.approx([3, 1, 3, 0])
    alone = mean_weights(layers, [0], DYADS)
    assert alone == pytest.approx([4, 1, np.nan, np.nan], nan_ok=True)
    known_or_usual = np.array([4, 1, 2, 2])
    assert log_counts(alone, 2.0).ravel() == pytest.approx(np.log(known_or_usual + COUNTED))


def test_the_means_of_two_groups_are_found():
    """With one feature of two values the likelihood is greatest at the groups' own means."""
    rng = np.random.default_rng(3)
    x = np.repeat([0.0, 1.0], 300)[:, None]
    y = rng.negative_binomial(2, 2 / (2 + np.where(x[:, 0] > 0, 5.0, 0.7)))
    learned = Regression.of(x, y, binary=False)
    assert np.exp(learned.level) == pytest.approx(y[:300].mean(), rel=1e-3)
    assert np.exp(learned.level + learned.slopes[0]) == pytest.approx(y[300:].mean(), rel=1e-3)
    assert learned.size == pytest.approx(2, rel=0.3)


def test_the_odds_of_two_groups_are_found():
    x = np.repeat([0.0, 1.0], 10)[:, None]
    y = np.r_[np.ones(2), np.zeros(8), np.ones(7), np.zeros(3)].astype(np.int64)
    prediction = Regression.of(x, y, binary=True).predict(x, y)
    assert prediction.probability[:10] == pytest.approx(0.2, abs=1e-3)
    assert prediction.probability[10:] == pytest.approx(0.7, abs=1e-3)
    assert np.exp(prediction.log_density[0]) == pytest.approx(0.2, abs=1e-3)


def test_a_feature_that_does_not_vary_has_no_slope():
    y = np.array([0, 1, 0, 3])
    learned = Regression.of(np.column_stack([np.full(4, 7.0), [0.0, 1.0, 0.0, 1.0]]), y, False)
    assert learned.slopes[0] == 0
    assert learned.slopes[1] > 0


@pytest.mark.filterwarnings("error")
def test_means_that_are_tried_may_overflow():
    """Large counts and wide features: the way to the maximum leads through steep slopes."""
    rng = np.random.default_rng(11)
    x = rng.normal(0, 10, size=(40, 1))
    y = rng.poisson(np.exp(np.clip(0.5 * x[:, 0], -20, 8)))
    learned = Regression.of(x, y, binary=False)
    assert learned.slopes[0] == pytest.approx(0.5, abs=0.15)
    assert np.isfinite(learned.predict(x, y).log_density).all()
