"""Central intervals: NumPy's quantiles, and none of a single draw."""

import numpy as np
import pytest

from lsm_stan.posterior.intervals import interval


@pytest.mark.parametrize("n_draws", [2, 3, 100])
def test_an_interval_is_the_central_nine_tenths(n_draws):
    draws = np.random.default_rng(n_draws).normal(size=(n_draws, 3))
    np.testing.assert_allclose(interval(draws), np.quantile(draws, [0.05, 0.95], axis=0))


def test_one_draw_has_no_interval():
    actual = interval(np.zeros((1, 4)))
    assert actual.shape == (2, 4)
    assert np.isnan(actual).all()
