"""Numbers of dyads and pairs are those of an enumeration, and matrices those of all cells."""

import numpy as np
import pytest

from lsm_stan import simulate
from lsm_stan.network.pairs import hidden_cells, nth_dyad, nth_pair, pair_number, pair_weights


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


@pytest.mark.parametrize("directed", [True, False])
def test_matrices_of_pairs_are_those_of_all_cells(directed):
    network = simulate(12, 2, seed=3, directed=directed)[0].hide([3, 4, 0], [4, 3, 7])
    cells = network.to_dense() * ~np.eye(12, dtype=bool)
    expected = cells + cells.T if directed else cells
    weights = pair_weights(network)
    np.testing.assert_array_equal(weights.toarray(), expected)
    assert weights.nnz == np.count_nonzero(expected)
    hidden = np.zeros((12, 12))
    hidden[3, 4] = hidden[4, 3] = 2 if directed else 1
    hidden[0, 7] = hidden[7, 0] = 1
    np.testing.assert_array_equal(hidden_cells(network).toarray(), hidden)
