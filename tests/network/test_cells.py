"""Cells of matrices of text and of objects: zeros are told however they are written."""

import numpy as np
import pytest

from lsm_stan import InputError, Network
from lsm_stan.network import cells


def test_zeros_are_left_out_before_weights_are_parsed(monkeypatch):
    """Of a large matrix of text most cells are 0; only the others are looked at one by one."""
    looked_at = []
    monkeypatch.setattr(
        cells,
        "checked_weights",
        lambda values, where, source: (
            looked_at.extend(values) or np.array([int(float(v)) for v in values])
        ),
    )
    text = np.array([["0", "0.0", "2"], ["00", "-0", "1e0"], ["NA", "0e5", "+0"]], dtype=object)
    network = Network.from_matrix(text)
    assert looked_at == ["2", "1e0"]
    assert (network.n_edges, network.n_hidden) == (2, 1)


@pytest.mark.parametrize("kind", ["U", object])
@pytest.mark.parametrize("cell", ["", "0_0", "zero", "0,0"])
def test_what_only_looks_like_zero_is_refused(cell, kind):
    with pytest.raises(InputError, match="the cell in row '1' and column '0'"):
        Network.from_matrix(np.array([["0", "0"], [cell, "0"]], dtype=kind))


def test_a_matrix_of_objects_may_hold_any_zero():
    zeros = [[0, 0.0, False], [np.float64(0), np.int64(0), 3], ["0", -0.0, 0]]
    network = Network.from_matrix(np.array(zeros, dtype=object))
    assert network.edge_frame()["weight"].tolist() == [3]
    with pytest.raises(InputError, match="the cell in row '0' and column '1'"):
        Network.from_matrix(np.array([[0, [1]], [0, 0]], dtype=object))
