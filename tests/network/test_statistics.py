"""A network's statistics: NumPy's and NetworkX's, of all dyads and of the observed ones."""

from itertools import combinations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsm_stan.network import statistics
from lsm_stan.network.network import Network
from lsm_stan.network.statistics import Edges, Features, features, observed_edges
from lsm_stan.network.summary import describe
from tests.support.made import partly_hidden


def random_network(seed: int, n_nodes: int, density: float, directed: bool) -> Network:
    """Return a network with weights of all classes up to about 40, and with self-loops."""
    rng = np.random.default_rng(seed)
    matrix = rng.geometric(0.15, (n_nodes, n_nodes)) * (rng.random((n_nodes, n_nodes)) < density)
    return Network.from_matrix(matrix if directed else np.triu(matrix) + np.triu(matrix, 1).T,
                               directed=directed)  # fmt: skip


networks = st.builds(
    random_network, st.integers(0, 2**32 - 1), st.integers(2, 14), st.floats(0, 1), st.booleans()
)


def features_of(network: Network) -> Features:
    return features([observed_edges(network)], network)


partly_observed = st.builds(partly_hidden, networks, st.integers(0, 2**32 - 1), st.floats(0, 1))


@given(networks)
def test_statistics_are_those_of_numpy_and_networkx(network):
    found = features_of(network)
    matrix = network.to_dense()
    np.fill_diagonal(matrix, 0)
    n = network.n_nodes
    upper = np.triu_indices(n, 1)
    there, back = matrix[upper], matrix.T[upper]
    cells = np.concatenate([there, back]) if network.directed else there
    graph = nx.from_numpy_array((matrix + matrix.T > 0).astype(int))
    open_or_closed = any(degree > 1 for _, degree in graph.degree)
    expected = {
        "share_zero": np.mean(cells == 0),
        "mean_weight": cells.mean(),
        "dispersion": cells.var() / cells.mean() if cells.any() else np.nan,
        "max_weight": cells.max(),
        "transitivity": nx.transitivity(graph) if open_or_closed else np.nan,
    }
    if network.directed:
        edges = matrix > 0
        other = np.concatenate([back, there])
        expected |= {
            "sd_out_strength": matrix.sum(axis=1).std(),
            "max_out_strength": matrix.sum(axis=1).max(),
            "sd_in_strength": matrix.sum(axis=0).std(),
            "max_in_strength": matrix.sum(axis=0).max(),
            "reciprocity": edges.T[edges].mean() if edges.any() else np.nan,
            "weight_correlation": np.corrcoef(cells, other)[0, 1] if np.ptp(cells) else np.nan,
        }
        strengths = {"out": matrix.sum(axis=1), "in": matrix.sum(axis=0)}
    else:
        expected |= {
            "sd_strength": matrix.sum(axis=1).std(),
            "max_strength": matrix.sum(axis=1).max(),
        }
        strengths = {"both": matrix.sum(axis=1)}
    assert found.statistics == pytest.approx(expected, rel=1e-9, abs=1e-9, nan_ok=True)
    for direction, strength in strengths.items():
        np.testing.assert_array_equal(found.strengths[direction], strength)
    assert found.strengths.keys() == strengths.keys()
    bounds = [0, 1, 2, 3, 5, 9, 17, 33, 65, 129]
    shares = np.histogram(cells, bounds)[0] / len(cells)
    np.testing.assert_allclose(found.shares[: len(shares)], shares)
    assert not found.shares[len(shares) :].any()


@given(partly_observed)
def test_statistics_are_those_of_numpy_on_the_observed_dyads(network):
    n = network.n_nodes
    seen = ~np.eye(n, dtype=bool)
    seen[network.hidden_sender, network.hidden_receiver] = False
    if not network.directed:
        seen &= seen.T
    matrix = network.to_dense() * seen
    between = np.argwhere(seen if network.directed else np.triu(seen))
    cells = np.array([matrix[i, j] for i, j in between])
    joined = matrix + matrix.T > 0
    closing = [
        joined[i, k]
        for j in range(n)
        for i, k in combinations(np.flatnonzero(joined[j]), 2)
        if seen[i, k] and seen[k, i]
    ]
    expected = {
        "share_zero": np.mean(cells == 0),
        "mean_weight": cells.mean(),
        "dispersion": cells.var() / cells.mean() if cells.any() else np.nan,
        "max_weight": cells.max(),
        "transitivity": np.mean(closing) if closing else np.nan,
    }
    if network.directed:
        mutual = np.array([(matrix[i, j], matrix[j, i]) for i, j in between if seen[j, i]])
        there, back = mutual.reshape(-1, 2).T
        expected |= {
            "sd_out_strength": matrix.sum(axis=1).std(),
            "max_out_strength": matrix.sum(axis=1).max(),
            "sd_in_strength": matrix.sum(axis=0).std(),
            "max_in_strength": matrix.sum(axis=0).max(),
            "reciprocity": np.mean(back[there > 0] > 0) if there.any() else np.nan,
            "weight_correlation": (
                np.corrcoef(there, back)[0, 1] if len(np.unique(there)) > 1 else np.nan
            ),
        }
    else:
        expected |= {
            "sd_strength": matrix.sum(axis=1).std(),
            "max_strength": matrix.sum(axis=1).max(),
        }
    found = features_of(network)
    assert found.statistics == pytest.approx(expected, rel=1e-9, abs=1e-9, nan_ok=True)
    shares = [np.mean(cells == 0), np.mean(cells == 1), np.mean(cells == 2), np.mean(cells > 2)]
    np.testing.assert_allclose([*found.shares[:3], found.shares[3:].sum()], shares, atol=1e-12)


@given(partly_observed)
def test_statistics_are_those_of_the_description(network):
    found, facts = features_of(network).statistics, describe(network)
    same = {
        "share_zero": facts.share_zero,
        "mean_weight": facts.mean_cell,
        "dispersion": facts.dispersion,
        "reciprocity": facts.reciprocity,
    }
    for name, value in same.items():
        assert found.get(name, np.nan) == pytest.approx(
            np.nan if value is None else value, rel=1e-9, abs=1e-9, nan_ok=True
        )


@given(partly_observed, st.integers(1, 9))
def test_blocks_of_edges_add_up(network, size):
    whole = features_of(network)
    edges = observed_edges(network)
    blocks = [
        Edges(*(column[k : k + size] for column in edges)) for k in range(0, len(edges[0]), size)
    ]
    pieces = features(blocks, network)
    np.testing.assert_equal(pieces.statistics, whole.statistics)
    np.testing.assert_array_equal(pieces.shares, whole.shares)
    np.testing.assert_equal(pieces.strengths, whole.strengths)


def test_weights_up_to_the_largest_of_stan():
    network = Network.from_edges(["a", "b"], ["b", "a"], [2**31 - 1, 2**31 - 1])
    found = features_of(network)
    assert found.statistics["mean_weight"] == 2**31 - 1
    assert found.statistics["dispersion"] == 0
    assert found.shares.sum() == 1


def test_transitivity_of_a_large_network_is_that_of_a_part(monkeypatch):
    monkeypatch.setattr(statistics, "TRANSITIVITY_NODES", 15)
    network = random_network(1, 30, 0.2, True)
    graph = nx.Graph(zip(network.sender.tolist(), network.receiver.tolist(), strict=True))
    part = graph.subgraph(np.random.default_rng(0).choice(30, 15, replace=False).tolist()).copy()
    part.remove_edges_from(list(nx.selfloop_edges(part)))
    found = features_of(network).statistics["transitivity"]
    assert found == pytest.approx(nx.transitivity(part))
    assert found != pytest.approx(nx.transitivity(graph))


@pytest.mark.parametrize("share", [0.0, 0.1])
def test_triples_are_counted_alike_in_sparse_and_in_dense_networks(share):
    """Against networkx where nothing is hidden, and against sums over a matrix."""
    rng = np.random.default_rng(8)
    for density in (0.02, 0.4):
        dense = (rng.random((60, 60)) < density) * (1 - np.eye(60, dtype=int))
        network = partly_hidden(Network.from_matrix(dense.astype(int)), 1, share)
        actual = features([observed_edges(network)], network).statistics["transitivity"]
        joined = network.to_dense() + network.to_dense().T > 0
        known = ~np.eye(60, dtype=bool)
        known[network.hidden_sender, network.hidden_receiver] = False
        known &= known.T
        triples = (joined.astype(int) @ joined.astype(int)) * known
        assert actual == pytest.approx(triples[joined].sum() / triples.sum())
        if not share:
            assert actual == pytest.approx(nx.transitivity(nx.Graph(joined)))
