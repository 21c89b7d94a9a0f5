"""Numbers of dyads and pairs: those of an enumeration."""

import numpy as np
import pytest

from lsm_stan.network.pairs import nth_dyad, nth_pair, pair_number


@pytest.mark.parametrize("n", [2, 3, 7])
def test_ordered_dyads_are_numbered_row_by_row(n):
    expected = np.nonzero(~np.eye(n, dtype=bool))
    np.testing.assert_array_equal(nth_dyad(np.arange(n * (n - 1)), n), expected)


def test_pairs_are_numbered_by_their_larger_end():
    expected = np.array([(i, j) for j in range(40) for i in range(j)]).T
    numbers = np.arange(expected.shape[1])
    np.testing.assert_array_equal(nth_pair(numbers), expected)
    np.testing.assert_array_equal(pair_number(*expected), numbers)
    np.testing.assert_array_equal(pair_number(*expected[::-1]), numbers)


def test_numbers_of_pairs_of_millions_of_nodes_are_exact():
    first = np.array([3_000_000 * (3_000_000 - 1) // 2])
    np.testing.assert_array_equal(nth_pair(first - 1), [[2_999_998], [2_999_999]])
    np.testing.assert_array_equal(nth_pair(first), [[0], [3_000_000]])
