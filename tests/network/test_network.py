"""Network: policies, refusals, invariants, and counts that agree with networkx and NumPy."""

import dataclasses

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse

from lsm_stan.errors import InputError
from lsm_stan.network.checks import STAN_INT_MAX
from lsm_stan.network.network import Network
from lsm_stan.network.summary import describe


@st.composite
def matrices(draw, symmetric=False):
    n = draw(st.integers(2, 7))
    cells = st.one_of(st.just(0), st.integers(0, 3), st.integers(0, STAN_INT_MAX))
    matrix = draw(hnp.arrays(np.int64, (n, n), elements=cells))
    return np.triu(matrix) + np.triu(matrix, 1).T if symmetric else matrix


def random_matrix(seed, n=12, p=0.3, loops=True):
    rng = np.random.default_rng(seed)
    matrix = rng.integers(1, 6, (n, n)) * (rng.random((n, n)) < p)
    matrix[0, :] = matrix[:, 0] = 0  # an isolated node
    if not loops:
        np.fill_diagonal(matrix, 0)
    return matrix


# --- identity -----------------------------------------------------------------------------------


@given(matrices())
def test_a_matrix_comes_back(matrix):
    network = Network.from_matrix(matrix)
    np.testing.assert_array_equal(network.to_dense(), matrix)
    assert network.total_weight == matrix.sum()
    np.testing.assert_array_equal(network.out_strength(), matrix.sum(axis=1))
    np.testing.assert_array_equal(network.in_strength(), matrix.sum(axis=0))


@given(matrices(symmetric=True))
def test_a_symmetric_matrix_comes_back_undirected(matrix):
    network = Network.from_matrix(matrix, directed=False)
    np.testing.assert_array_equal(network.to_dense(), matrix)
    assert np.all(network.sender <= network.receiver)
    assert network.total_weight == np.triu(matrix).sum()
    np.testing.assert_array_equal(network.out_strength(), matrix.sum(axis=1))
    np.testing.assert_array_equal(network.in_strength(), matrix.sum(axis=0))


@given(matrices(), st.randoms(use_true_random=False))
def test_the_order_of_listed_edges_does_not_matter(matrix, random):
    names = [f"n{i}" for i in range(len(matrix))]
    edges = [(names[i], names[j], matrix[i, j]) for i, j in np.argwhere(matrix)]
    random.shuffle(edges)
    columns = list(zip(*edges, strict=True)) or [(), (), ()]
    network = Network.from_edges(*columns, names=names)
    assert network.digest == Network.from_matrix(matrix, names).digest


@pytest.mark.parametrize(
    "convert",
    [
        sparse.csr_array,
        sparse.coo_matrix,
        sparse.csc_matrix,
        sparse.dok_array,
        np.ndarray.tolist,
        lambda m: m.astype(np.uint8),
        lambda m: m.astype(np.float32),
        lambda m: m.astype(str),
        lambda m: m.astype(object),
    ],
)
def test_every_kind_of_matrix_is_read_alike(convert):
    matrix = random_matrix(1)
    network = Network.from_matrix(convert(matrix))
    np.testing.assert_array_equal(network.to_dense(), matrix)


def test_a_boolean_matrix_has_weights_1():
    network = Network.from_matrix(np.array([[False, True], [False, False]]))
    assert network.weight.tolist() == [1]


def test_entries_a_sparse_array_holds_twice_are_added_up():
    matrix = sparse.coo_array(([2, 3, 0], ([0, 0, 1], [1, 1, 0])), shape=(2, 2))
    network = Network.from_matrix(matrix)
    np.testing.assert_array_equal(network.to_dense(), matrix.toarray())


def test_names_default_to_positions_or_to_the_node_table():
    matrix = np.eye(2, k=1)
    assert Network.from_matrix(matrix).names == ("0", "1")
    table = pd.DataFrame({"class": ["x", "y"]}, index=["b", "a"])
    assert Network.from_matrix(matrix, node_table=table).names == ("b", "a")
    assert Network.from_edges(["a"], ["b"], node_table=table).names == ("b", "a")


def test_white_space_is_not_part_of_a_name():
    network = Network.from_edges([" a", "a\tb"], ["a  b", "c\n"])
    assert network.names == ("a", "a b", "c")
    with pytest.raises(InputError, match="the node name 'a' occurs 2 times"):
        Network.from_matrix(np.zeros((2, 2)), ["a", "a "])


def test_tables_of_edges_and_nodes():
    table = pd.DataFrame({"class": ["x", "y", "z"]}, index=list("abc"))
    network = Network.from_edges("ab", "ba", [3, 4], node_table=table)
    assert network.edge_frame().to_dict("list") == {
        "source": ["a", "b"], "target": ["b", "a"], "weight": [3, 4],
    }  # fmt: skip
    assert network.node_frame().to_dict("list") == {
        "name": ["a", "b", "c"], "class": ["x", "y", "z"],
    }  # fmt: skip
    assert Network.from_edges("a", "b").node_frame().columns.tolist() == ["name"]


def test_nodes_come_in_the_order_edges_name_them():
    assert Network.from_edges(["c", "a"], ["b", "c"]).names == ("c", "b", "a")


# --- policies -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("policy", "weight"), [("sum", 10), ("first", 3)])
def test_parallel_edges(policy, weight):
    network = Network.from_edges("abab", "baba", [3, 1, 7, 1], parallel_edges=policy)
    assert network.to_dense()[0, 1] == weight
    assert any(note.startswith("2 parallel edges") for note in network.notes)


@pytest.mark.parametrize(("policy", "weight"), [("sum", 8), ("first", 3)])
def test_reverse_edges_of_an_undirected_list_are_parallel(policy, weight):
    network = Network.from_edges("ab", "ba", [3, 5], directed=False, parallel_edges=policy)
    assert (network.n_edges, network.total_weight) == (1, weight)
    np.testing.assert_array_equal(network.to_dense(), [[0, weight], [weight, 0]])
    assert any("each unordered pair" in note for note in network.notes)


def test_self_loops_are_kept():
    network = Network.from_edges("aa", "ab", [2, 1])
    assert network.to_dense().tolist() == [[2, 1], [0, 0]]
    assert any(note.startswith("1 self-loop:") for note in network.notes)


def test_isolated_nodes_are_kept_and_a_self_loop_does_not_connect():
    network = Network.from_edges("ac", "bc", names="abcd")
    assert network.n_nodes == 4
    assert any(note.startswith("2 isolated nodes") for note in network.notes)


def test_missing_weights_are_1():
    network = Network.from_edges("abc", "bca", [5, None, 2])
    assert network.weight.tolist() == [5, 1, 2]
    assert "1 edge without a weight: weight 1 each." in network.notes
    assert "No weights are given" in Network.from_edges("a", "b").notes[0]


def test_zero_weights_are_no_edges_but_name_nodes():
    network = Network.from_edges("ab", "bc", [0, 2])
    assert network.names == ("a", "b", "c")
    assert network.n_edges == 1
    assert "1 edge of weight 0: read as no edge." in network.notes


def test_a_network_without_edges_is_legal_and_says_so():
    network = Network.from_matrix(np.zeros((3, 3)))
    assert (network.n_nodes, network.n_edges, network.total_weight) == (3, 0, 0)
    assert any("There are no edges" in note for note in network.notes)


def test_symmetric_directed_networks_get_advice():
    symmetric = random_matrix(2) + random_matrix(2).T
    assert any("read it with --undirected." in n for n in Network.from_matrix(symmetric).notes)
    assert not any("--undirected" in n for n in Network.from_matrix(random_matrix(2)).notes)
    # From a list, following the advice must not double the weights.
    listed = Network.from_edges("ab", "ba", [3, 3])
    assert any('--undirected and parallel edges "first"' in note for note in listed.notes)


def test_plain_input_leaves_no_notes():
    assert Network.from_edges("abc", "bca", [1, 2, 3]).notes == ()


def test_weights_may_be_whole_numbers_of_any_type():
    network = Network.from_edges("abcd", "bcda", ["3", " 2.0 ", 1e3, np.float32(7)])
    assert network.weight.tolist() == [3, 2, 1000, 7]
    assert Network.from_edges("ab", "ba", [STAN_INT_MAX, 1]).weight.max() == STAN_INT_MAX


# --- refusals -----------------------------------------------------------------------------------

BAD_WEIGHTS = [
    (-2, "weight -2, which is negative"),
    (1.5, "weight 1.5, which is not a whole number"),
    (float("inf"), "weight inf, which is not finite"),
    (2**31, "weight 2147483648(.0)?, which overflows Stan's int"),
]
#: In a list of edges; in a matrix it is a dyad that was not observed.
MISSING_WEIGHTS = [
    (float("nan"), "weight nan, which is not finite"),
    (pd.NA, "weight <NA>, which is not a number"),
]
BAD_TEXT = [
    ("many", "weight 'many', which is not a number"),
    ("1_000", "weight '1_000', which is not a number"),
    (10**400, "a weight that overflows Stan's int"),
    (1j, "weight 1j, which is not a number"),
]


@pytest.mark.parametrize(("weight", "message"), [*BAD_WEIGHTS, *MISSING_WEIGHTS, *BAD_TEXT])
def test_bad_weight_of_an_edge(weight, message):
    with pytest.raises(InputError, match=rf"^my\.csv: edge 2 \('b' -> 'c'\) has (the )?{message}"):
        Network.from_edges("abc", "bca", [1, weight, -1], source="my.csv")
    with pytest.raises(InputError, match=r"weights are whole numbers from 0 to 2147483647$"):
        Network.from_edges("abc", "bca", [1, weight, 1])


@pytest.mark.parametrize("convert", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize(("weight", "message"), BAD_WEIGHTS)
def test_bad_weight_in_a_matrix(convert, weight, message):
    matrix = np.array([[0, 1], [weight, 0]])
    with pytest.raises(
        InputError, match=rf"^m\.npy: the cell in row 'b' and column 'a' has the {message}"
    ):
        Network.from_matrix(convert(matrix), ["a", "b"], source="m.npy")


@pytest.mark.parametrize(("weight", "message"), [*BAD_TEXT, ("", "no weight")])
def test_bad_text_in_a_matrix(weight, message):
    matrix = np.array([[0, 1], [weight, 0]], dtype=object)
    with pytest.raises(InputError, match=f"row '1' and column '0' has (the )?{message}"):
        Network.from_matrix(matrix)


def test_a_complex_matrix():
    with pytest.raises(InputError, match="not a number"):
        Network.from_matrix(np.array([[0, 1j], [0, 0]]))


def test_a_sum_of_parallel_edges_that_overflows():
    weights = [STAN_INT_MAX, 1]
    with pytest.raises(InputError, match="parallel edges 'a' -> 'b' add up to 2147483648, which"):
        Network.from_edges("aa", "bb", weights)
    assert Network.from_edges("aa", "bb", weights, parallel_edges="first").n_edges == 1


@pytest.mark.parametrize(
    ("shape", "shown"), [((2, 3), "2 x 3"), ((4,), "4"), ((2, 2, 2), "2 x 2 x 2"), ((), r"\(\)")]
)
def test_a_matrix_that_is_not_square(shape, shown):
    with pytest.raises(InputError, match=f"has the shape {shown}; it must be square"):
        Network.from_matrix(np.zeros(shape))


def test_an_asymmetric_matrix_read_as_undirected():
    matrix = np.array([[0, 1, 0], [1, 0, 4], [7, 4, 0]])
    with pytest.raises(
        InputError, match=r"row 'a' and column 'c' is 0, its mirror image is 7; .* symmetric matrix"
    ):
        Network.from_matrix(matrix, "abc", directed=False)


@pytest.mark.parametrize(
    "make", [lambda: Network.from_edges([], []), lambda: Network.from_matrix(np.zeros((0, 0)))]
)
def test_an_empty_network(make):
    with pytest.raises(InputError, match="the network is empty; it needs at least two nodes"):
        make()


@pytest.mark.parametrize(
    "make", [lambda: Network.from_edges("a", "a"), lambda: Network.from_matrix([[1]], ["a"])]
)
def test_a_single_node(make):
    with pytest.raises(InputError, match="one node only, 'a'; it needs at least two"):
        make()


def test_duplicate_names():
    with pytest.raises(InputError, match="the node name 'a' occurs 2 times"):
        Network.from_matrix(np.zeros((3, 3)), ["a", "b", "a"])
    with pytest.raises(InputError, match="the node name '1' occurs 2 times"):
        Network.from_edges([1], ["1"], names=[1, "1"])


def test_an_edge_to_a_node_that_is_not_there():
    with pytest.raises(
        InputError, match=r"^e\.csv: edge 2 \('b' -> 'x'\) names the node 'x', .* from 'a' to 'b'"
    ):
        Network.from_edges("ab", "bx", names="ab", source="e.csv")


@pytest.mark.parametrize("name", ["", " ", None, float("nan"), pd.NA, pd.NaT])
def test_a_node_without_a_name(name):
    with pytest.raises(InputError, match="the receiver of edge 1 has no name"):
        Network.from_edges(["a", "b"], [name, "a"])
    with pytest.raises(InputError, match="the node 2 has no name"):
        Network.from_matrix(np.zeros((2, 2)), ["a", name])


@pytest.mark.parametrize("name", ["nan", "None", "NA", "<NA>", "NaT"])
def test_text_that_looks_like_a_missing_value_is_a_name(name):
    assert Network.from_edges([name], ["b"]).names == (name, "b")


def test_columns_and_names_of_different_length():
    with pytest.raises(InputError, match="2 senders, 1 receivers and 2 weights"):
        Network.from_edges("ab", "c", [1, 2])
    with pytest.raises(InputError, match="has 2 rows but there are 3 node names"):
        Network.from_matrix(np.zeros((2, 2)), "abc")


def test_an_unknown_policy():
    with pytest.raises(InputError, match="parallel_edges is 'mean'; it can be 'sum' or 'first'"):
        Network.from_edges("a", "b", parallel_edges="mean")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sender": [0, 2]}, "sender has indices from 0 to 2; they must lie between 0 and 1"),
        ({"receiver": [-1, 0]}, "receiver has indices from -1"),
        ({"weight": [0, 1]}, "weights go from 0 to 1"),
        ({"weight": [1, 2**31]}, "weights go from 1 to 2147483648"),
        ({"weight": [1]}, "must be equal"),
        ({"weight": [1.0, 2.0]}, "must be one-dimensional and hold integers"),
        ({"weight": [[1, 2]]}, "must be one-dimensional and hold integers"),
        ({"sender": [1, 0], "receiver": [0, 1]}, "increasing order"),
        ({"sender": [0, 0], "receiver": [1, 1]}, "each pair once"),
        ({"directed": False}, "sender <= receiver"),
        ({"names": ("a", "a")}, "occurs 2 times"),
        ({"names": ("a", "b ")}, "the node name 'b ' is empty or has needless white space"),
        ({"names": ("a", "")}, "the node name '' is empty"),
        ({"node_table": pd.DataFrame({"name": [1, 2]}, index=["a", "b"])}, "a column 'name'"),
        ({"node_table": pd.DataFrame(index=["b", "a"])}, "rows of the node table"),
    ],
)
def test_the_constructor_lets_no_broken_network_pass(change, message):
    good = {"names": ("a", "b"), "sender": [0, 1], "receiver": [1, 0], "weight": [3, 4]}
    Network(**good, directed=True)
    with pytest.raises(InputError, match=message):
        Network(**({**good, "directed": True} | change))


# --- a value ------------------------------------------------------------------------------------


def test_a_network_does_not_change():
    sender = np.array([0, 1])
    table = pd.DataFrame({"class": ["x", "y"]}, index=["a", "b"])
    network = Network(("a", "b"), sender, np.array([1, 0]), np.array([3, 4]), True, table)
    sender[0] = 1
    table.loc["a", "class"] = "changed"
    assert network.sender.tolist() == [0, 1]
    assert network.node_table["class"].tolist() == ["x", "y"]
    with pytest.raises(ValueError, match="read-only"):
        network.weight[0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        network.title = "other"


def test_the_digest_is_of_the_data_only():
    network = Network.from_edges("ab", "bc", [1, 2])
    table = pd.DataFrame({"class": [1, 2, 3]}, index=list("abc"))
    same = dataclasses.replace(network, title="t", notes=("n",), node_table=table)
    assert same.digest == network.digest
    assert len(network.digest) == 64
    others = [
        Network.from_edges("ab", "bc", [1, 3]),
        Network.from_edges("ab", "bd", [1, 2]),
        Network.from_edges("ab", "bc", [1, 2], directed=False),
        Network.from_edges("ab", "cc", [1, 2], names="abc"),
        Network.from_edges("ab", "bc", [1, 2], names="abcd"),
    ]
    assert len({network.digest, *(other.digest for other in others)}) == 6


# --- describe -----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_a_directed_network_described_as_by_networkx_and_numpy(seed):
    matrix = random_matrix(seed)
    summary = describe(Network.from_matrix(matrix))
    graph = nx.from_numpy_array(matrix, create_using=nx.DiGraph)
    loopless = graph.copy()
    loopless.remove_edges_from(list(nx.selfloop_edges(graph)))
    off_diagonal = matrix[~np.eye(len(matrix), dtype=bool)]

    assert summary.nodes == graph.number_of_nodes()
    assert summary.edges == graph.number_of_edges()
    assert summary.self_loops == nx.number_of_selfloops(graph)
    assert summary.isolated == nx.number_of_isolates(loopless)
    assert summary.total_weight == matrix.sum()
    assert summary.max_weight == matrix.max()
    assert summary.reciprocity == pytest.approx(nx.overall_reciprocity(loopless))
    assert summary.density == pytest.approx(nx.density(loopless))
    assert summary.share_zero == pytest.approx(np.mean(off_diagonal == 0))
    assert summary.mean_cell == pytest.approx(off_diagonal.mean())
    assert summary.dispersion == pytest.approx(off_diagonal.var() / off_diagonal.mean())
    assert summary.weight_counts == {w: (matrix == w).sum() for w in range(1, 6) if w in matrix}


def test_an_undirected_network_described():
    matrix = random_matrix(3) + random_matrix(3).T
    summary = describe(Network.from_matrix(matrix, directed=False, title="t"))
    pairs = matrix[np.triu_indices(len(matrix), 1)]
    assert (summary.title, summary.directed, summary.reciprocity) == ("t", False, None)
    assert summary.density == pytest.approx(np.mean(pairs > 0))
    assert summary.mean_cell == pytest.approx(pairs.mean())
    assert summary.dispersion == pytest.approx(pairs.var() / pairs.mean())
    assert sum(w * c for w, c in summary.weight_counts.items()) == summary.total_weight


def test_a_network_without_edges_described():
    summary = describe(Network.from_matrix(np.zeros((3, 3))))
    assert (summary.density, summary.share_zero, summary.mean_cell) == (0, 1, 0)
    assert (summary.reciprocity, summary.dispersion) == (None, None)
    assert (summary.max_weight, summary.weight_counts, summary.isolated) == (0, {}, 3)


def test_large_weights_do_not_overflow_the_dispersion():
    matrix = np.full((40, 40), STAN_INT_MAX)
    matrix[0, 1] = 0
    off_diagonal = matrix[~np.eye(40, dtype=bool)].astype(float)
    summary = describe(Network.from_matrix(matrix))
    assert summary.dispersion == pytest.approx(off_diagonal.var() / off_diagonal.mean())


# --- hidden dyads -------------------------------------------------------------------------------


@given(matrices(), st.integers(0, 2**32 - 1))
def test_hidden_dyads_are_neither_edges_nor_empty(matrix, seed):
    n = len(matrix)
    rng = np.random.default_rng(seed)
    i, j = rng.integers(0, n, size=(2, n - 1))  # not all dyads
    i, j = i[i != j], j[i != j]
    network = Network.from_matrix(matrix)
    hidden = network.hide(i, j)
    expected = matrix.copy()
    expected[i, j] = 0
    np.testing.assert_array_equal(hidden.to_dense(), expected)
    expected[i, j] = -1
    a, b = np.indices(matrix.shape).reshape(2, -1)
    np.testing.assert_array_equal(hidden.weight_of(a, b), expected[a, b])
    assert hidden.n_hidden == len(set(zip(i.tolist(), j.tolist(), strict=True)))
    assert (hidden.digest == network.digest) == (len(i) == 0)
    assert hidden.hide(i, j).digest == hidden.digest
    again = hidden.hidden_frame()
    names = np.array(network.names)
    np.testing.assert_array_equal(names[hidden.hidden_sender], again["source"])
    np.testing.assert_array_equal(names[hidden.hidden_receiver], again["target"])


def test_a_hidden_dyad_of_an_undirected_network_has_no_direction():
    network = Network.from_matrix([[0, 2, 0], [2, 0, 1], [0, 1, 0]], directed=False)
    hidden = network.hide([1, 2], [0, 0])
    assert hidden.hidden_cells.tolist() == [1, 2]
    assert hidden.weight_of([0, 1, 2, 2], [1, 0, 0, 1]).tolist() == [-1, -1, -1, 1]
    assert describe(hidden).density == 1.0
    assert describe(hidden).hidden == 2


@pytest.mark.parametrize("directed", [True, False])
def test_a_network_of_which_nothing_was_observed_is_refused(directed):
    with pytest.raises(InputError, match="every dyad is hidden"):
        Network.from_matrix([[1, NAN], [NAN, 0]], directed=directed)
    with pytest.raises(InputError, match="t: every dyad is hidden"):
        Network.from_edges("ab", "ba", directed=directed, title="t").hide([0, 1], [1, 0])


def test_hidden_dyads_are_no_cells_of_the_description():
    matrix = random_matrix(3)
    i, j = np.array([1, 2, 3, 5]), np.array([4, 4, 9, 1])
    facts = describe(Network.from_matrix(matrix).hide(i, j))
    kept = ~np.eye(len(matrix), dtype=bool)
    kept[i, j] = False
    cells = matrix[kept]
    assert facts.density == pytest.approx(np.mean(cells > 0))
    assert facts.mean_cell == pytest.approx(cells.mean())
    assert facts.dispersion == pytest.approx(cells.var() / cells.mean())
    # the reverse of an edge may be hidden: then it is not known whether it has one
    known = (matrix > 0) & kept & kept.T
    assert known.sum() < ((matrix > 0) & kept).sum()
    assert facts.reciprocity == pytest.approx(np.mean(matrix.T[known] > 0))


def test_dyads_that_cannot_be_hidden() -> None:
    network = Network.from_matrix(np.ones((3, 3), dtype=int) - np.eye(3, dtype=int))
    with pytest.raises(InputError, match="'0' -> '1' is an edge and hidden"):
        Network(
            network.names, network.sender, network.receiver, network.weight, True,
            hidden_sender=np.array([0]), hidden_receiver=np.array([1]),
        )  # fmt: skip
    with pytest.raises(InputError, match="diagonal cell of node '1' cannot be hidden"):
        network.hide([1], [1])
    with pytest.raises(InputError, match="dyads have indices from 0 to 7"):
        network.hide([0], [7])


# --- dyads that were not observed ---------------------------------------------------------------

NAN = float("nan")


@pytest.mark.parametrize("convert", [np.asarray, sparse.csr_array, lambda m: m.astype(object)])
def test_nan_in_a_matrix_is_a_dyad_that_was_not_observed(convert):
    matrix = np.array([[0, NAN, 2], [3, 0, NAN], [0, 1, 0]])
    network = Network.from_matrix(convert(matrix), list("abc"))
    assert network.weight_of([0, 1], [1, 2]).tolist() == [-1, -1]
    assert network.n_hidden == 2
    assert network.weight_of([0, 1, 2, 2], [2, 0, 0, 1]).tolist() == [2, 3, 0, 1]
    assert "2 cells NaN: dyads that were not observed." in network.notes


@pytest.mark.parametrize("kind", [int, np.uint8, float, "U1", object])
def test_a_masked_cell_of_a_matrix_is_a_dyad_that_was_not_observed(kind):
    matrix = np.array([[0, 9, 2], [3, 0, 9], [0, 1, 9]]).astype(kind)
    masked = np.ma.masked_array(matrix, mask=matrix == np.array(9).astype(kind))
    network = Network.from_matrix(masked, list("abc"))
    assert network.weight_of([0, 1], [1, 2]).tolist() == [-1, -1]
    assert network.weight_of([0, 1, 2, 2], [2, 0, 0, 1]).tolist() == [2, 3, 0, 1]
    assert (network.n_hidden, network.total_weight) == (2, 6)
    assert network.notes[:2] == (
        "2 cells NaN: dyads that were not observed.",
        "1 diagonal cell NaN: read as 0.",
    )
    whole = Network.from_matrix(np.ma.masked_array(matrix))
    assert whole.digest == Network.from_matrix(matrix).digest


def test_nan_on_the_diagonal_hides_nothing():
    network = Network.from_matrix([[NAN, 1], [0, NAN]])
    assert network.n_hidden == 0
    assert network.n_edges == 1
    assert network.notes[0] == "2 diagonal cells NaN: read as 0."


def test_nan_in_an_undirected_matrix_is_symmetric():
    network = Network.from_matrix([[0, NAN, 1], [NAN, 0, 2], [1, 2, 0]], directed=False)
    assert (network.hidden_sender.tolist(), network.hidden_receiver.tolist()) == ([0], [1])
    assert "1 cell NaN: dyads that were not observed." in network.notes
    with pytest.raises(InputError, match=r"row '0' and column '1' is NaN, its mirror image is not"):
        Network.from_matrix([[0, NAN, 1], [5, 0, 2], [1, 2, 0]], directed=False)
    with pytest.raises(InputError, match=r"row '1' and column '0' is NaN, its mirror image is not"):
        Network.from_matrix([[0, 0, 1], [NAN, 0, 2], [1, 2, 0]], directed=False)
